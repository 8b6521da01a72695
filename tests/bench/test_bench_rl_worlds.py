"""Worlds to learn in are what their description says, and bandits learn in them."""

import numpy as np
import pytest
from attrs import evolve

from bench.rl_worlds import NEAR, Policy, WorldKind, _rewards, _stable, play, scores, worlds
from tomrt.rl.rules import BanditRules

KIND = WorldKind(gap=0.06, noise_sd=0.5)
SLOTS = Policy(rules=BanditRules(draws=64))
COIN = Policy(rules=BanditRules(algorithm="beta", draws=32, floor=0.0001), coin=True)


@pytest.mark.parametrize("gap", [0.03, 0.06])
def test_the_median_gap_is_the_one_asked_for(gap):
    """Over many worlds the best variant is, in the median, the gap ahead of the second."""
    ranked = np.sort([world.means for world in worlds(evolve(KIND, gap=gap), 4000, 5)], axis=1)
    assert np.median(ranked[:, -1] - ranked[:, -2]) == pytest.approx(gap, rel=0.1)


@pytest.mark.parametrize(("context", "spread"), [(False, 0.5), (True, 0.5)])
def test_rewards_have_the_mean_and_the_noise_of_the_world(context, spread):
    """Rewards stay within -1 and 1, and their mean and standard deviation are those that are told."""
    world = worlds(evolve(KIND, context=context), 1, 5)[0]
    _, earn = _rewards(world, 6000, np.random.default_rng(1))
    rewards = np.array([earn(pull, 3) for pull in range(6000)])
    assert np.abs(rewards).max() <= 1.0
    assert rewards.mean() == pytest.approx(world.means[3], abs=0.03)
    assert rewards.std() == pytest.approx(spread, rel=0.05)


@pytest.mark.parametrize(
    ("recommended", "expected"),
    [([1] * 101, 0), ([2] + [1] * 101, 1), ([1] * 50 + [2] * 101, 50), ([1, 2] * 100, 99), ([3], 0)],
)
def test_stable_is_the_first_recommendation_that_stays(recommended, expected):
    """What counts is after how many rewards the recommendation stays for the next hundred, and else the last chance."""
    assert _stable(recommended) == expected


def test_a_world_plays_the_same_again():
    """The same seeds give the same scores, whichever process plays."""
    first = scores(KIND, SLOTS, count=2, pulls=30, seed=3, jobs=1)
    again = [play(world, SLOTS, 30, (3, place)) for place, world in enumerate(worlds(KIND, 2, 3))]
    assert [score.regret for score in first] == [score.regret for score in again]
    assert all(np.array_equal(one.near, two.near) for one, two in zip(first, again, strict=True))
    assert first[0].near.shape == (31,)


def test_slots_learn_faster_than_coins():
    """In twenty worlds the slot-factored bandit loses far less than the Beta bandit that flips coins."""
    ours = scores(KIND, SLOTS, count=20, pulls=250, seed=4, jobs=1)
    theirs = scores(KIND, COIN, count=20, pulls=250, seed=4, jobs=1)
    assert np.mean([score.regret for score in ours]) < 0.75 * np.mean([score.regret for score in theirs])


def test_a_simulator_and_the_context_help():
    """With a warm start and the context taken out, most worlds recommend a good variant before the twentieth call."""
    kind = evolve(KIND, context=True, fidelity=0.7)
    found = scores(kind, evolve(SLOTS, adjusted=True), count=20, pulls=60, seed=4, jobs=1)
    assert NEAR == 0.05
    assert np.mean([score.near[20] for score in found]) > 0.6
