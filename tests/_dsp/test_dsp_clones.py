"""Every instruction set gives the same bits: what AVX2 makes is what the baseline makes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from signals import pcm, pcm_strategy

from tomrt._dsp import echo, g711, meter, resample

DISPATCHING = (echo, g711, meter, resample)
ALL_PCM = np.arange(-32768, 32768).astype("<i2").tobytes()
SPEECH_LIKE = pcm(np.random.default_rng(5).laplace(0, 6000, 30_011))
RATES = [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000]


def both(make):
    """Return what *make* gives with and without AVX2, or skip where there is no choice."""
    if not all(module._use_baseline(False) for module in DISPATCHING):
        pytest.skip("needs a processor with AVX2")
    fast = make()
    try:
        assert not any(module._use_baseline(True) for module in DISPATCHING)
        return fast, make()
    finally:
        for module in DISPATCHING:
            module._use_baseline(False)


@pytest.mark.parametrize("law", ["ulaw", "alaw"])
def test_all_of_g711(law):
    """All codes and all samples come out the same, wherever in a vector they stand."""
    encode, decode = getattr(g711, f"{law}_encode"), getattr(g711, f"{law}_decode")
    for shift in (0, 1, 7, 31):
        fast, slow = both(lambda shift=shift: (encode(ALL_PCM[2 * shift :]), decode(bytes(range(256))[shift:] * 3)))
        assert fast == slow


@given(st.binary(max_size=140))
def test_any_length_of_g711(data):
    """What does not fill a vector is companded all the same."""
    fast, slow = both(lambda: (g711.ulaw_decode(data), g711.alaw_decode(data)))
    assert fast == slow
    even = data[: len(data) // 2 * 2]
    fast, slow = both(lambda: (g711.ulaw_encode(even), g711.alaw_encode(even)))
    assert fast == slow


@given(pcm_strategy)
def test_any_level(data):
    """A meter reads the same."""
    fast, slow = both(lambda: repr(meter.measure(data)))
    assert fast == slow


@pytest.mark.parametrize("value", [-32768, 32767, -32124, 32124])
def test_extreme_levels(value):
    """No sum overflows: neither for long signals nor for the one sample whose negative there is not."""
    data = np.full(150_003, value, dtype="<i2").tobytes()
    fast, slow = both(lambda: meter.measure(data))
    assert repr(fast) == repr(slow)
    assert (fast.peak, fast.clipped, fast.dc, fast.samples) == (abs(value), 150_003, value, 150_003)


@pytest.mark.parametrize("rate_in", RATES)
def test_any_ratio(rate_in):
    """A resampler gives the same bits at every pair of common rates."""
    for rate_out in RATES:
        fast, slow = both(lambda rate_out=rate_out: resample.Resampler(rate_in, rate_out).process(SPEECH_LIKE))
        assert fast == slow


def test_saturation():
    """What overshoots saturates in the same way."""
    square = pcm(np.repeat([32767.0, -32768.0] * 40, 21))
    for rates in ((8000, 16000), (24000, 8000), (8000, 24000), (22050, 8000)):
        fast, slow = both(lambda rates=rates: resample.Resampler(*rates).process(square))
        assert fast == slow
        assert {-32768, 32767} <= set(np.frombuffer(fast, "<i2").tolist())
