"""The face of the concealment kernel."""

from __future__ import annotations

import pytest

from tomrt.audio.concealment import Concealer
from tomrt.errors import MisuseError


def test_good_and_lost():
    """A frame that arrived is itself, a lost one is made up, and the state can be asked for."""
    concealer = Concealer(8000)
    frame = bytes(range(160)) * 2
    assert concealer.good(frame) is frame
    assert not concealer.losing
    assert len(concealer.lost()) == 320
    assert len(concealer.lost(60)) == 960
    assert concealer.losing
    assert concealer.rate_hz == 8000
    concealer.reset()
    assert concealer.lost() == bytes(320)


@pytest.mark.parametrize("rate_hz", [0, -8000, 44100, 2**40, "8000", None])
def test_refused_rates(rate_hz):
    """Other rates are misuse."""
    with pytest.raises(MisuseError):
        Concealer(rate_hz)


@pytest.mark.parametrize("frame", [b"", b"123", bytes(100), bytes(16 * 130), "text", None, 5])
def test_refused_frames(frame):
    """Other lengths than 10 to 120 ms, and what is not bytes, are misuse."""
    with pytest.raises(MisuseError):
        Concealer(8000).good(frame)


@pytest.mark.parametrize("ms", [0, -10, 5, 15, 130, 2**40, "20"])
def test_refused_lengths(ms):
    """A lost frame has 10 to 120 ms, too."""
    with pytest.raises(MisuseError):
        Concealer(8000).lost(ms)
