"""Finds out within seconds which variants break calls: errors, early hang-ups, slow replies, calls that failed.

Each variant has a sliding window. One is blamed where its share of calls in trouble reaches the limit of the rules
*and* is clearly above that of all other variants together in the same window, by Fisher's exact test: the probability
that so many of the troubled calls would be this variant's if trouble chose calls at random. Trouble that everybody has
is nobody's fault. It is reported as shared, and no variant is taken out for it.

All others, not the base alone: once the bandit has settled, the base has only a call now and then.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Mapping

from attrs import define, field

from tomrt.rl.errors import InvalidState, LearningError
from tomrt.rl.outcome import Outcome
from tomrt.rl.rules import DeploymentRules
from tomrt.rl.stage import Event, Finding
from tomrt.rl.state_fields import mapping, number, sequence

__all__ = ["KINDS", "TechnicalGuard", "surprise"]

KINDS = ("error", "hangup", "slow", "severe")
_CALL = "call"
_BITS = {_CALL: 1, "error": 2, "hangup": 4, "slow": 8, "severe": 16}
_TOLD = ("error", "slow", "severe")
"""What can be told while a call is under way."""
_MOST_ENTRIES = 4096
"""In the window of one variant. With more calls than that its window is shorter than the rules say, not less sure."""
_LEAST_TROUBLED = 2
"""One call in trouble is no rate."""
_CHANCE = 0.1
"""What all looks at one outage may spend: at the j-th troubled call of the window 1/(j (j + 1)) of it. A difference
that is real passes that soon, as its chance falls with every call; one by accident has its best moment early."""

Counts = Mapping[str, int]


@define
class _Window:
    """What happened in the calls of one variant lately: pairs of time and bits, and their sums."""

    entries: deque[tuple[float, int]] = field(factory=deque)
    counts: dict[str, int] = field(factory=lambda: dict.fromkeys(_BITS, 0))
    troubled: int = 0

    def add(self, at: float, bits: int) -> None:
        if len(self.entries) >= _MOST_ENTRIES:
            self._forget()
        self.entries.append((at, bits))
        self._sum(bits, 1)

    def forget_until(self, at: float) -> None:
        while self.entries and self.entries[0][0] <= at:
            self._forget()

    def since(self, at: float) -> Counts:
        """Return the counts of what came after *at*, changing nothing."""
        later = [bits for when, bits in self.entries if when > at]
        return {name: sum(bool(bits & bit) for bits in later) for name, bit in _BITS.items()}

    def _forget(self) -> None:
        self._sum(self.entries.popleft()[1], -1)

    def _sum(self, bits: int, sign: int) -> None:
        if bits != _BITS[_CALL]:
            self.troubled += sign
        for name, bit in _BITS.items():
            if bits & bit:
                self.counts[name] += sign


class TechnicalGuard:
    """The windows of all variants.

    Args:
        rules: Limits, and the length of the window.
    """

    def __init__(self, rules: DeploymentRules) -> None:
        self._rules = rules
        self._windows: dict[str, _Window] = {}
        self._latest = -math.inf

    def call(self, variant: str, outcome: Outcome, at: float) -> None:
        """Count a call that has ended."""
        marks = {
            _CALL: True,
            "error": outcome.failed,
            "hangup": outcome.hung_up_early,
            "slow": outcome.slow,
            "severe": outcome.severe,
        }
        self._add(variant, at, sum(_BITS[name] for name, said in marks.items() if said))

    def trouble(self, variant: str, kind: str, at: float) -> None:
        """Count trouble in a call that is still under way: ``"error"``, ``"slow"`` or ``"severe"``.

        Raises:
            LearningError: It is none of these.
        """
        if kind not in _TOLD:
            raise LearningError(f"trouble of variant {variant!r}: {kind!r} is not one of {', '.join(_TOLD)}")
        self._add(variant, at, _BITS[kind])

    def forget(self, variant: str) -> None:
        """Drop the window of a variant, as it is taken out or comes back."""
        self._windows.pop(variant, None)

    def suspects(self, variant: str) -> bool:
        """Return whether a variant has had trouble at all within the window; quick, as it is asked after each call."""
        window = self._windows.get(variant)
        return window is not None and window.troubled > 0

    def blame(self, variant: str, among: Collection[str]) -> Finding | None:
        """Return why a variant is to be taken out, ``None`` where there is no reason.

        Args:
            variant: Which.
            among: All variants that have calls, this one too; the others are what it is compared with.
        """
        window = self._windows.get(variant)
        if window is None:
            return None
        reached = (kind for kind in KINDS if self._reaches(kind, window.counts))
        findings = (self._compared(kind, variant, window.counts, among) for kind in reached)
        return next((finding for finding in findings if finding is not None), None)

    def counts(self, variant: str, at: float) -> Counts:
        """Return the counts of a variant's window as it is at a time, by ``"call"`` and kind of trouble."""
        begin = max(at, self._latest) - self._rules.window_s
        return self._windows.get(variant, _Window()).since(begin)

    def shared(self, among: Collection[str], base: str, at: float) -> tuple[str, ...]:
        """Return, one sentence each, the trouble that no variant can be blamed for at a time."""
        windows = {variant: self.counts(variant, at) for variant in among}
        everybody = {name: sum(counts[name] for counts in windows.values()) for name in _BITS}
        said = [self._sentence("all variants together", kind, everybody) for kind in KINDS]
        if not any(said) and base in windows:
            said = [self._sentence(f"the base variant {base!r}", kind, windows[base]) for kind in KINDS]
        return tuple(sentence for sentence in said if sentence)

    def _sentence(self, who: str, kind: str, counts: Counts) -> str:
        if not self._reaches(kind, counts):
            return ""
        return (
            f"{_TITLES[kind]}: {counts[kind]} of {_calls(kind, counts)} calls of {who} within "
            f"{self._rules.window_s:g} s; no variant is taken out for that"
        )

    def _add(self, variant: str, at: float, bits: int) -> None:
        self._latest = max(self._latest, at)
        self._windows.setdefault(variant, _Window()).add(self._latest, bits)
        for window in self._windows.values():
            window.forget_until(self._latest - self._rules.window_s)

    def _reaches(self, kind: str, counts: Counts) -> bool:
        """Return whether counts reach the limit that the rules set for a kind of trouble."""
        rules, found = self._rules, counts[kind]
        if kind == "severe":
            return found >= rules.severe_calls
        limit = {"error": rules.error_rate, "hangup": rules.early_hangup_rate, "slow": rules.slow_rate}[kind]
        calls = _calls(kind, counts)
        return found >= _LEAST_TROUBLED and calls >= rules.least_calls and found >= limit * calls

    def _compared(self, kind: str, variant: str, counts: Counts, among: Collection[str]) -> Finding | None:
        others = [self._windows[arm].counts for arm in among if arm != variant and arm in self._windows]
        found, calls = counts[kind], _calls(kind, counts)
        theirs, their_calls = sum(one[kind] for one in others), sum(_calls(kind, one) for one in others)
        chance = surprise(found, calls, theirs, their_calls)
        troubled = found + theirs
        if chance > _CHANCE / (troubled * (troubled + 1)):
            return None
        why = f"{_TITLES[kind]}: {found} of {calls} calls, of all other variants {theirs} of {their_calls}"
        figures = {kind: found, "calls": calls, f"{kind}_others": theirs, "calls_others": their_calls, "chance": chance}
        evidence = tuple((name, float(figure)) for name, figure in figures.items())
        return Finding(Event.BREAKDOWN, "technical", why, evidence)

    def to_dict(self) -> dict[str, object]:
        """Return the state as JSON values."""
        windows = {
            variant: {"at": [at for at, _ in window.entries], "bits": [bits for _, bits in window.entries]}
            for variant, window in self._windows.items()
        }
        return {"latest": self._latest if self._windows else None, "windows": windows}

    @classmethod
    def from_dict(cls, data: Mapping[str, object], rules: DeploymentRules) -> TechnicalGuard:
        """Return what :meth:`to_dict` wrote. Raises InvalidState."""
        where = "state of the technical guard"
        guard = cls(rules)
        windows = mapping(data, "windows", where)
        for variant in windows:
            guard._windows[variant] = _saved_window(mapping(windows, variant, where), f"{where}: {variant}")
        if windows:
            guard._latest = number(data, "latest", where)
        return guard


_TITLES = {"error": "errors", "hangup": "early hang-ups", "slow": "slow replies", "severe": "failed calls"}


def _calls(kind: str, counts: Counts) -> int:
    """Return the calls that a count of trouble refers to; calls under way have told theirs before they are counted."""
    return max(counts[_CALL], counts[kind])


def surprise(found: int, calls: int, theirs: int, their_calls: int) -> float:
    """Return the probability of at least *found* by chance alone: Fisher's exact test, one-sided.

    Given how many calls were in trouble altogether, and that trouble struck calls at random, the number that falls to
    these *calls* is hypergeometric.

    Args:
        found: Calls in trouble here, at most *calls*.
        calls: Calls here.
        theirs: Calls in trouble elsewhere, at most *their_calls*.
        their_calls: Calls elsewhere. Without any there is nothing to compare with: 1.
    """
    if their_calls == 0 or found == 0:
        return 1.0
    troubled = found + theirs
    whole = _ways(calls + their_calls, troubled)
    most = min(calls, troubled)
    terms = (_ways(calls, k) + _ways(their_calls, troubled - k) - whole for k in range(found, most + 1))
    return min(1.0, math.fsum(math.exp(term) for term in terms))


def _ways(n: int, k: int) -> float:
    """Return the logarithm of the ways to choose *k* of *n*, both within range."""
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _saved_window(data: Mapping[str, object], where: str) -> _Window:
    """Return a saved window. Raises InvalidState."""
    times, bits = sequence(data, "at", where), sequence(data, "bits", where)
    if len(times) != len(bits) or len(times) > _MOST_ENTRIES:
        raise InvalidState(f"{where}: {len(times)} times and {len(bits)} marks do not go together")
    window = _Window()
    before = -math.inf
    for index in range(len(times)):
        row = {"time": times[index], "mark": bits[index]}
        before = number(row, "time", where, low=before)
        mark = number(row, "mark", where, low=1, high=sum(_BITS.values()))
        if mark != int(mark):
            raise InvalidState(f"{where}: mark {mark:g} is not a whole number")
        window.add(before, int(mark))
    return window
