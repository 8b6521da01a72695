"""What came of one simulated call, small enough to pass from process to process."""

from __future__ import annotations

import time

from attrs import frozen

from tomrt.simulation.invariant import Violation
from tomrt.simulation.scenario import Scenario, draw
from tomrt.simulation.world import World, run

__all__ = ["Result", "judge", "result_of"]


@frozen(kw_only=True)
class Result:
    """One call.

    Args:
        seed: Its scenario's.
        schedule: The order of its tasks.
        violations: What did not hold.
        met: The situations it got into.
        faults: How often something went wrong.
        virtual_s: How long it lasted.
        cpu_s: What that cost.
        digest: SHA-256 of its record; empty unless asked for.
    """

    seed: int
    schedule: int
    violations: tuple[Violation, ...]
    met: frozenset[str]
    faults: int
    virtual_s: float
    cpu_s: float
    digest: str = ""


def judge(seed: int, schedule: int = 0, *, digest: bool = False) -> Result:
    """Run the call of a seed."""
    return _judge(draw(seed), schedule, digest=digest)


def _judge(scenario: Scenario, schedule: int, *, digest: bool) -> Result:
    before = time.process_time()
    world = run(scenario, schedule=schedule)
    return result_of(world, schedule=schedule, cpu_s=time.process_time() - before, digest=digest)


def result_of(world: World, *, schedule: int, cpu_s: float, digest: bool = False) -> Result:
    """Return what came of a call that was run."""
    return Result(
        seed=world.scenario.seed,
        schedule=schedule,
        violations=tuple(world.violations),
        met=frozenset(world.witness.met),
        faults=sum(1 for entry in world.record.entries if entry.kind == "fault"),
        virtual_s=world.seen.now,
        cpu_s=cpu_s,
        digest=world.record.digest() if digest else "",
    )
