"""Pairs of calls and the Bradley-Terry model: against brute force, closed form and known truth."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from tomrt.rl.errors import LearningError
from tomrt.rl.preferences import Pairs, fit_preferences, pair_up

OWN = np.vstack([np.eye(2), np.zeros(2)])  # three arms, the last one at 0


def pairs_of(counts: dict[tuple[int, int], tuple[int, int, int]]) -> Pairs:
    """Return pairs in which (first, second) was (better, neither, worse) so often, each call in one pair only."""
    rows = [
        (first, second, outcome)
        for (first, second), often in counts.items()
        for outcome, times in zip((1, 0, -1), often, strict=True)
        for _ in range(times)
    ]
    first, second, outcome = (np.array(column) for column in zip(*rows, strict=True))
    calls = np.arange(2 * len(rows)).reshape(-1, 2)
    return Pairs(first=first, second=second, outcome=outcome.astype(np.int8), calls=calls)


def likelihood(counts: dict[tuple[int, int], tuple[int, int, int]], strengths: np.ndarray, ties: float) -> float:
    """Return the log-likelihood of Davidson's model, straight from its definition."""
    total = 0.0
    for (first, second), often in counts.items():
        a, b = math.exp(strengths[first]), math.exp(strengths[second])
        neither = math.exp(ties) * math.sqrt(a * b)
        chances = np.array([a, neither, b]) / (a + b + neither)
        total += float(np.array(often) @ np.log(chances))
    return total


COUNTS = {(0, 1): (14, 6, 9), (1, 2): (11, 5, 8), (0, 2): (16, 3, 7)}


def test_brute_force_finds_nothing_better():
    """No point of a grid, made finer three times around its best, is more likely than the fitted strengths."""
    found = fit_preferences(pairs_of(COUNTS), OWN, strength=0.0)
    fitted = np.array([*found.coefficients, 0.0])
    best = likelihood(COUNTS, fitted, found.ties)
    centre, width = np.zeros(3), 2.0
    for _ in range(6):
        steps = np.linspace(-width, width, 11)
        at = max(
            itertools.product(*(centre[:, None] + steps)),
            key=lambda each: likelihood(COUNTS, np.array([each[0], each[1], 0.0]), each[2]),
        )
        centre, width = np.array(at), width / 4
    assert likelihood(COUNTS, np.array([centre[0], centre[1], 0.0]), centre[2]) <= best + 1e-9
    assert [*found.coefficients, found.ties] == pytest.approx(list(centre), abs=0.01)


def test_two_arms_in_closed_form():
    """With two arms and no penalty the strength is the log of the odds, and ties have their own share."""
    found = fit_preferences(pairs_of({(0, 1): (30, 20, 10)}), np.array([[1.0], [0.0]]), strength=0.0)
    assert found.coefficients[0] == pytest.approx(math.log(3.0))
    assert found.ties == pytest.approx(math.log(20 / math.sqrt(300)), abs=1e-4)
    odds, error = found.against(np.array([1.0]), np.array([0.0]))
    assert odds == pytest.approx(math.log(3.0))
    assert error == pytest.approx(math.sqrt(1 / 30 + 1 / 10), rel=0.02)


def test_standard_errors_know_of_calls_in_several_pairs():
    """Intervals hold the truth about as often as promised, though each call is compared eight times."""
    rng = np.random.default_rng(5)
    held = []
    for _ in range(150):
        arms = rng.integers(3, size=240)
        rewards = np.array([0.5, 0.2, 0.0])[arms] + rng.logistic(size=240)
        found = fit_preferences(pair_up(arms, rewards, ["general"] * 240, rng, tie=0.0), OWN, strength=0.0)
        odds, error = found.against(OWN[0], OWN[2])
        held.append(abs(odds - _true_odds(0.5)) <= 1.96 * error)
    assert 0.90 <= np.mean(held) <= 0.99


def _true_odds(apart: float) -> float:
    """Return the log odds that one logistic variable beats another that lies *apart* below."""
    r = math.exp(apart)
    share = r * (r - 1 - apart) / (r - 1) ** 2
    return math.log(share / (1 - share))


def test_slots_instead_of_arms():
    """With features of slots the level that wins is found, whichever arms it stands in."""
    rng = np.random.default_rng(6)
    features = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    arms = rng.integers(4, size=800)
    rewards = 0.5 * features[arms, 0] + rng.normal(size=800)
    found = fit_preferences(pair_up(arms, rewards, ["general"] * 800, rng), features)
    assert found.coefficients[0] > 0.5
    assert abs(found.coefficients[1]) < 0.2


def test_pairs_are_of_the_same_profile_and_of_different_arms():
    """Only calls of the same profile are compared, none with itself or its own arm, no two of them twice."""
    rng = np.random.default_rng(7)
    arms, groups = rng.integers(3, size=100), [("it", "sales")[row % 2] for row in range(100)]
    rewards = rng.normal(size=100)
    found = pair_up(arms, rewards, groups, rng)
    assert len({tuple(each) for each in found.calls}) == len(found.calls) > 100
    for (first, second), outcome in zip(found.calls, found.outcome, strict=True):
        assert groups[first] == groups[second]
        assert arms[first] != arms[second]
        apart = rewards[first] - rewards[second]
        assert outcome == (0 if abs(apart) <= 0.05 else np.sign(apart))


def test_an_arm_that_never_lost():
    """Without a penalty a strength that would be infinite is refused; with one it is large and finite."""
    always_better = pairs_of({(0, 1): (20, 0, 0), (1, 2): (10, 5, 8), (0, 2): (9, 0, 0)})
    with pytest.raises(LearningError, match="do not determine the strengths"):
        fit_preferences(always_better, OWN, strength=0.0)
    assert 1.0 < fit_preferences(always_better, OWN).coefficients[0] < 10.0


def test_nothing_to_compare():
    """When all calls had the same variant there is nothing to compare, and that is told."""
    with pytest.raises(LearningError, match="nothing to compare"):
        pair_up(np.zeros(10, dtype=np.intp), np.arange(10.0), ["it"] * 10, np.random.default_rng(0))
