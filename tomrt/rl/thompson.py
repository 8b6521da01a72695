"""What the three Thompson policies share: probabilities from posterior samples, the draw, the rewards' bookkeeping.

Rewards of a decision weigh ``discount ** (version now - version of the decision)``: older decisions count less however
late their reward comes, so late rewards may be learned in any order (to rounding), also where things are forgotten, and
a reward that is replaced leaves nothing behind. The prior is not discounted: it is the floor under what is forgotten.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from attrs import asdict, define
from numpy.typing import NDArray

from tomrt.rl.decision import Context, Decision
from tomrt.rl.errors import InvalidFeedback, InvalidState, NotEligible
from tomrt.rl.explanation import ArmExplanation, Explanation
from tomrt.rl.generator_state import generator_from_state, generator_state
from tomrt.rl.rules import BanditRules
from tomrt.rl.state_fields import mapping, sequence, whole

__all__ = ["Thompson", "with_floor"]

Floats = NDArray[np.float64]

SCHEMA = 1
_MOST_SETS = 16
"""So many sets of eligible arms are kept ready; the guard's split has three."""
_FAR = 1 << 40
"""No version draws so many numbers."""
_EXPLAINING_DRAWS = 4096


@define(eq=False)
class _Wheel:
    """The probabilities of one set of eligible arms, ready to be drawn from."""

    arms: tuple[str, ...]
    probabilities: Floats
    listed: tuple[float, ...]
    cumulative: list[float]
    asked: bool = False


class Thompson(ABC):
    """Chooses an arm with the probability that it is the best; see :class:`~tomrt.rl.bandit.Bandit`.

    Args:
        rules: How it learns.
        arms: Their names.
        rng: Where all randomness comes from.
    """

    kind: ClassVar[str]

    def __init__(self, rules: BanditRules, arms: Sequence[str], rng: np.random.Generator) -> None:
        if not arms:
            raise NotEligible("a bandit needs at least one arm")
        self.rules = rules
        self._index = {arm: place for place, arm in enumerate(arms)}
        if len(self._index) != len(arms):
            raise NotEligible(f"an arm is there twice among {', '.join(arms)}")
        self._arms = tuple(arms)
        self._version = 0
        self._pulls = [0] * len(arms)
        self._rng = rng
        self._sow(int(rng.integers(1 << 63)))
        self._samples: Floats | None = None
        self._wheels: dict[tuple[str, ...], _Wheel] = {}

    @property
    def arms(self) -> tuple[str, ...]:
        """All arms, in the order they were given."""
        return self._arms

    @property
    def version(self) -> int:
        """How often something was learned; as long as it stays, so do the probabilities."""
        return self._version

    # --- choosing ----------------------------------------------------------------------------------------------------

    def probabilities(self, eligible: Sequence[str]) -> Floats:
        """Return the probability of each of the *eligible* arms to be chosen."""
        return self._wheel(tuple(eligible)).probabilities

    def decide(self, context: Context, eligible: Sequence[str] | None = None, *, at: float = 0.0) -> Decision:
        """Draw an arm from :meth:`probabilities`."""
        wheel = self._wheel(self._arms if eligible is None else tuple(eligible))
        chosen = min(bisect_right(wheel.cumulative, self._rng.random()), len(wheel.arms) - 1)
        return Decision(
            id=self._rng.bytes(16).hex(),
            at=at,
            arm=wheel.arms[chosen],
            propensity=wheel.listed[chosen],
            policy=self.kind,
            version=self._version,
            eligible=wheel.arms,
            probabilities=wheel.listed,
            context=tuple(sorted(context.items())),
        )

    def _wheel(self, eligible: tuple[str, ...]) -> _Wheel:
        wheel = self._wheels.get(eligible)
        if wheel is None:
            wheel = self._new_wheel(eligible)
        wheel.asked = True
        return wheel

    def _new_wheel(self, eligible: tuple[str, ...]) -> _Wheel:
        self._check_eligible(eligible)
        if self._samples is None:
            self._samples_bits.state = self._samples_begin
            self._samples_bits.advance(self._version * _FAR)
            self._samples = self._draw_to_choose(self._samples_rng, self.rules.draws)
        columns = self._samples if eligible == self._arms else self._samples[:, [self._index[arm] for arm in eligible]]
        wins = np.bincount(columns.argmax(axis=1), minlength=len(eligible))
        probabilities = with_floor(wins / len(columns), self.rules.floor)
        probabilities.setflags(write=False)
        if len(self._wheels) >= _MOST_SETS:
            self._wheels.clear()
        wheel = _Wheel(eligible, probabilities, tuple(probabilities.tolist()), np.cumsum(probabilities).tolist())
        self._wheels[eligible] = wheel
        return wheel

    def _sow(self, seed: int) -> None:
        """Set where samples come from.

        Those of each version begin at a place of their own, so that probabilities follow from what was learned, and not
        from who asked for them before.
        """
        self._samples_seed = seed
        self._samples_bits = np.random.PCG64(seed)
        self._samples_begin = self._samples_bits.state
        self._samples_rng = np.random.Generator(self._samples_bits)

    def _check_eligible(self, eligible: tuple[str, ...]) -> None:
        if not eligible:
            raise NotEligible("no arm may be chosen: the set of eligible arms is empty")
        unknown = [arm for arm in eligible if arm not in self._index]
        if unknown:
            raise NotEligible(f"there is no arm {unknown[0]!r}; known are {', '.join(self._arms)}")
        if len(set(eligible)) != len(eligible):
            raise NotEligible(f"an arm is eligible twice: {', '.join(eligible)}")

    # --- learning ----------------------------------------------------------------------------------------------------

    def learn(self, decision: Decision, reward: float, *, replacing: float | None = None) -> None:
        """Learn what a decision earned; late rewards may come in any order."""
        arm = self._known(decision.arm)
        _check_reward(reward)
        if replacing is not None:
            _check_reward(replacing)
        discount = self.rules.discount
        if discount < 1.0:
            self._forget(discount)
        weight = discount ** max(0, self._version - decision.version)
        self._take(arm, float(reward), replacing, weight, decision.context)
        self._pulls[arm] += replacing is None
        self._changed()

    def warm_start(self, means: Mapping[str, float], *, weight: float) -> None:
        """Believe in advance that arms earn *means*, as strongly as after *weight* rewards each."""
        if not (math.isfinite(weight) and weight > 0.0):
            raise InvalidFeedback(f"the weight of a warm start is {weight!r}, not a number above 0")
        told = {self._known(arm): mean for arm, mean in means.items()}
        for mean in told.values():
            _check_reward(mean)
        if told:
            self._believe(np.array(list(told)), np.array(list(told.values()), dtype=np.float64), weight)
            self._changed()

    def add_arm(self, arm: str, slots: Mapping[str, str]) -> None:
        """Take in an arm about which nothing is known but its slots."""
        if arm in self._index:
            raise NotEligible(f"there is an arm {arm!r} already")
        self._grow(arm, slots)
        self._index[arm] = len(self._arms)
        self._arms = (*self._arms, arm)
        self._pulls.append(0)
        self._changed()

    def _known(self, arm: str) -> int:
        place = self._index.get(arm)
        if place is None:
            raise NotEligible(f"there is no arm {arm!r}; known are {', '.join(self._arms)}")
        return place

    def _changed(self) -> None:
        """Begin a new version; what was asked for in the last one is made ready, so that decisions stay quick."""
        self._version += 1
        self._samples = None
        asked = [key for key, wheel in self._wheels.items() if wheel.asked]
        self._wheels.clear()
        for key in asked:
            self._new_wheel(key)

    # --- telling -----------------------------------------------------------------------------------------------------

    def explain(self) -> Explanation:
        """Return what is believed of each arm; asking draws nothing from the bandit's own generators."""
        samples = self._draw(np.random.default_rng(self._version), _EXPLAINING_DRAWS)
        best = np.bincount(samples.argmax(axis=1), minlength=len(self._arms)) / len(samples)
        low, high = np.quantile(samples, (0.05, 0.95), axis=0)
        means = self.means()
        return Explanation(
            kind=self.kind,
            arms=tuple(
                ArmExplanation(
                    arm=arm,
                    pulls=self._pulls[place],
                    mean=float(means[place]),
                    low=float(low[place]),
                    high=float(high[place]),
                    p_best=float(best[place]),
                )
                for place, arm in enumerate(self._arms)
            ),
            exploration_rate=float(1.0 - best.max()),
            noise_sd=self.noise_sd(),
        )

    @abstractmethod
    def means(self) -> Floats:
        """Return the expected reward of each arm, shape (K,); the arm to recommend is the one with the highest."""

    @abstractmethod
    def noise_sd(self) -> float | None:
        """Return the estimated standard deviation of a reward around its arm's mean, where there is such a thing."""

    # --- state -------------------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, object]:
        """Return all that was learned, for JSON, with the state of the generators."""
        return {
            "kind": self.kind,
            "schema": SCHEMA,
            "rules": asdict(self.rules),
            "arms": list(self._arms),
            "version": self._version,
            "pulls": list(self._pulls),
            "rng": generator_state(self._rng.bit_generator.state),
            "samples_seed": self._samples_seed,
            **self._statistics(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Self:
        """Return the bandit that gave *data*; its next decisions are those that the other would have made.

        Raises:
            InvalidState: *data* is damaged, or of a newer version.
        """
        if data.get("kind") != cls.kind or data.get("schema") != SCHEMA:
            raise InvalidState(
                f"bandit: {data.get('kind')!r} of schema {data.get('schema')!r} is not {cls.kind!r} of schema {SCHEMA}"
            )
        arms = sequence(data, "arms", "bandit")
        if not arms or not all(isinstance(arm, str) for arm in arms) or len(set(arms)) != len(arms):
            raise InvalidState("bandit: arms is not a list of different names")
        bandit = cls._empty(_saved_rules(data), [str(arm) for arm in arms], data)
        bandit._version = whole(data, "version", "bandit")  # noqa: SLF001 - its own class
        bandit._pulls = _saved_pulls(data, len(arms))  # noqa: SLF001
        bandit._restore(data)  # noqa: SLF001
        bandit._rng = generator_from_state(data, "rng", "bandit")  # noqa: SLF001
        bandit._sow(whole(data, "samples_seed", "bandit"))  # noqa: SLF001
        return bandit

    # --- what each kind does in its own way --------------------------------------------------------------------------

    @classmethod
    @abstractmethod
    def _empty(cls, rules: BanditRules, arms: Sequence[str], data: Mapping[str, object]) -> Self:
        """Return a bandit of the shape that *data* tells, which knows nothing."""

    @abstractmethod
    def _draw(self, rng: np.random.Generator, count: int) -> Floats:
        """Return at least *count* samples of all arms' expected rewards from the posterior, shape (count, K)."""

    def _draw_to_choose(self, rng: np.random.Generator, count: int) -> Floats:
        """Return samples whose best arms are chosen: those of the posterior, unless a kind reshapes it."""
        return self._draw(rng, count)

    @abstractmethod
    def _forget(self, discount: float) -> None:
        """Multiply all that was learned, but not the prior, with *discount*."""

    @abstractmethod
    def _take(
        self, arm: int, reward: float, replacing: float | None, weight: float, context: Sequence[tuple[str, str]]
    ) -> None:
        """Add a reward, or replace it by the difference."""

    @abstractmethod
    def _believe(self, arms: NDArray[np.intp], means: Floats, weight: float) -> None:
        """Add pseudo-observations to the prior."""

    @abstractmethod
    def _grow(self, arm: str, slots: Mapping[str, str]) -> None:
        """Make room for one more arm."""

    @abstractmethod
    def _statistics(self) -> dict[str, object]:
        """Return prior and sufficient statistics for JSON."""

    @abstractmethod
    def _restore(self, data: Mapping[str, object]) -> None:
        """Take what :meth:`_statistics` gave, or raise InvalidState."""


def with_floor(probabilities: Floats, floor: float) -> Floats:
    """Return *probabilities* with none below *floor*, or below 1/(2K) where that is less; others give in proportion.

    Args:
        probabilities: Shape (K,), at least 0; they sum to 1.
        floor: From 0 on.
    """
    least = min(floor, 0.5 / len(probabilities))
    low = probabilities < least
    while low.any():
        raised = int(low.sum())
        scale = (1.0 - least * raised) / probabilities[~low].sum()
        lifted = np.where(low, least, probabilities * scale)
        now_low = lifted < least
        if not now_low.any():
            return lifted
        low |= now_low
    return probabilities


def _check_reward(reward: float) -> None:
    if isinstance(reward, bool) or not isinstance(reward, int | float) or not -1.0 <= reward <= 1.0:
        raise InvalidFeedback(f"a reward is {reward!r}, not a number from -1 to 1")


def _saved_rules(data: Mapping[str, object]) -> BanditRules:
    saved: dict[str, Any] = dict(mapping(data, "rules", "bandit"))
    try:
        return BanditRules(**saved)
    except (TypeError, ValueError) as error:
        raise InvalidState(f"bandit: rules cannot be used: {error}") from error


def _saved_pulls(data: Mapping[str, object], arms: int) -> list[int]:
    pulls = sequence(data, "pulls", "bandit")
    counts = [pull for pull in pulls if isinstance(pull, int) and not isinstance(pull, bool) and pull >= 0]
    if len(pulls) != arms or len(counts) != arms:
        raise InvalidState(f"bandit: pulls is not a list of {arms} counts")
    return counts
