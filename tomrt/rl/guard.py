"""Decides which variants may have calls, and takes out what harms: the deploy guard.

It draws nothing and reads no clock: the same reports in the same order make the same guard.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from attrs import define

from tomrt.rl.decision import Decision
from tomrt.rl.errors import InvalidState, LearningError, NotEligible
from tomrt.rl.guard_status import GuardStatus, VariantStatus
from tomrt.rl.outcome import Outcome
from tomrt.rl.rules import MOST_FOR_UNKNOWN, DeploymentRules
from tomrt.rl.stage import Change, Finding, Stage, next_stage
from tomrt.rl.state_fields import mapping, number, text, whole
from tomrt.rl.statistical_guard import StatisticalGuard
from tomrt.rl.technical_guard import TechnicalGuard
from tomrt.rl.traffic_split import Group, traffic_split

__all__ = ["Change", "Group", "Guard", "Outcome", "Stage"]

_SCHEMA = 1
_OWN_NAMES = ("statistics", "technical", "probation")
_IN_USE = (Stage.CANARY, Stage.ACTIVE)
_ROUNDING = 1e-9


@define
class _Record:
    """The rewards of a variant."""

    episodes: int = 0
    total: float = 0.0

    @property
    def mean(self) -> float | None:
        return self.total / self.episodes if self.episodes else None


class Guard:
    """Stages of all variants, and what moves them.

    Args:
        rules: Shares, limits, and which variant is the base.
        stages: Of all variants, in an order that stays. The base must be among them; it is active whatever is said of
            it here.

    Attributes:
        version: Grows whenever :meth:`split` changes.

    Raises:
        LearningError: The base is missing, or the two small groups leave less than a tenth of the calls for the others.
    """

    def __init__(self, rules: DeploymentRules, stages: Mapping[str, Stage]) -> None:
        if rules.base not in stages:
            raise LearningError(f"deployment: the base variant {rules.base!r} is not among the variants")
        if rules.new_share + rules.uncertain_share > MOST_FOR_UNKNOWN:
            raise LearningError(
                f"deployment: new_share {rules.new_share:g} and uncertain_share {rules.uncertain_share:g} leave less "
                f"than {1.0 - MOST_FOR_UNKNOWN:.0%} of the calls for known variants"
            )
        self.version = 0
        self._rules = rules
        self._stages = {**stages, rules.base: Stage.ACTIVE}
        self._records = {variant: _Record() for variant in self._stages}
        tested = [variant for variant, stage in self._stages.items() if stage in _IN_USE and variant != rules.base]
        self._statistics = StatisticalGuard(rules, tested)
        self._technical = TechnicalGuard(rules)
        self._split = self._new_split()

    def split(self) -> tuple[Group, ...]:
        """Return the groups that have calls, ``"active"`` first, with the base in it; see :func:`traffic_split`."""
        return self._split

    def stage(self, variant: str) -> Stage:
        """Return the stage of a variant. Raises NotEligible where there is none of that name."""
        if variant not in self._stages:
            raise NotEligible(f"there is no variant {variant!r}")
        return self._stages[variant]

    def report(self, decision: Decision, outcome: Outcome, *, at: float) -> tuple[Change, ...]:
        """Take in how a call ended, once for each decision.

        Returns:
            What changed, in order; mostly nothing.

        Raises:
            LearningError: Reward, time or a probability are out of range, the variant is unknown, or the decision's arm
                is not among those that it says were eligible. Nothing is counted then.
        """
        self._check(decision, outcome, at)
        record = self._records[decision.arm]
        record.episodes += 1
        record.total += outcome.reward
        if self._stages[decision.arm] in _IN_USE:
            self._technical.call(decision.arm, outcome, at)
        if decision.independent:
            self._statistics.learn(decision, (outcome.reward + 1.0) / 2.0, self._stages, self._split[0].arms)
        changes = (*self._breakdowns(at), *self._verdicts(at))
        if changes or record.episodes == self._rules.certain_episodes:
            self._renew()
        return changes

    def trouble(self, variant: str, kind: str, *, at: float) -> tuple[Change, ...]:
        """Take in trouble of a call that is still under way, each kind once for a call.

        Args:
            variant: Whose call it is.
            kind: ``"error"``, ``"slow"`` or ``"severe"``.
            at: When, in seconds since 1970 (UTC).

        Returns:
            What changed.

        Raises:
            LearningError: There is no such variant, kind or time.
        """
        stage = self.stage(variant)
        _check_time(at)
        if stage in _IN_USE:
            self._technical.trouble(variant, kind, at)
        changes = self._breakdowns(at)
        if changes:
            self._renew()
        return changes

    def set_stage(self, variant: str, stage: Stage, *, at: float, by: str, why: str) -> tuple[Change, ...]:
        """Set a stage by hand.

        A variant that comes back from the blacklist begins anew: its rewards, its test and its window are forgotten.
        Between the other stages its test goes on.

        Args:
            variant: Which; not the base, unless it is to stay active.
            stage: The new stage.
            at: When, in seconds since 1970 (UTC).
            by: Who says so; not the name of one of the guard's own tests.
            why: The reason, for the audit log.

        Returns:
            The change; nothing where it has that stage already.

        Raises:
            LearningError: One of these rules is broken.
        """
        before = self.stage(variant)
        _check_time(at)
        if variant == self._rules.base and stage is not Stage.ACTIVE:
            raise LearningError(f"the base variant {variant!r} is always active; it cannot be set to {stage.value!r}")
        if not by or by in _OWN_NAMES:
            raise LearningError(f"a stage is set by a person; {by!r} does not say by whom")
        if stage is before:
            return ()
        if before is Stage.BLACKLISTED:
            self._records[variant] = _Record()
            self._technical.forget(variant)
        if stage in _IN_USE and (before is Stage.BLACKLISTED or self._statistics.test(variant) is None):
            self._statistics.begin(variant)
        self._put(variant, stage)
        self._renew()
        return (Change(at, variant, before, stage, why, by),)

    def add(self, variant: str, stage: Stage, *, at: float) -> None:
        """Add a variant. One of a name that is known keeps its stage, so nothing comes back from the blacklist unseen.

        Raises:
            LearningError: The time is out of range.
        """
        _check_time(at)
        if variant in self._stages:
            return
        self._stages[variant] = stage
        self._records[variant] = _Record()
        if stage in _IN_USE:
            self._statistics.begin(variant)
        self._renew()

    def status(self, *, at: float) -> GuardStatus:
        """Return what is known at a time, changing nothing. Raises LearningError where it is no time."""
        _check_time(at)
        groups = {arm: group for group in self._split for arm in group.arms}
        in_use = [variant for variant, stage in self._stages.items() if stage in _IN_USE]
        reasons = self._technical.shared(in_use, self._rules.base, at)
        return GuardStatus(
            at=at,
            version=self.version,
            groups=self._split,
            variants=tuple(self._variant_status(variant, groups.get(variant), at) for variant in self._stages),
            healthy=not reasons,
            reasons=reasons,
        )

    def _variant_status(self, variant: str, group: Group | None, at: float) -> VariantStatus:
        record, test = self._records[variant], self._statistics.test(variant)
        counts = self._technical.counts(variant, at)
        return VariantStatus(
            variant=variant,
            stage=self._stages[variant],
            group=group.name if group else "",
            share=group.share if group else 0.0,
            episodes=record.episodes,
            tested=test.taken if test else 0,
            mean_reward=record.mean,
            harm=test.harm.value if test else None,
            harm_threshold=self._statistics.harm_threshold,
            better=test.better.value if test else None,
            better_threshold=self._statistics.better_threshold(variant) if test else None,
            found_better=test is not None and test.found_better,
            calls=counts["call"],
            errors=counts["error"],
            hangups=counts["hangup"],
            slow=counts["slow"],
            severe=counts["severe"],
        )

    def _check(self, decision: Decision, outcome: Outcome, at: float) -> None:
        self.stage(decision.arm)
        _check_time(at)
        if not -1.0 <= outcome.reward <= 1.0:
            raise LearningError(f"decision {decision.id}: reward {outcome.reward} is not from -1 to 1")
        if decision.arm not in decision.eligible or len(decision.eligible) != len(decision.probabilities):
            raise LearningError(f"decision {decision.id}: arm {decision.arm!r} has no probability among the eligible")
        if not all(0.0 <= chance < 1.0 + _ROUNDING for chance in decision.probabilities):
            raise LearningError(f"decision {decision.id}: a probability is not from 0 to 1")

    def _challengers(self) -> list[str]:
        """Return the variants in use that can be taken out."""
        base = self._rules.base
        return [variant for variant, stage in self._stages.items() if stage in _IN_USE and variant != base]

    def _breakdowns(self, at: float) -> tuple[Change, ...]:
        """Take out what breaks calls."""
        changes = []
        for variant in self._challengers():
            if not self._technical.suspects(variant):
                continue
            finding = self._technical.blame(variant, [self._rules.base, *self._challengers()])
            if finding is not None:
                changes.append(self._follow(variant, finding, at))
        return tuple(changes)

    def _verdicts(self, at: float) -> tuple[Change, ...]:
        """Take out what is worse, and end the probation of canaries that are not."""
        changes = []
        for variant in self._challengers():
            finding = self._statistics.finding(variant, self._stages[variant])
            if finding is not None:
                changes.append(self._follow(variant, finding, at))
        return tuple(changes)

    def _follow(self, variant: str, finding: Finding, at: float) -> Change:
        """Go to the stage that follows from a finding."""
        before, record = self._stages[variant], self._records[variant]
        self._put(variant, next_stage(before, finding.event))
        known = (("episodes", float(record.episodes)), ("mean_reward", record.mean or 0.0))
        return Change(at, variant, before, self._stages[variant], finding.why, finding.by, (*known, *finding.evidence))

    def _put(self, variant: str, stage: Stage) -> None:
        self._stages[variant] = stage
        if stage not in _IN_USE:
            self._technical.forget(variant)

    def _new_split(self) -> tuple[Group, ...]:
        episodes = {variant: record.episodes for variant, record in self._records.items()}
        return traffic_split(self._rules, self._stages, episodes)

    def _renew(self) -> None:
        split = self._new_split()
        if split != self._split:
            self._split = split
            self.version += 1

    def to_dict(self) -> dict[str, object]:
        """Return the whole state as JSON values."""
        return {
            "kind": "guard",
            "schema": _SCHEMA,
            "version": self.version,
            "variants": {
                variant: {
                    "stage": stage.value,
                    "episodes": self._records[variant].episodes,
                    "total": self._records[variant].total,
                }
                for variant, stage in self._stages.items()
            },
            "statistics": self._statistics.to_dict(),
            "technical": self._technical.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, object], rules: DeploymentRules) -> Guard:
        """Return the guard that :meth:`to_dict` wrote, under rules that may have changed since, the base too.

        Raises:
            InvalidState: The state is damaged or of a newer version, or the base was blacklisted in it.
            LearningError: The rules cannot be used.
        """
        where = "state of the guard"
        if text(data, "kind", where) != "guard" or whole(data, "schema", where) != _SCHEMA:
            raise InvalidState(f"{where}: it is not of kind 'guard' and schema {_SCHEMA}")
        variants = mapping(data, "variants", where)
        rows = {variant: mapping(variants, variant, where) for variant in variants}
        stages = {variant: _saved_stage(row, f"{where}: {variant}") for variant, row in rows.items()}
        if stages.get(rules.base, Stage.BLACKLISTED) is Stage.BLACKLISTED:
            raise InvalidState(f"{where}: the base variant {rules.base!r} is not there, or blacklisted")
        guard = cls(rules, stages)
        guard._records = {variant: _saved_record(row, f"{where}: {variant}") for variant, row in rows.items()}
        guard._restore_tests(mapping(data, "statistics", where))
        guard._technical = TechnicalGuard.from_dict(mapping(data, "technical", where), rules)
        guard._split = guard._new_split()
        guard.version = whole(data, "version", where)
        return guard

    def _restore_tests(self, data: Mapping[str, object]) -> None:
        self._statistics = StatisticalGuard.from_dict(data, self._rules)
        unknown = [variant for variant in mapping(data, "tests", "state of the guard") if variant not in self._stages]
        if unknown:
            raise InvalidState(f"state of the guard: tests of variants that are not there: {', '.join(unknown)}")
        for variant in self._challengers():
            if self._statistics.test(variant) is None:
                self._statistics.begin(variant)


def _check_time(at: float) -> None:
    if not math.isfinite(at):
        raise LearningError(f"the time {at} is not a finite number of seconds")


def _saved_stage(row: Mapping[str, object], where: str) -> Stage:
    """Return a saved stage. Raises InvalidState."""
    name = text(row, "stage", where)
    if name not in {stage.value for stage in Stage}:
        raise InvalidState(f"{where}: there is no stage {name!r}")
    return Stage(name)


def _saved_record(row: Mapping[str, object], where: str) -> _Record:
    """Return saved rewards. Raises InvalidState."""
    episodes = whole(row, "episodes", where)
    return _Record(episodes, number(row, "total", where, low=-episodes, high=episodes))
