"""The histogram of delays behind the jitter buffer."""

from __future__ import annotations

import numpy as np
import pytest

from tomrt.audio.arrival_delay import ArrivalDelay


def taught(delays, start_s=0.04, clock=1.0):
    """Return what was learnt from frames every 20 ms."""
    learner = ArrivalDelay(start_s)
    for number, delay in enumerate(delays):
        sent = number * 0.02
        learner.observe(sent * clock + 1e6, sent + delay)
    return learner


def test_start():
    """Before anything came, the target is the one assumed."""
    assert ArrivalDelay(0.06).target_s == 0.06


@pytest.mark.parametrize("clock", [1.0, 1.0002, 0.9998])
def test_steady(clock):
    """A steady line needs no delay, whatever the sender's clock shows and however it drifts."""
    assert taught([0.05] * 3000, clock=clock).target_s <= 0.005


def test_quantile():
    """The target covers the worst of nearly every half second, and not by much."""
    delays = np.random.default_rng(5).uniform(0, 0.1, 6000)
    assert 0.095 <= taught(delays).target_s <= 0.105


def test_rare_spikes():
    """One spike in a minute is not waited for."""
    delays = np.full(6000, 0.01)
    delays[2900] = 0.3
    assert taught(delays).target_s <= 0.015


def test_forgetting():
    """After two quiet minutes a bad one is forgotten."""
    bad, good = [0.0, 0.2] * 1500, [0.0] * 6000
    assert taught(bad).target_s > 0.195
    assert taught(bad + good).target_s <= 0.005


def test_long_call():
    """The growing weights stay finite for hours."""
    learner = ArrivalDelay(0.04)
    for number in range(20_000):
        learner.observe(number * 0.5, number * 0.5 + 0.01 * (number % 2))
    assert 0.01 <= learner.target_s <= 0.015


def test_restart():
    """Another stream has another clock, on the same network."""
    learner = taught([0.0, 0.1] * 1500)
    before = learner.target_s
    learner.restart()
    assert learner.observe(-5000.0, 61.0) == 0.0
    assert learner.target_s == before
