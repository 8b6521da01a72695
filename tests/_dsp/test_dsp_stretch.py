"""Pitch search, and time stretching by one period."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from signals import pcm, pcm_strategy, samples, sine, vowel, white

from tomrt._dsp.pitch import pitch
from tomrt._dsp.stretch import lengthen, shorten

RATES = pytest.mark.parametrize("rate_hz", [8000, 16000])


@RATES
@pytest.mark.parametrize("hz", [100, 125, 160, 200])
def test_pitch_of_a_voice(rate_hz, hz):
    """The period of a harmonic sound, or a multiple of it, is found, and it is nearly perfectly alike."""
    unit = rate_hz // 8000
    voice = sum(sine(hz * harmonic, rate_hz, 0.25, 6000 / harmonic) for harmonic in range(1, 9))
    lag, likeness = pitch(pcm(voice), 120 * unit, 32 * unit, 128 * unit)
    assert any(abs(periods * rate_hz / hz - lag) <= 1 for periods in (1, 2, 3))
    assert likeness > 0.95


def test_pitch_of_noise():
    """White noise and silence are not periodic."""
    assert pitch(pcm(white(-20, 8000, 0.3, 4)), 160, 32, 128)[1] < 0.5
    assert pitch(bytes(1000), 160, 32, 128)[1] == 0.0


@pytest.mark.parametrize("level", [10, 1000, 32767])
def test_pitch_of_any_level(level):
    """The answer does not depend on the level, up to a full-scale square wave."""
    square = level * np.sign(np.sin(2 * np.pi * np.arange(800) / 80 + 0.1))
    assert pitch(pcm(square), 160, 32, 128) == (80, pytest.approx(1.0, abs=0.02))


@pytest.mark.parametrize("numbers", [(1, 32, 128), (512, 32, 128), (160, 0, 128), (160, 33, 32), (500, 32, 525)])
def test_refused_searches(numbers):
    """Windows and lags outside the limits are refused."""
    with pytest.raises(ValueError, match="pitch search has"):
        pitch(bytes(4000), *numbers)
    with pytest.raises(ValueError, match="needs 288 samples"):
        pitch(bytes(574), 160, 32, 128)


@RATES
@pytest.mark.parametrize("hz", [100, 200, 320])
def test_tone_stays_whole(rate_hz, hz):
    """A tone loses or gains whole periods and goes on as if nothing had happened."""
    tone = sine(hz, rate_hz, 0.05)
    for change in (shorten, lengthen):
        changed = samples(change(pcm(tone), rate_hz))
        assert len(changed) != len(tone)
        assert (len(changed) - len(tone)) * hz / rate_hz == pytest.approx(
            round((len(changed) - len(tone)) * hz / rate_hz)
        )
        expected = sine(hz, rate_hz, len(changed) / rate_hz)
        assert np.abs(changed - expected).max() < 40


@RATES
def test_no_seam(rate_hz):
    """A stretched vowel nowhere jumps more than it does by itself, and ends as it did."""
    voice = vowel(rate_hz, 0.04)
    for change in (shorten, lengthen):
        changed = samples(change(pcm(voice), rate_hz, -1.0))
        assert np.abs(np.diff(changed)).max() < 1.3 * np.abs(np.diff(voice)).max()
        assert np.array_equal(changed[-20:], samples(pcm(voice))[-20:])


@given(pcm_strategy, st.sampled_from([8000, 16000]), st.floats(-1, 1), st.integers(0, 2000))
def test_any_piece(data, rate_hz, least, most):
    """Any piece, however short, comes back changed by at most what is allowed; its last sample stays last."""
    for change, sign in ((shorten, -1), (lengthen, 1)):
        changed = change(data, rate_hz, least, most)
        difference = sign * (len(changed) - len(data)) // 2
        assert 0 <= difference <= min(most, 15 * rate_hz // 1000, len(data) // 4)
        if sign > 0 and data:
            assert changed[-2:] == data[-2:]


def test_noise_is_left_alone():
    """What is not periodic is not stretched, unless it is too quiet to matter or the caller insists."""
    noise = pcm(white(-20, 8000, 0.04, 6))
    assert shorten(noise, 8000) == noise == lengthen(noise, 8000)
    assert len(shorten(noise, 8000, -1.0)) < len(noise)
    quiet = pcm(white(-60, 8000, 0.04, 6))
    assert len(shorten(quiet, 8000, 0.9, 77)) == len(quiet) - 2 * 77


def test_refused():
    """Other rates, likenesses and counts are refused."""
    for wrong in [
        (bytes(640), 44100),
        (bytes(640), 8000, 1.5),
        (bytes(640), 8000, float("nan")),
        (bytes(640), 8000, 0.5, -1),
    ]:
        with pytest.raises(ValueError, match=r"stretched at|cannot be"):
            shorten(*wrong)
    with pytest.raises(ValueError, match="even number"):
        lengthen(b"123", 8000)
