"""Fades."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from signals import pcm, pcm_strategy, samples

from tomrt._dsp.fade import fade_in, fade_out, gain


def test_shape():
    """A fade is half a period of a cosine, rising in one direction and falling in the other."""
    full = pcm(np.full(200, 20000.0))
    ramp = 10000 * (1 - np.cos(np.pi * (np.arange(80) + 0.5) / 80))
    rising, falling = samples(fade_in(full, 80)), samples(fade_out(full, 80))
    assert np.abs(rising[:80] - ramp).max() <= 0.51
    assert np.abs(falling[:80] - ramp[::-1]).max() <= 0.51
    assert (rising[80:] == 20000).all()
    assert (falling[80:] == 0).all()


@given(pcm_strategy, st.integers(0, 900))
def test_both_add_up(data, count):
    """Within the fade both weights add up to one; after it one has everything; the length stays."""
    rising, falling, signal = samples(fade_in(data, count)), samples(fade_out(data, count)), samples(data)
    assert len(signal) == len(rising) == len(falling)
    assert (np.abs(rising + falling - signal) <= 1).all()
    assert (rising[count:] == signal[count:]).all()
    assert (falling[count:] == 0).all()
    assert (np.abs(rising) <= np.abs(signal)).all()


def test_no_samples():
    """A fade of no samples is a switch."""
    data = pcm(np.array([5.0, -7.0]))
    assert data == fade_in(data, 0)
    assert bytes(4) == fade_out(data, 0)


@pytest.mark.parametrize("fade", [fade_in, fade_out])
def test_negative(fade):
    """A fade of a negative length is refused."""
    with pytest.raises(ValueError, match="zero or more samples, got -1"):
        fade(b"", -1)


def test_gain_moves_on_a_raised_cosine_and_stays():
    """The gain goes from one factor to the other without a step, stays there, and clips what does not fit."""
    signal = samples(gain(pcm(np.full(200, 8000.0)), 100, 0.5, 2.0))
    assert 4000 <= signal[0] <= 4010
    assert (np.diff(signal[:100].astype(int)) >= 0).all()
    assert np.abs(np.diff(signal.astype(int))).max() < 200
    assert (signal[100:] == 16000).all()
    assert (samples(gain(pcm(np.full(4, -30000.0)), 0, 1.0, 16.0)) == -32768).all()


@given(pcm_strategy, st.integers(0, 900))
def test_fades_are_gains(data, count):
    """A fade is the gain from or to silence."""
    assert fade_in(data, count) == gain(data, count, 0.0, 1.0)
    assert fade_out(data, count) == gain(data, count, 1.0, 0.0)


@pytest.mark.parametrize("factor", [float("nan"), float("inf"), -0.1, 16.1])
def test_impossible_gain(factor):
    """A factor that is no number, negative or huge is refused."""
    with pytest.raises(ValueError, match="from 0 to 16"):
        gain(b"", 0, 1.0, factor)
