"""Failing calls are made small."""

from tomrt.simulation.scenario import Scenario, draw
from tomrt.simulation.shrink import shrink
from tomrt.simulation.world import run

SITUATION = "the caller cuts in"


def gets_cut(scenario: Scenario) -> bool:
    """Whether the caller cuts in."""
    return SITUATION in run(scenario).witness.met


def a_busy_seed() -> Scenario:
    """Return a call with much in it, in which the caller cuts in."""
    drawn = (draw(seed) for seed in range(500))
    return next(each for each in drawn if len(each.faults) >= 4 and len(each.acts) >= 5 and gets_cut(each))


def test_shrinking_leaves_what_is_needed():
    """A call with many faults and acts shrinks to the few that make it what it is, and still is that."""
    large = a_busy_seed()
    small = shrink(large, gets_cut)
    assert gets_cut(small)
    assert len(small.acts) <= 3
    assert len(small.faults) <= 1
    assert (small.seed, small.line, small.settings) == (large.seed, large.line, large.settings)


def test_nothing_is_taken_away_that_is_needed():
    """Where every part is needed, nothing is taken away."""
    scenario = draw(1)
    assert shrink(scenario, lambda each: each == scenario) == scenario
