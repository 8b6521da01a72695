"""The E-model against the figures of its recommendation."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.audio.emodel import burst_ratio, delay_impairment, loss_impairment, mean_opinion_score, rating
from tomrt.errors import MisuseError


def test_the_best_line():
    """With all defaults R is 93.2 and the score 4.41 (G.107, table 3 and annex B)."""
    assert rating(delay_ms=0, loss=0) == pytest.approx(93.2)
    assert mean_opinion_score(93.2) == pytest.approx(4.41, abs=0.005)


@pytest.mark.parametrize(
    ("r", "score"), [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58), (0, 1.0), (-5, 1.0), (100, 4.5)]
)
def test_scores_of_annex_b(r, score):
    """R and the score go together as in G.107, table B.1."""
    assert mean_opinion_score(r) == pytest.approx(score, abs=0.01)


@pytest.mark.parametrize(("percent", "impairment"), [(0, 0), (1, 95 / 26.1), (3, 285 / 28.1), (5, 475 / 30.1)])
def test_losses(percent, impairment):
    """0, 1, 3 and 5 % of random loss take 0, 3.6, 10.1 and 15.8 from R (G.107, 7.5, with Bpl of G.711)."""
    assert loss_impairment(percent / 100) == pytest.approx(impairment)
    assert rating(delay_ms=50, loss=percent / 100) == pytest.approx(93.2 - impairment)


def test_bursts_hurt_more():
    """Twice as long losses: 5 % take 475/27.6."""
    assert loss_impairment(0.05, 2.0) == pytest.approx(475 / 27.6)


@pytest.mark.parametrize(
    ("delay_ms", "impairment"),
    [
        (0, 0.0),
        (100, 0.0),
        (200, 25 * (2 ** (1 / 6) - 3 * (1 + 3**-6) ** (1 / 6) + 2)),
        (400, 25 * (65 ** (1 / 6) - 3 * (1 + (2 / 3) ** 6) ** (1 / 6) + 2)),
        (800, 25 * (730 ** (1 / 6) - 3 * 2 ** (1 / 6) + 2)),
    ],
)
def test_delays(delay_ms, impairment):
    """Idd of G.107 (7-27, 7-28), where X is 0, 1, 2 and 3: 0, 3.0, 24.1 and 40.8."""
    assert delay_impairment(delay_ms) == pytest.approx(impairment)


def test_delay_is_not_noticed_at_once():
    """Right above 100 ms nothing jumps; 150 ms, the preferred bound of G.114, take less than 0.2."""
    assert delay_impairment(100.01) < 1e-6
    assert delay_impairment(150) < 0.2


DELAYS, LOSSES = st.floats(0, 2000), st.floats(0, 1)


@given(DELAYS, DELAYS, LOSSES, LOSSES, st.floats(1, 8))
def test_more_delay_or_loss_is_never_better(first_ms, second_ms, one, other, bursts):
    """R and the score fall with delay and with loss, and the score stays within its scale."""
    better = rating(delay_ms=min(first_ms, second_ms), loss=min(one, other), burst_ratio=bursts)
    worse = rating(delay_ms=max(first_ms, second_ms), loss=max(one, other), burst_ratio=bursts)
    assert worse <= better + 1e-9
    assert 1.0 <= mean_opinion_score(worse) <= mean_opinion_score(better) + 1e-9 <= 4.5


def test_the_burst_ratio():
    """Losses as long as random ones, shorter ones and unknown ones have a ratio of 1."""
    assert burst_ratio(1 / 0.9, 0.1) == pytest.approx(1.0)
    assert burst_ratio(2.0, 0.05) == pytest.approx(1.9)
    assert burst_ratio(0.0, 0.05) == burst_ratio(1.0, 0.05) == 1.0


@pytest.mark.parametrize(
    "wrong",
    [{"delay_ms": -1}, {"delay_ms": math.nan}, {"loss": -0.1}, {"loss": 1.1}, {"loss": math.nan}, {"burst_ratio": 0.5}],
    ids=str,
)
def test_wrong_arguments(wrong):
    """What cannot be is refused in one sentence."""
    with pytest.raises(MisuseError):
        rating(**({"delay_ms": 0, "loss": 0} | wrong))
