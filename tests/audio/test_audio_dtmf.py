"""The keypad's face: checks at the border, and eSpeak's voices are no digits."""

from __future__ import annotations

import pytest

from tomrt.audio.dtmf import Digit, DtmfDetector, dtmf
from tomrt.errors import MisuseError


def test_there_and_back():
    """Made digits are heard, each with its place."""
    detector = DtmfDetector(8000)
    line = dtmf("20*", 8000)
    heard = [digit for at in range(0, len(line), 320) for digit in detector.push(line[at : at + 320])]
    assert [digit.key for digit in heard] == ["2", "0", "*"]
    assert isinstance(heard[0], Digit)
    assert [abs(digit.position_ms - 160 * number) <= 6 for number, digit in enumerate(heard)] == [True] * 3


@pytest.mark.parametrize("rate_hz", [44100, "8000", None, 2**80])
def test_wrong_rate(rate_hz):
    """Another rate is a mistake of the caller, and called one."""
    with pytest.raises(MisuseError):
        DtmfDetector(rate_hz)


@pytest.mark.parametrize("pcm", [b"odd", "text", None, 5])
def test_wrong_samples(pcm):
    """What is not 16-bit PCM is refused, and the stream goes on."""
    detector = DtmfDetector(8000)
    with pytest.raises(MisuseError):
        detector.push(pcm)
    assert [digit.key for digit in detector.push(dtmf("4", 8000))] == ["4"]


@pytest.mark.parametrize("wrong", [{"digits": "x"}, {"digits": None}, {"rate_hz": 1}, {"on_ms": -1}, {"level_dbfs": 0}])
def test_wrong_tones(wrong):
    """Tones that make no sense are refused."""
    with pytest.raises(MisuseError):
        dtmf(**({"digits": "1", "rate_hz": 8000} | wrong))


def test_reset():
    """After a reset positions count from the beginning."""
    detector = DtmfDetector(16000)
    detector.push(dtmf("1", 16000))
    detector.reset()
    assert detector.push(dtmf("9", 16000)) == [Digit("9", 0)]
