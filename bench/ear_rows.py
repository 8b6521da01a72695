"""From what the ears of a load heard to the lines of the report: when silence was heard, and how even packets came."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from attrs import frozen

from bench.barge_in_clocks import FRAME, RATE_HZ, percentile
from bench.barge_in_outcomes import outcomes
from bench.call_load import LoadRecord
from bench.call_script import Kind, Played, Trial
from bench.ear_lines import ANNOUNCED
from bench.grid import grid_of
from bench.heard_pauses import EAR_AT, ENGINE_AT, FADED
from bench.lane import LineRecord
from bench.report import Row
from bench.service_process import Cost

__all__ = ["EarRun", "Silence", "agreement_rows", "clock_rows", "cost_rows", "grid_rows", "read", "silences"]

LATE_MS = 10.0
TICK_MS = 5.0
SHARES = {"p50": 50.0, "p95": 95.0, "p99": 99.0}
SAME_S = 0.06
"""A pause heard and one announced so close to each other are the same."""
PEER = "plain WebSocket"


@frozen(kw_only=True)
class Silence:
    """How one interruption was heeded.

    Args:
        trial: What was said.
        ear_ms: Ear clock: the caller's first sample is spoken to the last one heard; ``None`` where it did not fall
            silent, or had paused by itself.
        engine_ms: Engine clock: the frame with that sample is sent to the last audible frame, or the verb, arrives.
        own: The assistant had paused by itself.
    """

    trial: Trial
    ear_ms: float | None = None
    engine_ms: float | None = None
    own: bool = False


@frozen(kw_only=True)
class EarRun:
    """A load over one path, read.

    Args:
        path: Which.
        record: What the load saw.
        cost: What it cost the service.
        heeded: How each interruption was heeded, those that say nothing left out.
    """

    path: str
    record: LoadRecord
    cost: Cost
    heeded: tuple[Silence, ...]

    @property
    def calls(self) -> str:
        """How many calls, in words."""
        count = len(self.record.lines)
        return f"{count} call" + ("s" if count > 1 else "")

    @property
    def late_ms(self) -> float:
        """How late the load generator sent its frames, p99."""
        return 1000 * percentile(self.record.late_s, 99)

    @property
    def per_call(self) -> float:
        """What a call cost the service, in hundredths of a core."""
        return 100 * self.cost.cpu_s / self.record.seconds / len(self.record.lines)

    def clock(self, name: str) -> list[float]:
        """Return all figures of the clock *name*, ``ear_ms`` or ``engine_ms``."""
        return [value for one in self.heeded if (value := getattr(one, name)) is not None]


def read(path: str, record: LoadRecord, cost: Cost) -> EarRun:
    """Read a run."""
    heeded = [one for line in record.lines for one in silences(line)]
    return EarRun(path=path, record=record, cost=cost, heeded=tuple(heeded))


def silences(line: LineRecord) -> list[Silence]:
    """Return how each interruption on *line* was heeded that took place and found the assistant talking."""
    by_number = {id(line.trials[played.trial]): played for played in line.played}
    found = outcomes(line, 0)
    return [
        _silence(line, one.trial, by_number[id(one.trial)])
        for one in found
        if not one.void and one.trial.kind is Kind.INTERRUPTION
    ]


def _silence(line: LineRecord, trial: Trial, played: Played) -> Silence:
    holds = line.heard.between(played.onset_at, played.done_at, "hold")
    if not holds:
        return Silence(trial=trial)
    said = dict(holds[0].said)
    if not said[FADED]:
        return Silence(trial=trial, own=True)
    # A packet leaves when its last sample was spoken; the onset was somewhere in it.
    spoken_at = played.onset_at - (FRAME - trial.onset % FRAME) / RATE_HZ
    return Silence(
        trial=trial,
        ear_ms=(said[EAR_AT] - spoken_at) * 1000,
        engine_ms=(said[ENGINE_AT] - played.onset_at) * 1000,
    )


def clock_rows(run: EarRun, peer: EarRun | None, bound_ms: float | None) -> list[Row]:
    """Return the ear clock, the engine clock beside it, and how often neither was stopped.

    Args:
        run: The run.
        peer: The same trials over the plain WebSocket.
        bound_ms: What the ear clock's p99 must keep.
    """
    rows = []
    for title, name in (("ear clock", "ear_ms"), ("engine clock", "engine_ms")):
        clock, beside = run.clock(name), peer.clock(name) if peer else []
        rows += [
            Row(
                f"{title} {key}, first silence, 15 dB and better, of {len(clock)}, {run.path}, {run.calls}",
                percentile(clock, share),
                "ms",
                peer=PEER if beside else "",
                peer_value=percentile(beside, share) if beside else None,
                bound=bound_ms if key == "p99" and name == "ear_ms" else None,
                compare="value",
            )
            for key, share in SHARES.items()
            if clock
        ]
    own = sum(one.own for one in run.heeded)
    never = sum(one.ear_ms is None and not one.own for one in run.heeded)
    if run.heeded:
        title = f"did not fall silent, of {len(run.heeded)} ({own} had paused by themselves), {run.path}, {run.calls}"
        rows.append(Row(title, 100 * never / len(run.heeded), "%"))
    return rows


def grid_rows(run: EarRun) -> list[Row]:
    """Return how even the service's packets came."""
    grids = [grid_of(line.heard.times) for line in run.record.lines]
    late = np.concatenate([grid.late_s for grid in grids]) * 1000
    if not len(late):
        return []
    where = f"{run.path}, {run.calls}"
    return [
        Row(f"packets off their line's grid p50, of {len(late)}, {where}", percentile(late, 50), "ms"),
        Row(f"packets off their line's grid p99, {where}", percentile(late, 99), "ms", bound=TICK_MS),
        Row(f"packets off their line's grid max, {where}", float(late.max()), "ms"),
        Row(f"packets beyond one for each 20 ms, {where}", sum(grid.excess for grid in grids), "packets", bound=0.0),
        Row(f"packets missing, {where}", sum(grid.missing for grid in grids), "packets"),
    ]


def cost_rows(run: EarRun, peer: EarRun | None) -> list[Row]:
    """Return what a call costs, and whether the load generator kept its time."""
    others = run.cost.machine_s - run.cost.cpu_s - run.record.cpu_s
    where = f"{run.path}, {run.calls}"
    return [
        Row(
            f"service per call, {where}", run.per_call, "% of a core",
            peer=PEER if peer else "", peer_value=peer.per_call if peer else None,
        ),
        Row(f"load generator late p99, {where}", run.late_ms, "ms", bound=LATE_MS),
        Row(f"load generator, {where}", 100 * run.record.cpu_s / run.record.seconds, "% of a core"),
        Row(f"everything else on this machine, {where}", max(0.0, 100 * others / run.cost.seconds), "% of a core"),
    ]  # fmt: skip


def agreement_rows(runs: Sequence[EarRun]) -> list[Row]:
    """Return how well the pauses that were heard agree with those that the plain dialect announced."""
    announced, heard, both = 0, 0, 0
    for line in (line for run in runs for line in run.record.lines):
        said = [event.at for event in line.heard.events if event.type == f"{ANNOUNCED}hold"]
        found = [event.at for event in line.heard.events if event.type == "hold"]
        announced, heard = announced + len(said), heard + len(found)
        both += sum(any(abs(at - other) <= SAME_S for other in found) for at in said)
    if not announced:
        return []
    title = f"pauses announced that the ear found, of {announced} (it heard {heard}), plain"
    return [Row(title, 100 * both / announced, "%", better="higher")]
