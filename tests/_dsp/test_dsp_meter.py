"""The level meter against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from signals import cuts_strategy, pcm, pcm_strategy, pieces, samples, sine, white

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


def test_a_push_is_read_alone():
    """What a push returns is the level of that piece, whatever came before."""
    meter = Meter()
    for value in (100.0, -20000.0, 3.0):
        level = meter.push(pcm(np.array([value, -value] * 40)))
        assert (level.samples, level.peak) == (80, abs(value))
        assert level.rms_dbfs == pytest.approx(20 * np.log10(abs(value) / 32768), abs=1e-6)
    assert (meter.read().samples, meter.read().peak) == (240, 20000)


@pytest.mark.parametrize("rate_hz", [8000, 16000, 48000])
@pytest.mark.parametrize("noise_dbfs", [-70, -50, -30])
def test_noise_and_signal(rate_hz, noise_dbfs):
    """The floor is the noise within a decibel or so, and bursts stand out of it as far as they do."""
    noise = white(noise_dbfs, rate_hz, 4.0, 3)
    level = measure(pcm(noise), rate_hz)
    assert abs(level.noise_dbfs - noise_dbfs) < 1.2
    assert level.snr_db == 0.0
    burst = sine(1000, rate_hz, 0.2, 32768 * 10 ** ((noise_dbfs + 20) / 20) * 2**0.5)
    noise[rate_hz : rate_hz + len(burst)] += burst
    assert measure(pcm(noise), rate_hz).snr_db == pytest.approx(20, abs=1.5)


def test_the_floor_follows():
    """Noise that becomes louder is the floor three seconds later; noise that becomes softer is so at once."""
    meter = Meter(8000)
    assert meter.read().noise_dbfs == -127.0
    assert meter.push(pcm(white(-60, 8000, 2.0, 1))).noise_dbfs == pytest.approx(-60, abs=1.2)
    assert meter.push(pcm(white(-40, 8000, 1.0, 2))).noise_dbfs == pytest.approx(-60, abs=1.2)
    assert meter.push(pcm(white(-40, 8000, 2.1, 2))).noise_dbfs == pytest.approx(-40, abs=1.2)
    assert meter.push(pcm(white(-60, 8000, 0.1, 4))).noise_dbfs == pytest.approx(-60, abs=1.5)
    assert meter.push(bytes(320)).noise_dbfs == -127.0


@pytest.mark.parametrize("rate_hz", [0, 7999, 48001, -1])
def test_refused_rates(rate_hz):
    """Rates that no audio here has are refused."""
    with pytest.raises(ValueError, match="8000 to 48000 Hz, got"):
        Meter(rate_hz)


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
