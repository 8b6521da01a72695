"""``python -m tomrt sim``: replays a seed, or runs many and says what did not hold."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from attrs import asdict, define, field, frozen

from tomrt.simulation.invariant import Violation
from tomrt.simulation.record import Entry
from tomrt.simulation.result import Result, judge
from tomrt.simulation.scenario import Scenario, draw
from tomrt.simulation.shrink import breaks, shrink
from tomrt.simulation.situation import LEAST_PER_1000, SITUATIONS
from tomrt.simulation.world import World
from tomrt.simulation.world import run as run_world

__all__ = ["SimCommand", "Tally", "results", "run"]

OK, VIOLATED = 0, 1
CHUNK = 25
"""Seeds that a process takes at once."""
SHOWN = 10
"""Failing seeds that are written out."""
EVERY_S = 2.0
QUIET = (
    "line.audio",
    "line.told",
    "line.mark",
    "tts.voiced",
    "tts.voices",
    "session.done",
    "stt.done",
    "llm.done",
    "tts.done",
)


@frozen(kw_only=True)
class SimCommand:
    """What was asked for.

    Args:
        first: First seed.
        last: Last seed.
        schedules: Task orders for each.
        jobs: Processes.
        small: Shrink the first failing seed.
        stops: Stop at the first failing seed.
        json: Print one JSON object instead of text.
        log: Print whole records.
    """

    first: int
    last: int
    schedules: int = 1
    jobs: int = 1
    small: bool = False
    stops: bool = False
    json: bool = False
    log: bool = False


def run(command: SimCommand) -> int:
    """Run the command; return the exit code: 0 when everything held, else 1."""
    if command.first == command.last and not command.json:
        return _one(command)
    return _many(command)


# --- one seed --------------------------------------------------------------------------------------------------------


def _one(command: SimCommand) -> int:
    scenario = draw(command.first)
    verdict = OK
    for schedule in range(command.schedules):
        world = run_world(scenario, schedule=schedule)
        if schedule == 0 or world.violations:
            _show(world, schedule, whole=command.log)
        if world.violations:
            verdict = VIOLATED
            if command.small:
                _show_smaller(scenario, world.violations[0], schedule, whole=command.log)
            break
    if verdict == OK:
        print(f"everything held, in {command.schedules} order(s) of the tasks")
    return verdict


def _show_smaller(scenario: Scenario, violation: Violation, schedule: int, *, whole: bool) -> None:
    small = shrink(scenario, breaks(violation, schedule=schedule))
    print("\nwith everything taken away that is not needed:")
    _show(run_world(small, schedule=schedule), schedule, whole=whole)


def _show(world: World, schedule: int, *, whole: bool) -> None:
    print(*world.scenario.describe(), sep="\n")
    print(f"  task order {schedule}")
    for entry in world.record.entries:
        if whole or entry.kind not in QUIET:
            print(entry if whole else _short(entry))
    print(f"sha256 {world.record.digest()}")
    print(*world.violations[:SHOWN], sep="\n")


def _short(entry: Entry) -> str:
    line = str(entry)
    return line if len(line) <= 160 else line[:157] + "..."


# --- many seeds ------------------------------------------------------------------------------------------------------


@define
class Tally:
    """What came of many calls."""

    calls: int = 0
    faults: int = 0
    virtual_s: float = 0.0
    cpu_s: float = 0.0
    met: Counter[str] = field(factory=Counter)
    failed: list[Result] = field(factory=list)

    def add(self, result: Result) -> None:
        """Count one call."""
        self.calls += 1
        self.faults += result.faults
        self.virtual_s += result.virtual_s
        self.cpu_s += result.cpu_s
        self.met.update(result.met)
        if result.violations:
            self.failed.append(result)

    @property
    def never_met(self) -> list[str]:
        """The situations that too few calls got into; told from 1,000 calls on."""
        if self.calls < 1_000:
            return []
        least = LEAST_PER_1000 * self.calls / 1_000
        return [each.name for each in SITUATIONS if self.met[each.name] < least]

    @property
    def held(self) -> bool:
        """Whether everything did."""
        return not self.failed and not self.never_met


def results(first: int, last: int, *, schedules: int = 1, jobs: int = 1, digest: bool = False) -> Iterator[Result]:
    """Yield the results of the seeds from *first* to *last*, in order."""
    chunks = [range(start, min(start + CHUNK, last + 1)) for start in range(first, last + 1, CHUNK)]
    if jobs == 1:
        for chunk in chunks:
            yield from _chunk(chunk, schedules, digest)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for found in pool.map(_chunk, chunks, [schedules] * len(chunks), [digest] * len(chunks)):
            yield from found


def _chunk(seeds: range, schedules: int, digest: bool) -> list[Result]:
    return [judge(seed, schedule, digest=digest) for seed in seeds for schedule in range(schedules)]


def _many(command: SimCommand) -> int:
    tally = Tally()
    started = told = time.monotonic()
    for result in results(
        command.first, command.last, schedules=command.schedules, jobs=command.jobs, digest=command.json
    ):
        tally.add(result)
        if command.stops and result.violations:
            break
        if not command.json and time.monotonic() - told > EVERY_S:
            told = time.monotonic()
            print(f"seed {result.seed}: {tally.calls} calls, {len(tally.failed)} failed", file=sys.stderr)
    took_s = time.monotonic() - started
    if command.json:
        print(json.dumps(_as_json(tally, took_s)))
    else:
        _tell(tally, took_s)
        if command.small and tally.failed:
            first = tally.failed[0]
            _show_smaller(draw(first.seed), first.violations[0], first.schedule, whole=command.log)
    return OK if tally.held else VIOLATED


def _tell(tally: Tally, took_s: float) -> None:
    for result in tally.failed[:SHOWN]:
        print(f"seed {result.seed}, task order {result.schedule}: {result.violations[0]}")
    if len(tally.failed) > SHOWN:
        print(f"... and {len(tally.failed) - SHOWN} more")
    for name in tally.never_met:
        print(f"too rare: {name} ({tally.met[name]} calls)")
    rarest = min(SITUATIONS, key=lambda each: tally.met[each.name])
    print(
        f"{tally.calls} calls, {tally.virtual_s / 3600:.2f} h of virtual time, {tally.faults} faults, "
        f"{len(tally.failed)} failed; {took_s:.1f} s ({tally.calls / took_s:.1f} calls/s), "
        f"{tally.cpu_s / tally.calls * 1000:.1f} ms of CPU a call ({tally.virtual_s / tally.cpu_s:.0f} x real time); "
        f"{len(SITUATIONS)} situations, the rarest {tally.met[rarest.name]} times: {rarest.name}"
    )


def _as_json(tally: Tally, took_s: float) -> dict[str, object]:
    return {
        "calls": tally.calls,
        "virtual_s": round(tally.virtual_s, 3),
        "cpu_s": round(tally.cpu_s, 3),
        "took_s": round(took_s, 3),
        "faults": tally.faults,
        "situations": {each.name: tally.met[each.name] for each in SITUATIONS},
        "too_rare": tally.never_met,
        "failed": [
            {
                "seed": result.seed,
                "schedule": result.schedule,
                "sha256": result.digest,
                "violations": [asdict(violation) for violation in result.violations],
            }
            for result in tally.failed
        ],
    }
