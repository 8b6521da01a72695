"""One interface for the three Thompson policies, and the two ways to get one: from rules, or from a saved state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tomrt.rl.beta_thompson import BetaThompson
from tomrt.rl.decision import Context, Decision
from tomrt.rl.errors import InvalidState
from tomrt.rl.explanation import Explanation
from tomrt.rl.gaussian_thompson import GaussianThompson
from tomrt.rl.rules import BanditRules
from tomrt.rl.slot_thompson import SlotThompson
from tomrt.rl.thompson import Thompson

__all__ = ["Bandit", "bandit_from_dict", "open_bandit"]

_NO_COVARIATES: Mapping[str, Sequence[str]] = {}
_KINDS: Mapping[str, type[Thompson]] = {kind.kind: kind for kind in (SlotThompson, GaussianThompson, BetaThompson)}


@runtime_checkable
class Bandit(Protocol):
    """Chooses arms so that the best one is found while little is lost on the others.

    Thompson sampling (Thompson 1933; Russo et al. 2018): an arm is chosen with the probability that it is the best one,
    given all rewards so far. Here that probability is estimated first, from posterior samples, and the arm is drawn
    from the estimate: so the propensity of a decision is exact, whatever the estimate is worth.
    """

    @property
    def kind(self) -> str:
        """``"slots"``, ``"gaussian"`` or ``"beta"``."""

    @property
    def arms(self) -> tuple[str, ...]:
        """All arms, in the order they were given."""

    @property
    def version(self) -> int:
        """How often something was learned; as long as it stays, so do the probabilities."""

    def probabilities(self, eligible: Sequence[str]) -> NDArray[np.float64]:
        """Return the probability of each of the *eligible* arms to be chosen.

        Args:
            eligible: Arms that may be chosen, at least one.

        Returns:
            Shape (K,), in the order of *eligible*, read-only; it sums to 1 and no element is below the floor of the
            rules, or below 1/(2K) where that is less.

        Raises:
            NotEligible: there is no arm, or one that is not known, or one twice.
        """

    def decide(self, context: Context, eligible: Sequence[str] | None = None, *, at: float = 0.0) -> Decision:
        """Draw an arm from :meth:`probabilities`.

        Args:
            context: What is known of the call; it does not move the choice, it is what rewards are adjusted for.
            eligible: Arms that may be chosen; by default all.
            at: Now, in seconds since 1970.

        Raises:
            NotEligible: see :meth:`probabilities`.
        """

    def learn(self, decision: Decision, reward: float, *, replacing: float | None = None) -> None:
        """Learn what a decision earned; late rewards may come in any order.

        Args:
            decision: What was chosen, here or by an earlier version.
            reward: From -1 to 1.
            replacing: The reward that was learned for this decision before, which this one takes the place of.

        Raises:
            InvalidFeedback: a reward is not a number from -1 to 1.
            NotEligible: the arm is not known.
        """

    def explain(self) -> Explanation:
        """Return what is believed of each arm."""

    def means(self) -> NDArray[np.float64]:
        """Return the expected reward of each arm, shape (K,); the arm to recommend is the one with the highest."""

    def warm_start(self, means: Mapping[str, float], *, weight: float) -> None:
        """Believe in advance that arms earn *means*, as strongly as after *weight* rewards each.

        Args:
            means: Rewards by arm, from -1 to 1, for instance from simulated calls; arms may be left out.
            weight: Above 0. What a simulator says of an arm is rarely worth more than ten calls.

        Raises:
            InvalidFeedback: a number is out of its range.
            NotEligible: an arm is not known.
        """

    def add_arm(self, arm: str, slots: Mapping[str, str]) -> None:
        """Take in an arm about which nothing is known but its slots.

        Raises:
            NotEligible: there is such an arm.
        """

    def to_dict(self) -> dict[str, object]:
        """Return all that was learned, for JSON, with the state of the generators."""


def open_bandit(
    rules: BanditRules,
    slots: Mapping[str, Mapping[str, str]],
    rng: np.random.Generator,
    covariates: Mapping[str, Sequence[str]] = _NO_COVARIATES,
) -> Bandit:
    """Return a bandit that knows nothing yet.

    Args:
        rules: Which kind, and how it learns.
        slots: The arms; of each the level of its slots, which only ``"slots"`` looks at.
        rng: Where all its randomness comes from; it belongs to the bandit from now on.
        covariates: Names of the context with their levels, whose effect on the reward is taken out of it. Only
            ``"slots"`` looks at them.

    Raises:
        NotEligible: there is no arm.
    """
    arms = tuple(slots)
    if rules.algorithm == "slots":
        return SlotThompson(rules, slots, rng, covariates)
    if rules.algorithm == "gaussian":
        return GaussianThompson(rules, arms, rng)
    return BetaThompson(rules, arms, rng)


def bandit_from_dict(data: Mapping[str, object]) -> Bandit:
    """Return the bandit that gave *data*; its next decisions are those that the other would have made.

    Raises:
        InvalidState: *data* is damaged, or of a newer version.
    """
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise InvalidState(f"bandit: kind {kind!r} is none of {', '.join(_KINDS)}")
    return _KINDS[kind].from_dict(data)
