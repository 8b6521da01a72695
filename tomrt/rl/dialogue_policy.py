"""The policy of the way of talking: the guard splits the traffic, within each part the bandit chooses.

A decision is one draw from one vector of probabilities: that of the whole path. What is logged is therefore exact, not
an estimate of what was drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

import numpy as np
from attrs import asdict, define, field, frozen
from numpy.typing import NDArray

from tomrt.rl.bandit import Bandit, bandit_from_dict, open_bandit
from tomrt.rl.decision import Context, Decision
from tomrt.rl.errors import InvalidState
from tomrt.rl.feedback import Signals
from tomrt.rl.guard import Change, Guard, Outcome
from tomrt.rl.reward import Reward, reward
from tomrt.rl.stage import Stage
from tomrt.rl.variants import Catalogue

__all__ = ["COVARIATES", "DialoguePolicy", "Learned", "Trouble", "open_policy"]

SCHEMA = 1
COVARIATES: Mapping[str, tuple[str, ...]] = {
    "daytime": ("night", "morning", "afternoon", "evening"),
    "week": ("workday", "weekend"),
}
"""What else moves the reward: taken out of it, so that a variant is not praised for the hour of its calls."""


@frozen(kw_only=True)
class Trouble:
    """What went wrong in a call on the technical side; see :class:`~tomrt.rl.guard.Outcome`."""

    failed: bool = False
    severe: bool = False
    hung_up_early: bool = False
    slow: bool = False


@frozen
class Learned:
    """What an outcome taught: its reward, and which variants it moved."""

    reward: Reward
    changes: tuple[Change, ...] = ()


@frozen(eq=False)
class _Mix:
    """The probabilities of all arms that may be chosen, as long as nothing is learned."""

    versions: tuple[int, int]
    arms: tuple[str, ...]
    groups: tuple[str, ...]
    probabilities: tuple[float, ...]
    cumulative: NDArray[np.float64]


@define(eq=False)
class DialoguePolicy:
    """Chooses variants and learns from how calls went.

    Args:
        bandit: Knows which variant earns what.
        guard: Knows which variant may be tried, and how often.
        rng: Draws the arms.
        catalogue: The variants, and what counts as a reward; a variant that has left it is not chosen any more.
    """

    bandit: Bandit
    guard: Guard
    rng: np.random.Generator
    catalogue: Catalogue
    _pulls: dict[str, int] = field(factory=dict, init=False)
    _successes: dict[str, int] = field(factory=dict, init=False)
    _rewards: dict[str, float] = field(factory=dict, init=False)
    _mixed: _Mix | None = field(default=None, init=False)

    def decide(
        self, context: Context, *, at: float, uniform: float | None = None, independent: bool = True
    ) -> Decision:
        """Choose a variant.

        Args:
            context: What is known of the call.
            at: Now, in seconds since 1970.
            uniform: A draw from [0, 1) that belongs to the caller, so that the same caller gets the same variant for as
                long as the probabilities are about the same; ``None`` draws afresh.
            independent: See :class:`~tomrt.rl.decision.Decision`.

        Returns:
            A decision whose propensity is that of the whole path.
        """
        mix = self._mix()
        draw = self.rng.random() if uniform is None else uniform
        chosen = min(int(mix.cumulative.searchsorted(draw, side="right")), len(mix.arms) - 1)
        return Decision(
            id=self.rng.bytes(16).hex(),
            at=at,
            arm=mix.arms[chosen],
            propensity=mix.probabilities[chosen],
            policy=self.bandit.kind,
            version=self.bandit.version,
            eligible=mix.arms,
            probabilities=mix.probabilities,
            context=tuple(sorted(context.items())),
            group=mix.groups[chosen],
            independent=independent,
        )

    def only_base(self, context: Context, *, at: float) -> Decision:
        """Return the decision for the base variant, which nothing else had a chance against."""
        base = self.catalogue.deployment.base
        return Decision(
            id=self.rng.bytes(16).hex(),
            at=at,
            arm=base,
            propensity=1.0,
            policy="base",
            version=self.bandit.version,
            eligible=(base,),
            probabilities=(1.0,),
            context=tuple(sorted(context.items())),
            group="active",
        )

    def learn(
        self,
        decision: Decision,
        signals: Signals,
        *,
        at: float,
        before: Signals | None = None,
        trouble: Trouble = Trouble(),
    ) -> Learned:
        """Learn how a call went.

        Args:
            decision: What was chosen.
            signals: What was observed.
            at: Now, in seconds since 1970.
            before: What was learned from the same call before, where this only adds to it; the bandit takes the new
                reward in place of the old one, tests have had their look and do not look again.
            trouble: What went wrong on the technical side.
        """
        earned = reward(signals, self.catalogue.reward)
        if decision.arm not in self.bandit.arms:
            return Learned(earned)  # a variant that has been taken out of the catalogue since
        if before is not None:
            old = reward(before, self.catalogue.reward).value
            self._count(decision.arm, earned.value, replacing=old)
            self.bandit.learn(decision, earned.value, replacing=old)
            return Learned(earned)
        self._count(decision.arm, earned.value)
        self.bandit.learn(decision, earned.value)
        outcome = Outcome(
            reward=earned.value,
            failed=trouble.failed,
            severe=trouble.severe,
            hung_up_early=trouble.hung_up_early,
            slow=trouble.slow,
        )
        return Learned(earned, self.guard.report(decision, outcome, at=at))

    def _count(self, arm: str, value: float, *, replacing: float | None = None) -> None:
        success = (value > 0.0) - (replacing is not None and replacing > 0.0)
        self._pulls[arm] = self._pulls.get(arm, 0) + (replacing is None)
        self._successes[arm] = self._successes.get(arm, 0) + success
        self._rewards[arm] = self._rewards.get(arm, 0.0) + value - (replacing or 0.0)

    def success_rates(self) -> tuple[tuple[str, float], ...]:
        """Return the share of calls with a reward above 0, for each variant that had calls."""
        return tuple((arm, self._successes[arm] / pulls) for arm, pulls in self._pulls.items() if pulls)

    def mean_rewards(self) -> tuple[tuple[str, float], ...]:
        """Return the mean reward of each variant that had calls."""
        return tuple((arm, self._rewards[arm] / pulls) for arm, pulls in self._pulls.items() if pulls)

    @property
    def exploration(self) -> float:
        """Probability that the next call does not have the variant that is best as far as is known, 0 to 1."""
        return 1.0 - max(self._mix().probabilities)

    def _mix(self) -> _Mix:
        versions = (self.bandit.version, self.guard.version)
        if self._mixed is None or self._mixed.versions != versions:
            self._mixed = self._mix_anew(versions)
        return self._mixed

    def _mix_anew(self, versions: tuple[int, int]) -> _Mix:
        known = self.catalogue.variants
        split = [(group, [arm for arm in group.arms if arm in known]) for group in self.guard.split()]
        groups = [(group, arms) for group, arms in split if arms and group.share > 0.0]
        weights = np.concatenate([group.share * self.bandit.probabilities(arms) for group, arms in groups])
        weights /= weights.sum()
        return _Mix(
            versions=versions,
            arms=tuple(arm for _, arms in groups for arm in arms),
            groups=tuple(group.name for group, arms in groups for _ in arms),
            probabilities=tuple(weights.tolist()),
            cumulative=np.cumsum(weights),
        )

    # --- state -------------------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, object]:
        """Return all that was learned, for JSON."""
        return {
            "schema": SCHEMA,
            "made_for": _made_for(self.catalogue),
            "bandit": self.bandit.to_dict(),
            "guard": self.guard.to_dict(),
            "rng": self.rng.bit_generator.state,
            "pulls": dict(self._pulls),
            "successes": dict(self._successes),
            "rewards": dict(self._rewards),
        }

    def restore_counts(self, data: Mapping[str, object], arms: Iterable[str]) -> None:
        """Take pulls and successes from a saved state.

        Raises:
            InvalidState: they are not what :meth:`to_dict` gives.
        """
        known = set(arms)
        self._pulls = {arm: int(count) for arm, count in _counts(data, "pulls").items() if arm in known}
        successes, rewards = _counts(data, "successes"), _counts(data, "rewards")
        self._successes = {arm: int(successes.get(arm, 0)) for arm in self._pulls}
        self._rewards = {arm: float(rewards.get(arm, 0.0)) for arm in self._pulls}


def open_policy(
    catalogue: Catalogue,
    rng: np.random.Generator,
    *,
    state: Mapping[str, object] | None = None,
    at: float = 0.0,
) -> DialoguePolicy:
    """Return the policy for the variants of *catalogue*.

    Args:
        catalogue: The variants, and how they are learned about and deployed.
        rng: Where all randomness comes from.
        state: What :meth:`DialoguePolicy.to_dict` gave before; variants that are new since are added.
        at: Now, in seconds since 1970.

    Raises:
        InvalidState: *state* is damaged, or of another bandit or reward, or of variants whose slots have changed: then
            only learning again from the stored feedback helps.
    """
    slots = catalogue.slot_levels()
    stages = {name: Stage(variant.stage) for name, variant in catalogue.variants.items()}
    if state is None:
        bandit = open_bandit(catalogue.bandit, slots, rng.spawn(1)[0], COVARIATES)
        return DialoguePolicy(bandit, Guard(catalogue.deployment, stages), rng, catalogue)
    if state.get("schema") != SCHEMA:
        raise InvalidState(f"the saved policy has schema {state.get('schema')!r}, not {SCHEMA}")
    _check_fits(_part(state, "made_for"), _made_for(catalogue))
    bandit = bandit_from_dict(_part(state, "bandit"))
    guard = Guard.from_dict(_part(state, "guard"), catalogue.deployment)
    for name in slots:
        if name not in bandit.arms:
            bandit.add_arm(name, slots[name])
        guard.add(name, stages[name], at=at)
    try:
        rng.bit_generator.state = _part(state, "rng")
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidState("the saved policy's generator cannot be restored") from error
    policy = DialoguePolicy(bandit, guard, rng, catalogue)
    policy.restore_counts(state, slots)
    return policy


def _made_for(catalogue: Catalogue) -> dict[str, object]:
    """Return what the numbers of a state depend on."""
    slots = {name: dict(levels) for name, levels in catalogue.slot_levels().items()}
    rules = {"bandit": asdict(catalogue.bandit), "reward": asdict(catalogue.reward)}
    return {**rules, "slots": slots, "covariates": sorted(COVARIATES)}


def _check_fits(then: Mapping[str, object], now: Mapping[str, object]) -> None:
    if any(then.get(name) != now[name] for name in ("bandit", "reward", "covariates")):
        raise InvalidState("the saved policy was learned with other [bandit] or [reward] rules")
    before, after = then.get("slots"), now["slots"]
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        raise InvalidState("the saved policy does not tell the slots of its variants")
    for name in before:
        if name in after and before[name] != after[name]:
            raise InvalidState(f"variant {name!r} has other slots than when the saved policy learned about it")


def _counts(data: Mapping[str, object], name: str) -> Mapping[str, float]:
    counts = _part(data, name)
    if not all(isinstance(count, int | float) for count in counts.values()):
        raise InvalidState(f"the saved policy's {name} are no numbers")
    return cast("Mapping[str, float]", counts)


def _part(state: Mapping[str, object], name: str) -> Mapping[str, object]:
    part = state.get(name)
    if not isinstance(part, Mapping):
        raise InvalidState(f"the saved policy has no {name}")
    return part
