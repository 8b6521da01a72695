"""Frames of equal length out of pieces of any."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.audio import FRAME_MS, Framer, frame_bytes
from tomrt.errors import MisuseError


@given(st.lists(st.binary(max_size=50), max_size=20), st.integers(1, 40))
def test_nothing_is_lost_or_moved(chunks, length):
    """Frames and rest together are the stream; all frames are whole, the rest is not."""
    framer = Framer(length)
    frames = [frame for chunk in chunks for frame in framer.push(chunk)]
    rest = framer.rest()
    assert b"".join(chunks) == b"".join(frames) + rest
    assert {length} >= {len(frame) for frame in frames}
    assert len(rest) < length
    assert framer.rest() == b""


def test_frame_lengths():
    """A frame is 20 ms of 16-bit mono."""
    assert FRAME_MS == 20
    assert [frame_bytes(rate_hz) for rate_hz in (8000, 16000, 22050, 48000)] == [320, 640, 882, 1920]


@pytest.mark.parametrize("rate_hz", [0, -8000, 11025])
def test_refused_rates(rate_hz):
    """A rate at which 20 ms are not whole samples is refused."""
    with pytest.raises(MisuseError, match=f"not at {rate_hz} Hz"):
        frame_bytes(rate_hz)


def test_refused_length():
    """A frame of nothing is refused."""
    with pytest.raises(MisuseError, match="at least one byte, not 0"):
        Framer(0)
