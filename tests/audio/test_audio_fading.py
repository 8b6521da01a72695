"""Fades by time."""

from __future__ import annotations

import pytest

from tomrt.audio import fade_in, fade_out, fade_samples
from tomrt.errors import MisuseError


def test_length():
    """A fade of some milliseconds is that many samples, rounded."""
    assert [
        fade_samples(8000, 8),
        fade_samples(16000, 8.0),
        fade_samples(22050, 5),
        fade_samples(8000, 0),
    ] == [64, 128, 110, 0]


def test_cut_off_in_one_frame():
    """A frame that is faded out over 8 ms ends in silence; its successor fades in from silence."""
    frame = b"\x10\x27" * 160
    out, back = fade_out(frame, fade_samples(8000, 8)), fade_in(frame, fade_samples(8000, 8))
    assert bytes(2 * 96) == out[128:]
    assert frame[128:] == back[128:]
    assert back[:2] < b"\x10"


@pytest.mark.parametrize("arguments", [(0, 5), (8000, -1)])
def test_refused(arguments):
    """A fade without sense is refused."""
    with pytest.raises(MisuseError, match="No fade lasts"):
        fade_samples(*arguments)
