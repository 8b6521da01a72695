"""Which combination of slots would earn most: all of them, those that were never played by the model alone.

A combination that was played is judged by its own calls (doubly robust, with an interval that holds for all of them at
once, so that the best of many is not praised for its luck). One that was never played has nothing but the model to
speak for it: that slots add up, up to the deviation that the played ones showed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from statistics import NormalDist

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from tomrt.rl.choice_log import Log
from tomrt.rl.errors import LearningError
from tomrt.rl.features import SlotFeatures, effects
from tomrt.rl.off_policy import Estimate, always, cross_fit, difference, doubly_robust
from tomrt.rl.reward_model import Linear, fit_ridge

__all__ = ["Combination", "LevelEffect", "SlotSearch", "search"]

Floats = NDArray[np.float64]

MOST_COMBINATIONS = 20_000

Judgement = tuple[Estimate | None, Estimate | None]
"""What a combination earns, and what it earns more than the base."""


@frozen(kw_only=True)
class Combination:
    """One combination of slots, and what is known of it.

    Args:
        slots: Slot and level.
        variant: Its name, ``""`` where there is no such variant.
        plays: Calls that had it.
        value: Best guess of its reward: that of its own calls and that of the model, in proportion to their precision.
        standard_error: Of the guess.
        better_than_base: Probability that it earns more than the base, by its own calls and the model together.
        estimate: From its own calls, if there were enough; the interval holds for all played combinations at once.
        against_base: What it earns more than the base, the same way.
    """

    slots: tuple[tuple[str, str], ...]
    variant: str
    plays: int
    value: float
    standard_error: float
    better_than_base: float
    estimate: Estimate | None = None
    against_base: Estimate | None = None

    @property
    def evidence(self) -> str:
        """``"played"``, or ``"model only"``: then nothing is proven, and it belongs in shadow."""
        return "model only" if self.estimate is None else "played"


@frozen(kw_only=True)
class LevelEffect:
    """What a level of a slot adds to the reward of an average variant.

    Args:
        slot: The slot.
        level: One of its levels.
        effect: Added reward.
        low: Lower end of the interval.
        high: Upper end.
    """

    slot: str
    level: str
    effect: float
    low: float
    high: float


@frozen(kw_only=True, eq=False)
class SlotSearch:
    """What the search found.

    Args:
        combinations: All, the best guess first.
        effects: Of each level of each slot.
        model: The regression on slots and context.
        deviation: Standard deviation of what a combination is more or less than the sum of its slots; ``nan`` where
            there are too few variants to tell.
        level: Of the intervals.
    """

    combinations: tuple[Combination, ...]
    effects: tuple[LevelEffect, ...]
    model: Linear
    deviation: float
    level: float

    @property
    def best_played(self) -> Combination | None:
        """The best guess among those with calls of their own."""
        return next((each for each in self.combinations if each.estimate is not None), None)

    @property
    def unplayed(self) -> tuple[Combination, ...]:
        """Those that are no variant yet, the best guess first."""
        return tuple(each for each in self.combinations if not each.variant)

    @property
    def never_played(self) -> tuple[str, ...]:
        """Levels that no call had."""
        seen = {pair for each in self.combinations if each.plays for pair in each.slots}
        return tuple(f"{each.slot} = {each.level}" for each in self.effects if (each.slot, each.level) not in seen)

    def of(self, variant: str) -> Combination | None:
        """Return what is known of a variant."""
        return next((each for each in self.combinations if each.variant == variant), None)


def search(
    log: Log,
    variants: Mapping[str, Mapping[str, str]],
    features: SlotFeatures,
    contexts: Floats,
    *,
    base: str,
    least_plays: int = 10,
    level: float = 0.95,
) -> SlotSearch:
    """Judge every combination of slots.

    Args:
        log: What was played; each arm is among *variants*.
        variants: Arm to its slots and levels.
        features: Of the slots.
        contexts: (n, q) What was known of the calls, with mean 0.
        base: The variant to compare with.
        least_plays: With fewer calls of its own a combination has nothing but the model.
        level: Of the intervals, for all played combinations together.

    Raises:
        LearningError: an arm or the base has no slots, a slot or level is not known, or there are too many
            combinations.
    """
    if unknown := [arm for arm in (*log.arms, base) if arm not in variants]:
        raise LearningError(*(f"variant {arm!r} has no slots, so nothing can be learned from it" for arm in unknown))
    grid = _grid(features)
    arm_rows = features.rows([variants[arm] for arm in log.arms])
    model = fit_ridge(np.hstack([arm_rows[log.chosen], contexts]), log.rewards)
    played = [arm for arm in log.arms if log.plays(arm) >= least_plays]
    judged = _judge(log, arm_rows, contexts, played, base=base, level=1.0 - (1.0 - level) / max(len(played), 1))
    deviation = _deviation(judged, model, {arm: features.row(variants[arm]) for arm in judged}, contexts.shape[1])
    # Until it can be told, take it to be as large as the effect of a level is expected to be.
    assumed = model.noise_sd / math.sqrt(max(model.strength, 1.0)) if math.isnan(deviation) else deviation
    scorer = _Scorer(model=model, width=contexts.shape[1], deviation=assumed, base=features.row(variants[base]))
    named = {tuple(features.row(variants[arm])): arm for arm in reversed((base, *sorted(variants)))}
    found = []
    for slots in grid:
        row = features.row(dict(slots))
        arm = named.get(tuple(row), "")
        plays = log.plays(arm) if arm in log.arms else 0
        found.append(scorer.combination(slots, row, arm, plays, judged.get(arm, (None, None))))
    return SlotSearch(
        combinations=tuple(sorted(found, key=lambda each: -each.value)),
        effects=_effects(features, model, level),
        model=model,
        deviation=deviation,
        level=level,
    )


def _grid(features: SlotFeatures) -> list[tuple[tuple[str, str], ...]]:
    count = math.prod(len(levels) for _, levels in features.levels)
    if count > MOST_COMBINATIONS:
        raise LearningError(f"{count} combinations of slots are too many to search; at most {MOST_COMBINATIONS}")
    names = [slot for slot, _ in features.levels]
    return [
        tuple(zip(names, each, strict=True)) for each in itertools.product(*(levels for _, levels in features.levels))
    ]


def _judge(
    log: Log, arm_rows: Floats, contexts: Floats, played: list[str], *, base: str, level: float
) -> dict[str, Judgement]:
    """Return for each played arm its value and what it is ahead of the base, over calls that can tell."""
    predicted = cross_fit(log, arm_rows, contexts, fit_ridge)
    judged: dict[str, Judgement] = {}
    for arm in played:
        rows = log.could_choose(arm)
        part = log.where(rows)
        estimate = doubly_robust(part, always(part, arm), predicted[rows], level=level, steady=True)
        against = None
        if arm != base and base in played:
            both = rows & log.could_choose(base)
            part = log.where(both)
            if part.plays(arm) >= 2 and part.plays(base) >= 2:
                first, second = always(part, arm), always(part, base)
                against = difference(part, first, second, predicted[both], level=level, steady=True)
        judged[arm] = (estimate, against)
    return judged


def _deviation(judged: Mapping[str, Judgement], model: Linear, rows: Mapping[str, Floats], width: int) -> float:
    """Return by how much combinations deviate from the sum of their slots (moments, DerSimonian and Laird 1986)."""
    freedom = len(judged) - 1 - len(model.coefficients) + width
    if freedom < 1:
        return math.nan
    excess, precision = -float(freedom), 0.0
    for arm, (estimate, _) in judged.items():
        if estimate is not None and estimate.standard_error > 0:
            apart = estimate.value - float(model.predict(_padded(rows[arm], width))[0])
            excess += (apart / estimate.standard_error) ** 2
            precision += estimate.standard_error**-2
    return math.sqrt(max(excess, 0.0) / precision) if precision else math.nan


def _padded(row: Floats, width: int) -> Floats:
    """Return *row* (1, p + width) for a call with the average context."""
    return np.concatenate([row, np.zeros(width)])[None, :]


@frozen(kw_only=True, eq=False)
class _Scorer:
    model: Linear
    width: int
    deviation: float
    base: Floats

    def combination(
        self, slots: tuple[tuple[str, str], ...], row: Floats, arm: str, plays: int, judgement: Judgement
    ) -> Combination:
        """Bring together what the model and the calls say."""
        estimate, against = judgement
        padded = _padded(row, self.width)
        spread = self.deviation**2
        value = float(self.model.predict(padded)[0])
        variance = float(self.model.standard_errors(padded)[0]) ** 2 + spread
        if estimate is not None and estimate.standard_error > 0:
            share = variance / (variance + estimate.standard_error**2)
            value, variance = value + share * (estimate.value - value), share * estimate.standard_error**2
        return Combination(
            slots=slots,
            variant=arm,
            plays=plays,
            value=value,
            standard_error=math.sqrt(variance),
            better_than_base=self._better(row, 2.0 * spread, against),
            estimate=estimate,
            against_base=against,
        )

    def _better(self, row: Floats, spread: float, against: Estimate | None) -> float:
        apart = np.concatenate([row - self.base, np.zeros(self.width)])
        if not apart.any():
            return 0.5
        gain, variance = float(apart @ self.model.coefficients), float(apart @ self.model.covariance @ apart) + spread
        if against is not None and against.standard_error > 0:
            share = variance / (variance + against.standard_error**2)
            gain, variance = gain + share * (against.value - gain), share * against.standard_error**2
        return NormalDist().cdf(gain / math.sqrt(variance)) if variance > 0 else 0.5


def _effects(features: SlotFeatures, model: Linear, level: float) -> tuple[LevelEffect, ...]:
    half = NormalDist().inv_cdf(0.5 + level / 2)
    found, start = [], 0
    for slot, levels in features.levels:
        part = slice(start, start := start + len(levels) - 1)
        for each in levels if len(levels) > 1 else ():
            code = effects(each, levels)
            effect = float(code @ model.coefficients[part])
            error = half * math.sqrt(max(float(code @ model.covariance[part, part] @ code), 0.0))
            found.append(LevelEffect(slot=slot, level=each, effect=effect, low=effect - error, high=effect + error))
    return tuple(found)
