"""From what came of the trials to the lines of the report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from attrs import frozen

from bench.barge_in_clocks import FRAME, percentile
from bench.barge_in_outcomes import Outcome, outcomes, pauses, quiet, resumes
from bench.call_load import LoadRecord
from bench.call_script import Kind
from bench.report import Row
from bench.service_process import Cost

__all__ = ["Measured", "engine_rows", "load_rows", "measured", "panel_rows", "quality_rows", "traced", "void"]

WINDOW_MS = 2000.0
"""An interruption that is not yielded to within this is a missed one, as in the panel of tau-voice."""
LATE_MS = 10.0


@frozen(kw_only=True)
class Measured:
    """A run, read."""

    calls: int
    record: LoadRecord
    cost: Cost
    outcomes: tuple[Outcome, ...]

    def of(self, *situations: str) -> list[Outcome]:
        """Return what came of the trials whose situation begins with one of *situations*."""
        return [one for one in self.outcomes if one.trial.situation.startswith(situations)]

    @property
    def late_ms(self) -> float:
        """How late the load generator sent its frames, p99."""
        return 1000 * percentile(self.record.late_s, 99)


def measured(calls: int, record: LoadRecord, cost: Cost) -> Measured:
    """Read a run."""
    found = [one for number, line in enumerate(record.lines) for one in outcomes(line, number)]
    return Measured(calls=calls, record=record, cost=cost, outcomes=tuple(found))


def _valid(found: Iterable[Outcome]) -> list[Outcome]:
    return [one for one in found if not one.void]


def _clock(found: Iterable[Outcome]) -> list[float]:
    return [one.engine_ms for one in _valid(found) if one.engine_ms is not None]


def _missed(found: Iterable[Outcome]) -> tuple[int, int]:
    valid = _valid(found)
    return sum(not one.committed for one in valid), len(valid)


def _share(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else 0.0


Limits = Mapping[str, tuple[float | None, float | None]]
"""Bound and aim, by ``p50``, ``p95``, ``p99``."""


def engine_rows(run: Measured, name: str, situations: tuple[str, ...], limits: Limits) -> list[Row]:
    """Return p50, p95, p99 and the largest of the engine clock.

    Args:
        run: The run.
        name: What the rows are called.
        situations: Which trials count.
        limits: Bound and aim by ``p50``, ``p95``, ``p99``.
    """
    clock = _clock(run.of(*situations))
    if not clock:
        return []
    shares = {"p50": 50.0, "p95": 95.0, "p99": 99.0, "max": 100.0}
    calls = f"{run.calls} call" + ("s" if run.calls > 1 else "")
    rows = []
    for key, share in shares.items():
        bound, aim = limits.get(key, (None, None))
        rows.append(Row(f"engine clock {key}, {name}, {calls}", percentile(clock, share), "ms", bound=bound, aim=aim))
    first = [one.first_hold_ms for one in _valid(run.of(*situations)) if one.first_hold_ms is not None]
    title = f"{name}, of {len(first)}, {calls}"
    pauses_at = [(key, percentile(first, shares[key])) for key in ("p50", "p99") if first]
    return [*rows, *(Row(f"first pause {key}, {title}", value, "ms") for key, value in pauses_at)]


def quality_rows(run: Measured) -> list[Row]:
    """Return what was missed, taken for an interruption, stopped for nothing or lost, as far as it was tried."""
    calls = f"{run.calls} call" + ("s" if run.calls > 1 else "")
    real = [one for one in run.outcomes if one.trial.kind is Kind.INTERRUPTION and one.trial.situation in PROMISED]
    rows = []
    missed, tried = _missed(real)
    if tried:
        rows.append(
            Row(f"real interruptions missed, of {tried}, {calls}", _share(missed, tried), "%", bound=1.0, aim=0.0)
        )
    for situation, limit in (("backchannel", (10.0, 5.0)), ("cough", (None, None)), ("noise burst", (None, None))):
        found = _valid(run.of(situation))
        if found:
            cut = sum(one.committed for one in found)
            title = f"{found[0].trial.situation}s committed, of {len(found)}, {calls}"
            rows.append(Row(title, _share(cut, len(found)), "%", bound=limit[0], aim=limit[1]))
    rows += _false_yields(run, calls)
    rows += _pause_rows(run, calls)
    return rows


PROMISED = frozenset({"clean", "white 20 dB", "car 15 dB", "white 10 dB", "car 10 dB"})


def _per_minute(found: Sequence[Outcome]) -> tuple[float, float]:
    """Return pauses per minute of the assistant's speech, and those minutes."""
    minutes = sum(one.bot_s for one in found) / 60
    return (sum(one.held for one in found) / minutes if minutes else 0.0), minutes


def _false_yields(run: Measured, calls: str) -> list[Row]:
    rows = []
    noises = [one for one in run.outcomes if one.trial.kind is Kind.NOISE]
    pooled = [one for one in noises if not one.trial.echo]
    if pooled:
        rate, minutes = _per_minute(pooled)
        title = f"false yields on noise without speech, all kinds, {minutes:.2g} min, {calls}"
        rows.append(Row(title, rate, "1/min", bound=0.5, aim=0.1))
    for situation in sorted({one.trial.situation for one in noises}):
        rate, minutes = _per_minute(run.of(situation))
        title = f"false yields, {situation}, {minutes:.2g} min, {calls}"
        rows.append(Row(title, rate, "1/min", aim=0.1 if situation.startswith("echo") else None))
        spells = run.of(situation)
        cut = sum(one.committed for one in spells)
        if cut:
            title = f"taken for an interruption, {situation}, of {len(spells)} spells, {calls}"
            rows.append(Row(title, _share(cut, len(spells)), "%"))
    rows += _early(run, calls)
    on_floor = [quiet(line) for line in run.record.lines]
    minutes = sum(seconds for _, seconds in on_floor) / 60
    if minutes:
        count = sum(times for times, _ in on_floor)
        title = f"false yields, quiet line, {minutes:.2g} min, {calls}"
        rows.append(Row(title, count / minutes, "1/min", aim=0.1))
    return rows


def _early(run: Measured, calls: str) -> list[Row]:
    """Return the pauses for the noise around a caller who did not speak yet."""
    rows = []
    for noise in ("white", "car", "babble", "music", "echo"):
        found = [one for one in run.of(noise) if one.early_s and one.trial.kind is Kind.INTERRUPTION]
        minutes = sum(one.early_s for one in found) / 60
        if minutes:
            title = f"false yields before the caller speaks, {noise}, {minutes:.2g} min, {calls}"
            rows.append(Row(title, sum(one.held_early for one in found) / minutes, "1/min"))
    return rows


def _pause_rows(run: Measured, calls: str) -> list[Row]:
    found = [pause for line in run.record.lines for pause in pauses(line.heard)]
    rows = []
    if found:
        decided = [pause.decision_ms for pause in found]
        rows += [
            Row(f"decision to last audible sample p50, {calls}", percentile(decided, 50), "ms"),
            Row(f"decision to last audible sample p95, {calls}", percentile(decided, 95), "ms"),
            Row(
                f"decision to last audible sample p99, of {len(found)}, {calls}", percentile(decided, 99), "ms",
                bound=20.0,
            ),
            Row(f"decision to last audible sample max, {calls}", max(decided), "ms"),
        ]  # fmt: skip
    silent = [pause.silent_ms for pause in found if pause.silent_ms is not None]
    if silent:
        rows.append(Row(f"silence of a pause taken back p50, of {len(silent)}, {calls}", percentile(silent, 50), "ms"))
        rows.append(Row(f"silence of a pause taken back p95, {calls}", percentile(silent, 95), "ms"))
    found_on = resumes(run.record.lines)
    if found_on.samples:
        rows.append(
            Row(
                f"samples lost or repeated at a resume, worst of {len(found_on.samples)}, {calls}",
                max(abs(lost) for lost in found_on.samples), "samples", bound=float(FRAME), aim=0.0,
            )
        )  # fmt: skip
    if found_on.frames:
        title = f"the same by what is said, p95 of {len(found_on.frames)} ({found_on.unknown} unknown), {calls}"
        rows.append(Row(title, percentile([abs(lost) for lost in found_on.frames], 95), "frames"))
    return rows


# --- the panel of tau-voice, at 20 ms instead of 200 -----------------------------------------------------------------


def panel_rows(run: Measured) -> list[Row]:
    """Return the panel of tau-voice; a pause counts as yielding there even when it is taken back."""
    calls = f"{run.calls} call" + ("s" if run.calls > 1 else "")
    real = _valid(one for one in run.outcomes if one.trial.kind is Kind.INTERRUPTION)
    rows: list[Row] = []
    in_time = [one for one in real if _yielded_ms(one) is not None and (_yielded_ms(one) or 0.0) <= WINDOW_MS]
    answered = [one.response_ms / 1000 for one in real if one.response_ms is not None]
    if answered:
        rows.append(Row(f"panel: response latency L_R, mean, {calls}", float(np.mean(answered)), "s"))
    if real:
        yielded = [(_yielded_ms(one) or 0.0) / 1000 for one in in_time]
        if yielded:
            rows.append(Row(f"panel: yield latency L_Y, mean, {calls}", float(np.mean(yielded)), "s"))
        rows.append(Row(f"panel: yield rate R_Y, {calls}", len(in_time) / len(real), "", better="higher"))
    for key, situation, title in SELECTIVITY:
        found = _valid(run.of(situation))
        if found:
            share: list[tuple[str, Callable[[Outcome], bool]]] = [
                ("kept the floor", lambda one: not one.committed),
                ("did not even pause", lambda one: not one.committed and not one.held),
            ]
            rows += [
                Row(
                    f"panel: selectivity {key}, {title}, {how}, {calls}",
                    sum(right(one) for one in found) / len(found), "", better="higher",
                )
                for how, right in share
            ]  # fmt: skip
    return rows


SELECTIVITY = (
    ("S_BC", "backchannel", "backchannel"),
    ("S_VT", "cough", "cough, click, slam"),
    ("S_ND", "aside", "aside"),
)


def _yielded_ms(one: Outcome) -> float | None:
    """Return when the floor was given: by falling silent for good."""
    return one.engine_ms if one.committed else None


def load_rows(run: Measured) -> list[Row]:
    """Return what the run cost, and whether the load generator kept its time."""
    calls = f"{run.calls} call" + ("s" if run.calls > 1 else "")
    lines, seconds = len(run.record.lines), run.record.seconds
    others = run.cost.machine_s - run.cost.cpu_s - run.record.cpu_s
    return [
        Row(f"load generator late p99, {calls}", run.late_ms, "ms", bound=LATE_MS),
        Row(f"load generator, {calls}", 100 * run.record.cpu_s / seconds, "% of a core", aim=25.0),
        Row(f"service per call, {calls}", 100 * run.cost.cpu_s / seconds / lines, "% of a core"),
        Row(f"everything else on this machine, {calls}", max(0.0, 100 * others / run.cost.seconds), "% of a core"),
        Row(f"service memory per call, {calls}", (run.cost.peak_mb - run.cost.idle_mb) / lines, "MB"),
    ]


def void(run: Measured) -> str:
    """Return in words how many trials said nothing of the clocks, and why."""
    counts: dict[str, int] = {}
    for one in run.outcomes:
        if one.void and one.trial.kind is not Kind.NOISE:
            why = f"{one.trial.situation}: {one.void}"
            counts[why] = counts.get(why, 0) + 1
    planned = sum(len(line.trials) for line in run.record.lines)
    said = "; ".join(f"{why} ({count})" for why, count in sorted(counts.items()))
    return f"{len(run.outcomes)} of {planned} trials took place" + (f"; void: {said}" if said else "") + "."


def traced(run: Measured) -> list[dict[str, object]]:
    """Return one record per trial, for a file of JSON lines."""
    return [
        {
            "calls": run.calls,
            "line": one.line,
            "situation": one.trial.situation,
            "what": one.trial.what,
            "by": one.trial.by,
            "ms": round((one.trial.end - one.trial.onset) / 8),
            "void": one.void,
            "engine_ms": one.engine_ms,
            "paused_itself": one.paused_itself,
            "held": one.held,
            "held_early": one.held_early,
            "first_hold_ms": one.first_hold_ms,
            "committed": one.committed,
            "commit_ms": one.commit_ms,
            "resumed": one.resumed,
            "response_ms": one.response_ms,
            "judged": list(one.judged),
            "bot_s": round(one.bot_s, 2),
        }
        for one in run.outcomes
    ]
