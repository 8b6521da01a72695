"""The level meter against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from signals import cuts_strategy, pcm, pcm_strategy, pieces, samples, sine

from tomrt._dsp.meter import Level, Meter, measure


def test_sine():
    """A full-scale sine reads -3.01 dBFS and its peak."""
    level = measure(pcm(sine(1000, 8000, 1.0, peak=32767)))
    assert level.rms_dbfs == pytest.approx(-3.0105, abs=1e-3)
    assert level.peak == 32767
    assert level.dc == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("value", [0, -1, 5, 12000, 32767, -32768])
def test_constant_is_silent(value):
    """A constant, even one that fills the scale, has no level; it is reported as direct current."""
    level = measure(pcm(np.full(1000, float(value))))
    assert level.rms_dbfs == -127.0
    assert (value, abs(value), 1000) == (level.dc, level.peak, level.samples)


def test_empty():
    """No samples are silence."""
    level = measure(b"")
    assert (level.samples, level.rms_dbfs, level.peak, level.clipped, level.dc) == (0, -127.0, 0, 0, 0.0)


def test_clipping_counts_from_the_outermost_ulaw_value():
    """Samples at ±32124 and beyond are clipped, the ones before are not."""
    assert measure(pcm(np.array([32123, 32124, 32767, -32123, -32124, -32768.0]))).clipped == 4


@given(pcm_strategy, cuts_strategy)
def test_against_numpy(data, cuts):
    """Every reading is what the definitions say, and does not depend on the pieces."""
    meter = Meter()
    for piece in pieces(data, cuts):
        meter.push(piece)
    level, signal = meter.read(), samples(data)
    assert repr(measure(data)) == repr(level)
    assert len(signal) == level.samples
    if len(signal):
        assert np.abs(signal).max() == level.peak
        assert (np.abs(signal) >= 32124).sum() == level.clipped
        assert level.dc == pytest.approx(signal.mean(), abs=1e-9)
        power = signal.var() / 32768.0**2
        assert level.rms_dbfs == pytest.approx(max(10 * np.log10(power + 1e-30), -127.0), abs=1e-6)


def test_reset():
    """After a reset only what follows counts."""
    meter = Meter()
    meter.push(pcm(np.full(10, 32767.0)))
    meter.reset()
    meter.push(bytes(4))
    assert (meter.read().samples, meter.read().peak, meter.read().clipped) == (2, 0, 0)


def test_levels_are_only_read():
    """Nobody makes a reading up."""
    with pytest.raises(TypeError):
        Level()
