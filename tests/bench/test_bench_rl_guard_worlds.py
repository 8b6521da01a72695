"""The guard's benchmark: its worlds are what they say, and the same seed brings the same fates."""

import math

from bench.rl_guard_worlds import EPISODES, World, fates, life


def test_the_same_seed_brings_the_same_fates():
    """Fates depend on world and seed alone, whatever else ran before."""
    world = World(canary=0.4, share=0.25)
    assert fates(world, 4, 7) == [life(world, 7 + number) for number in range(4)]


def test_a_canary_that_harms_is_out_early_and_stays_out():
    """A fall from .80 to .40 with a quarter of the calls is found; it never became active, nor was found better."""
    for fate in fates(World(canary=0.4, share=0.25), 8, 1):
        assert fate.out < 1_000
        assert fate.active == fate.better == math.inf
        assert fate.naive < EPISODES


def test_a_whole_life_ends_probation():
    """Under the rules as shipped a canary that is better becomes active."""
    fate = life(World(canary=0.95, whole_life=True), 3)
    assert fate.out == math.inf
    assert 100 < fate.active < EPISODES


def test_late_harm_begins_late():
    """A canary that falls after 2,000 episodes is not out before."""
    assert life(World(canary=0.3, share=0.25, from_episode=2_000), 5).out > 2_000
