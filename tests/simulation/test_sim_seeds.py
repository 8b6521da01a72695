"""A thousand calls in which things go wrong."""

import os
from pathlib import Path

import pytest

from tomrt.simulation.command import Tally, results
from tomrt.simulation.result import judge
from tomrt.simulation.situation import LEAST_PER_1000, SITUATIONS

CALLS = 1_000
PROCESSES = max(1, min(2, os.cpu_count() or 1))
KEPT = [line for line in (Path(__file__).parent / "seeds.txt").read_text().split("\n") if line and line[0] != "#"]


@pytest.fixture(scope="module")
def tally():
    """Run the first thousand seeds."""
    tally = Tally()
    for result in results(0, CALLS - 1, jobs=PROCESSES):
        tally.add(result)
    return tally


def test_everything_holds_in_a_thousand_calls(tally):
    """In 1,000 calls with random callers and random faults no invariant is broken."""
    assert tally.calls == CALLS
    broken = [f"seed {result.seed}: {result.violations[0]}" for result in tally.failed]
    assert not broken, "\n".join([f"{len(broken)} of {CALLS} calls", *broken[:10]])


def test_every_situation_occurs(tally):
    """The thousand calls get into each named situation at least ten times."""
    assert len(SITUATIONS) >= 40
    rare = {each.name: tally.met[each.name] for each in SITUATIONS if tally.met[each.name] < LEAST_PER_1000}
    assert not rare


@pytest.mark.parametrize("kept", KEPT)
def test_seeds_that_failed_once(kept):
    """A call that broke an invariant in the past does not any more."""
    seed, _, schedule = kept.partition("/")
    assert judge(int(seed), int(schedule or 0)).violations == ()


@pytest.mark.slow
def test_everything_holds_under_other_task_orders():
    """The same calls hold under five orders of their tasks each."""
    failed = [result for result in results(0, 299, schedules=5, jobs=PROCESSES) if result.violations]
    assert not failed, "\n".join(f"{result.seed}/{result.schedule}: {result.violations[0]}" for result in failed[:10])
