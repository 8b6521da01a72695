"""One call's failure is nobody else's."""

import pytest
from attrs import evolve

from tomrt.simulation.scenario import draw
from tomrt.simulation.world import World, run, run_together

SEEDS = (2, 3, 5, 8)
CRASHING = 6


def records(worlds: list[World]) -> dict[int, list[str]]:
    """Return each call's record."""
    return {world.scenario.seed: list(world.record.lines()) for world in worlds}


@pytest.fixture(scope="module")
def alone():
    """Run each neighbour by itself."""
    return {seed: list(run(draw(seed)).record.lines()) for seed in SEEDS}


def test_neighbours_do_not_touch_each_other(alone):
    """Calls held side by side have the records they have alone."""
    worlds = [World(draw(seed)) for seed in SEEDS]
    run_together(worlds)
    assert records(worlds) == alone


def test_a_crash_is_one_calls_own(alone):
    """A call that crashes ends as failed; its neighbours' records are as if it had never been."""
    crashing = World(evolve(draw(CRASHING), faults=()), crashes=True)
    worlds = [World(draw(seed)) for seed in SEEDS]
    run_together([*worlds[:2], crashing, *worlds[2:]])
    assert records(worlds) == alone
    assert {violation.name for violation in crashing.violations} >= {"no exception of our own"}
    assert crashing.seen.ended.reason == "failed"
    assert crashing.seen.hung_up == 1
