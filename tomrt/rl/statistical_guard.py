"""Finds out, call after call, which variants are worse than their control, and which are better.

Each variant under test has two e-processes (:mod:`tomrt.rl.e_process`), one for harm and one for better. The control of
a canary is all that the group ``"active"`` does, that of an active variant is the base. Only calls that the variant or
its control had say anything, and the probability is taken given that it was one of them; it comes from the decision
itself, so it is right also while the bandit changes its mind.

What is assumed: calls are drawn each for itself, and every call is reported, soon after it ended. Calls under way at
the moment of a look may differ in length between variants; that shifts the evidence by those few calls, no further.

One control's outcomes may hold those of several variants. A canary that is as good as the base, while the bandit has
found something better, *is* worse than its control; whether it is kept then is a question of what callers miss.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from attrs import Factory, define, frozen

from tomrt.rl.decision import Decision
from tomrt.rl.e_process import EProcess, Reference
from tomrt.rl.errors import InvalidState
from tomrt.rl.rules import DeploymentRules
from tomrt.rl.stage import Event, Finding, Stage
from tomrt.rl.state_fields import mapping, number, text, truth, whole

__all__ = ["SplitTest", "StatisticalGuard"]


@define
class SplitTest:
    """What is known of one variant beside its control.

    Args:
        level: Part of ``better_alpha`` that this variant has.
        harm: Evidence that it is worse.
        better: Evidence that it is better.
        found_better: The evidence has once been enough; that stays found.
    """

    level: float
    harm: EProcess = Factory(lambda: EProcess(-1.0))
    better: EProcess = Factory(lambda: EProcess(1.0))
    found_better: bool = False

    @property
    def taken(self) -> int:
        """How many outcomes of the variant the test has seen."""
        return self.harm.taken


@frozen
class _Control:
    """What the variants of a stage are compared with in one call.

    Args:
        of: The stage.
        arms: The variants that are the control.
        chance: The probability that one of them was to have the call.
        reference: What their outcomes were so far.
    """

    of: Stage
    arms: Collection[str]
    chance: float
    reference: Reference


class StatisticalGuard:
    """The tests of all variants that are in use beside the base.

    Args:
        rules: The base, how sure the tests have to be, and how long a probation is.
        variants: Those under test from the start. They share ``better_alpha`` in equal parts, with one part left over
            for variants that come later; the j-th of these has 1/(j (j + 1)) of that part. So the sum is never larger,
            however many come.
    """

    def __init__(self, rules: DeploymentRules, variants: Collection[str] = ()) -> None:
        self._rules = rules
        self._part = 1.0 / (len(variants) + 1)
        self._later = 0
        self._tests = {variant: SplitTest(self._part) for variant in variants}
        self._pool = Reference()
        self._alone = Reference()

    def test(self, variant: str) -> SplitTest | None:
        """Return the test of a variant, ``None`` where none was begun."""
        return self._tests.get(variant)

    def begin(self, variant: str) -> None:
        """Begin a test of a variant, from nothing also where it had one before."""
        self._later += 1
        self._tests[variant] = SplitTest(self._part / (self._later * (self._later + 1)))

    def better_threshold(self, variant: str) -> float:
        """Return the e-value at which a variant under test is found better."""
        return 1.0 / (self._rules.better_alpha * self._tests[variant].level)

    @property
    def harm_threshold(self) -> float:
        """The e-value at which a variant is found harmful."""
        return 1.0 / self._rules.harm_alpha

    def finding(self, variant: str, stage: Stage) -> Finding | None:
        """Return what the test of a variant says now.

        A probation is over when it has lasted long enough and the evidence speaks against harm rather than for it.
        """
        test = self._tests.get(variant)
        if test is None:
            return None
        if test.harm.value >= self.harm_threshold:
            why = f"worse than its control: evidence {test.harm.value:.3g}, {self.harm_threshold:g} is enough"
            return Finding(Event.HARM, "statistics", why, self._evidence(test, stage))
        long_enough = test.taken >= self._rules.probation_episodes
        if stage is Stage.CANARY and long_enough and test.harm.value <= 1.0:
            why = f"no sign of harm in {test.taken} calls"
            return Finding(Event.PROBATION_OVER, "probation", why, self._evidence(test, stage))
        return None

    def _evidence(self, test: SplitTest, stage: Stage) -> tuple[tuple[str, float], ...]:
        control = self._alone if stage is Stage.ACTIVE else self._pool
        return (
            ("harm", test.harm.value),
            ("better", test.better.value),
            ("tested", float(test.taken)),
            ("control_episodes", float(control.outcomes)),
            ("control_mean_reward", 2.0 * control.mean - 1.0),
        )

    def learn(self, decision: Decision, y: float, stages: Mapping[str, Stage], pool: Collection[str]) -> None:
        """Take in the outcome of a call that was drawn for itself.

        Args:
            decision: Who had it, with the probabilities of all that might have had it.
            y: The outcome, from 0 to 1.
            stages: Of all variants, as they are before this call counts.
            pool: The variants of the group ``"active"``, the base among them.
        """
        chances = dict(zip(decision.eligible, decision.probabilities, strict=True))
        base = self._rules.base
        pooled = sum(chances.get(arm, 0.0) for arm in pool)
        for control in (
            _Control(Stage.CANARY, pool, pooled, self._pool),
            _Control(Stage.ACTIVE, (base,), chances.get(base, 0.0), self._alone),
        ):
            if control.chance > 0.0:
                self._test_all(decision.arm, y, chances, control, stages)
                if decision.arm in control.arms:
                    control.reference.see(y)

    def _test_all(
        self, arm: str, y: float, chances: Mapping[str, float], control: _Control, stages: Mapping[str, Stage]
    ) -> None:
        """Give the outcome of a call of *arm* to the tests of all variants that have this control."""
        by_control = arm in control.arms
        mean, deviation = control.reference.mean, control.reference.deviation
        for variant, test in self._tests.items():
            own = chances.get(variant, 0.0)
            if stages[variant] is not control.of or own <= 0.0 or not (by_control or arm == variant):
                continue
            p = own / (own + control.chance)
            if p < 1.0:
                for process in (test.harm, test.better):
                    process.see(y, took=arm == variant, p=p, mean=mean, deviation=deviation)
            test.found_better |= test.better.value >= self.better_threshold(variant)

    def to_dict(self) -> dict[str, object]:
        """Return the state as JSON values."""
        return {
            "part": self._part,
            "later": self._later,
            "pool": self._pool.to_dict(),
            "base": self._rules.base,
            "alone": self._alone.to_dict(),
            "tests": {
                variant: {
                    "level": test.level,
                    "harm": test.harm.to_dict(),
                    "better": test.better.to_dict(),
                    "found_better": test.found_better,
                }
                for variant, test in self._tests.items()
            },
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, object], rules: DeploymentRules) -> StatisticalGuard:
        """Return what :meth:`to_dict` wrote; another base than then is learned anew. Raises InvalidState."""
        where = "state of the statistical guard"
        guard = cls(rules)
        guard._part = number(data, "part", where, low=1e-6, high=1.0)
        guard._later = whole(data, "later", where)
        guard._pool = Reference.from_dict(mapping(data, "pool", where), f"{where}: pool")
        alone = Reference.from_dict(mapping(data, "alone", where), f"{where}: base")
        guard._alone = alone if text(data, "base", where) == rules.base else Reference()
        tests = mapping(data, "tests", where)
        found = {variant: _test(mapping(tests, variant, where), f"{where}: {variant}") for variant in tests}
        guard._tests = {variant: test for variant, test in found.items() if variant != rules.base}
        return guard


def _test(data: Mapping[str, object], where: str) -> SplitTest:
    """Return one saved test. Raises InvalidState."""
    harm = EProcess.from_dict(-1.0, mapping(data, "harm", where), f"{where}: harm")
    better = EProcess.from_dict(1.0, mapping(data, "better", where), f"{where}: better")
    if harm.taken != better.taken:
        raise InvalidState(f"{where}: harm has seen {harm.taken} outcomes of the variant, better {better.taken}")
    level = number(data, "level", where, low=1e-12, high=1.0)
    return SplitTest(level, harm, better, truth(data, "found_better", where))
