"""The face of the resampler."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.audio import Resampler, resample
from tomrt.errors import MisuseError

RATES = st.sampled_from([8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000])


@given(RATES, RATES, st.integers(0, 600), st.integers(1, 200))
def test_stream_equals_whole(rate_in, rate_out, count, piece):
    """Any pair of common rates works; a stream in pieces is the whole, of exactly the documented length."""
    pcm = bytes(range(256)) * 8
    pcm = pcm[: 2 * count]
    stream = Resampler(rate_in, rate_out)
    parts = [stream.process(pcm[at : at + 2 * piece]) for at in range(0, len(pcm), 2 * piece)]
    assert resample(pcm, rate_in, rate_out) == b"".join(parts) + stream.flush()
    assert 2 * math.ceil(count * rate_out / rate_in) == len(resample(pcm, rate_in, rate_out))


def test_properties():
    """Rates and delay can be read; the delay is 3 ms where 8 kHz is concerned."""
    stream = Resampler(24000, 8000)
    assert (stream.rate_in, stream.rate_out, stream.delay_s) == (24000, 8000, 0.003)
    assert (stream.delay_samples, Resampler(8000, 16000).delay_samples, Resampler(22050, 8000).delay_samples) == (
        72,
        24,
        67,
    )
    assert (Resampler(16000, 16000).delay_s, Resampler(16000, 16000).delay_samples) == (0.0, 0)


def test_reset_forgets():
    """After a reset nothing is due."""
    stream = Resampler(8000, 16000)
    stream.process(b"\1\1" * 100)
    stream.reset()
    assert stream.flush() == b""


@pytest.mark.parametrize("rates", [(7999, 8000), (8000, 48001), (0, 8000), (16000, -1), (47999, 48000)])
def test_refused_rates(rates):
    """Rates outside 8 to 48 kHz and hopeless ratios are misuse."""
    with pytest.raises(MisuseError, match=r"8000 to 48000|too odd"):
        Resampler(*rates)


def test_refused_pieces():
    """Half a sample is misuse."""
    with pytest.raises(MisuseError, match="even number"):
        Resampler(8000, 16000).process(b"123")
