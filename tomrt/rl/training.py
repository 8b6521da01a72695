"""Offline training: from stored calls to what can be said about every combination of slots, and how surely.

Reads calls that have been, changes nothing. It refuses where the calls cannot carry an answer: too few of them, or
probabilities that are missing or cannot be those with which the variants were drawn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import attrs
import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from tomrt.rl.choice_log import Log
from tomrt.rl.decision import Decision
from tomrt.rl.errors import LearningError
from tomrt.rl.features import ContextFeatures, SlotFeatures
from tomrt.rl.feedback import SIGNALS, Signals
from tomrt.rl.off_policy import Weighing, always, weigh
from tomrt.rl.preferences import fit_preferences, pair_up
from tomrt.rl.reward import Weights, reward
from tomrt.rl.reward_model import TreeCheck, against_trees, fit_logistic
from tomrt.rl.slot_search import SlotSearch, search
from tomrt.rl.training_report import Preference, Resolution, Training

__all__ = ["PastCall", "TrainingRules", "train"]

Floats = NDArray[np.float64]
Tell = Callable[[str], None]

IMPOSSIBLE = 1e-6
RATED_APART = 0.2
DOMINATED = 0.1
MOST_PAIRS = 50_000
DEFAULT_WEIGHTS = Weights()


class PastCall(Protocol):
    """What is read of a stored call; the store's ``Episode`` is one."""

    @property
    def decision(self) -> Decision:
        """What was chosen."""
        ...

    @property
    def profile(self) -> str:
        """What kind of assistant it was."""
        ...

    @property
    def agent(self) -> str:
        """Which assistant it was."""
        ...

    @property
    def signals(self) -> Signals | None:
        """What was observed; ``None`` when nothing was."""
        ...

    @property
    def caller(self) -> str:
        """A pseudonym, so that calls of one caller are not taken for independent; ``""`` is unknown."""
        ...


@frozen(kw_only=True)
class TrainingRules:
    """How training is done.

    Args:
        least_calls: With fewer usable calls nothing is said at all.
        least_plays: With fewer calls of its own a variant is judged by the model alone.
        level: Of the intervals, for all variants together.
        tie: Rewards no further apart count as equal where calls are compared in pairs.
        trees: Whether to ask, with scikit-learn, if the linear model is enough.
    """

    least_calls: int = attrs.field(default=200, validator=attrs.validators.ge(20))
    least_plays: int = attrs.field(default=10, validator=attrs.validators.ge(2))
    level: float = attrs.field(default=0.95, validator=[attrs.validators.ge(0.5), attrs.validators.le(0.999)])
    tie: float = attrs.field(default=0.05, validator=attrs.validators.ge(0.0))
    trees: bool = False


DEFAULT_RULES = TrainingRules()


def train(
    calls: Iterable[PastCall],
    variants: Mapping[str, Mapping[str, str]],
    levels: Mapping[str, Sequence[str]],
    *,
    base: str,
    rng: np.random.Generator,
    weights: Weights = DEFAULT_WEIGHTS,
    rules: TrainingRules = DEFAULT_RULES,
    tell: Tell = lambda _: None,
) -> Training:
    """Learn from past calls what each combination of slots is worth.

    Args:
        calls: With their decisions and signals, in any order.
        variants: Name to slots and levels.
        levels: Slot to all its levels.
        base: The variant that others are compared with.
        rng: Draws which calls are compared in pairs.
        weights: Make a reward of signals.
        rules: How it is done.
        tell: Is told what is being done, a few words at a time.

    Raises:
        LearningError: the calls cannot carry an answer; the sentences say why.
    """
    tell("reading calls")
    usable, skipped = _usable(calls, variants)
    if len(usable) < rules.least_calls:
        raise LearningError(_too_few(len(usable), rules.least_calls, skipped))
    rewards = np.array([reward(each.signals or Signals(), weights).value for each in usable])
    log = Log.of([each.decision for each in usable], rewards, [each.caller for each in usable])
    weighed = _weighed(log, rules.least_plays)
    features = SlotFeatures.of(levels)
    known = [{**dict(each.decision.context), "profile": each.profile, "agent": each.agent} for each in usable]
    context_features = ContextFeatures.fit(known)
    contexts = context_features.rows(known)
    tell(f"judging combinations by {len(usable)} calls")
    found = search(log, variants, features, contexts, base=base, least_plays=rules.least_plays, level=rules.level)
    arm_rows = features.rows([variants[arm] for arm in log.arms])
    tell("comparing calls in pairs")
    preferences = _preferences(log, arm_rows, [each.profile for each in usable], features, rng=rng, tie=rules.tie)
    tell("modelling resolution")
    rows = np.hstack([arm_rows[log.chosen], contexts])
    trees = _trees(rows, rewards, rules, tell)
    return Training(
        calls=len(usable),
        skipped=tuple(sorted(skipped.items())),
        since=min(each.decision.at for each in usable),
        until=max(each.decision.at for each in usable),
        base=base,
        weights_version=weights.version,
        reward_mean=float(rewards.mean()),
        reward_sd=float(rewards.std()),
        missing=_missing(usable),
        weighed=weighed,
        context=context_features.names,
        search=found,
        preferences=preferences,
        resolution=_resolution(usable, rows, found, features, contexts.shape[1]),
        trees=trees,
        warnings=tuple(_warnings(usable, weighed, found, trees)),
    )


def _usable(
    calls: Iterable[PastCall], variants: Mapping[str, Mapping[str, str]]
) -> tuple[list[PastCall], Counter[str]]:
    """Return the calls that can be learned from, and why the others cannot."""
    usable: list[PastCall] = []
    skipped: Counter[str] = Counter()
    for each in calls:
        if why := _why_not(each, variants):
            skipped[why] += 1
        else:
            usable.append(each)
    return usable, skipped


def _why_not(call: PastCall, variants: Mapping[str, Mapping[str, str]]) -> str:
    if call.signals is None or call.signals == Signals():
        return "without feedback"
    if not call.decision.independent:
        return "kept the variant of the caller's last call"
    if not all(arm in variants for arm in (call.decision.arm, *call.decision.eligible)):
        return "with a variant that is no longer known"
    return ""


def _too_few(usable: int, least: int, skipped: Mapping[str, int]) -> str:
    left_out = "; ".join(f"{count} {why}" for why, count in sorted(skipped.items()))
    more = f" (left out: {left_out})" if left_out else ""
    return f"{usable} usable calls are too few to learn from; at least {least} are needed{more}"


def _weighed(log: Log, least_plays: int) -> tuple[tuple[str, Weighing], ...]:
    """Weigh the log for each variant, and refuse it where its probabilities cannot be true."""
    weighed, faults = [], []
    for arm in log.arms:
        part = log.where(log.could_choose(arm))
        if len(part) < 2:
            continue
        weighing = weigh(part, always(part, arm))
        if log.plays(arm) >= least_plays:
            weighed.append((arm, weighing))
        if weighing.chance < IMPOSSIBLE:
            faults.append(
                f"variant {arm!r}: its recorded probabilities cannot be those with which it was drawn: "
                f"{weighing.taken:.0f} of {weighing.n} calls had it, by the probabilities it should be "
                f"{weighing.expected:.0f} (mean weight {weighing.mean:.2f} instead of 1); nothing can be estimated"
            )
    if faults:
        raise LearningError(*faults)
    return tuple(weighed)


def _preferences(
    log: Log,
    arm_rows: Floats,
    profiles: Sequence[str],
    features: SlotFeatures,
    *,
    rng: np.random.Generator,
    tie: float,
) -> tuple[Preference, ...]:
    """Return for each level of each slot how often calls with it were the better one of two."""
    rounds = max(1, min(8, MOST_PAIRS * 2 // len(log)))
    try:
        pairs = pair_up(log.chosen, log.rewards, profiles, rng, rounds=rounds, tie=tie)
    except LearningError:
        return ()  # all calls had the same variant; the search says so in numbers
    fitted = fit_preferences(pairs, arm_rows)
    found = []
    nobody = np.zeros(arm_rows.shape[1])
    for slot, levels in features.levels:
        for level in levels if len(levels) > 1 else ():
            odds, error = fitted.against(features.only(slot, level), nobody)
            found.append(Preference(slot=slot, level=level, log_odds=odds, standard_error=error))
    return tuple(found)


def _resolution(
    calls: Sequence[PastCall], rows: Floats, found: SlotSearch, features: SlotFeatures, width: int
) -> Resolution | None:
    """Return how likely matters are to be settled, by combination, where enough calls say whether they were."""
    told = [(row, each.signals.resolution) for row, each in enumerate(calls) if each.signals]
    known = [(row, settled) for row, settled in told if settled is not None]
    if len(known) < 50:
        return None
    model = fit_logistic(rows[[row for row, _ in known]], np.array([settled for _, settled in known], dtype=np.float64))
    grid = features.rows([dict(each.slots) for each in found.combinations])
    settled = model.predict(np.hstack([grid, np.zeros((len(grid), width))]))
    return Resolution(calls=len(known), by_combination=tuple(float(each) for each in settled))


def _trees(rows: Floats, rewards: Floats, rules: TrainingRules, tell: Tell) -> TreeCheck | None:
    if not rules.trees:
        return None
    tell("asking trees for a second opinion")
    return against_trees(rows, rewards)


def _missing(calls: Sequence[PastCall]) -> tuple[tuple[str, float], ...]:
    """Return the share of calls that each signal is missing from."""
    given = Counter(name for each in calls if each.signals for name in each.signals.given)
    return tuple((name, 1.0 - given[name] / len(calls)) for name in SIGNALS)


def _warnings(
    calls: Sequence[PastCall],
    weighed: Sequence[tuple[str, Weighing]],
    found: SlotSearch,
    trees: TreeCheck | None,
) -> list[str]:
    said = []
    plays = Counter(each.decision.arm for each in calls)
    rated = Counter(each.decision.arm for each in calls if each.signals and each.signals.user_rating is not None)
    shares = {arm: rated[arm] / count for arm, count in plays.items() if count >= 30}
    if shares and max(shares.values()) - min(shares.values()) > RATED_APART:
        least, most = min(shares, key=shares.__getitem__), max(shares, key=shares.__getitem__)
        said.append(
            f"ratings are given in {shares[most]:.0%} of the calls of {most!r}, but in {shares[least]:.0%} of those of "
            f"{least!r}: a part of what looks like a better call may be that callers answer the last question"
        )
    heavy = [arm for arm, each in weighed if each.largest > DOMINATED * each.n]
    if heavy:
        said.append(f"one call outweighs a tenth of all others for {', '.join(heavy)}: their estimates are fragile")
    if np.isnan(found.deviation):
        said.append(
            "there are too few variants with calls to tell whether slots add up; unplayed combinations are guesses"
        )
    if found.never_played:
        said.append(f"no call tells anything of {', '.join(found.never_played)}")
    if trees is not None and not trees.line_is_enough:
        said.append(
            f"boosted trees explain {trees.trees_r2:.1%} of unseen rewards, the linear model {trees.linear_r2:.1%}: "
            "slots or context do not simply add up, so guesses about unplayed combinations are worth less"
        )
    return said
