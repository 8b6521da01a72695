"""A line in packets, heard like any other."""

import pytest
from fakes.speech import noise, speech

from tomrt.audio import PacketIngress, ulaw_encode
from tomrt.errors import MisuseError

FRAME = 320


def hear(line: PacketIngress, packets: list[bytes], *, lost: set[int] = frozenset(), swap: bool = False) -> list:
    """Send one packet each 20 ms, without those in *lost* and with pairs swapped if wanted; return the reports."""
    order = list(range(len(packets)))
    if swap:
        order[40:60] = [index ^ 1 for index in order[40:60]]
    reports = []
    for tick, index in enumerate(order):
        now = tick * 0.02
        if index not in lost:
            line.insert(index & 0xFFFF, index * 160, packets[index], now)
        reports += line.pull(now + 0.001)
    return reports


def cut(pcm: bytes) -> list[bytes]:
    """Return 20 ms packets."""
    return [pcm[start : start + FRAME] for start in range(0, len(pcm), FRAME)]


PCM = noise(1.0, dbfs=-60.0) + speech(1.5) + noise(1.5, dbfs=-60.0, seed=1)


@pytest.mark.parametrize("codec", ["pcm16", "ulaw"])
@pytest.mark.parametrize("trouble", [{}, {"lost": {70, 71, 90}}, {"swap": True}], ids=["steady", "lost", "swapped"])
def test_speech_is_heard_through_loss_and_disorder(codec, trouble):
    """Each pull gives one report; the utterance begins and ends where it was said, whatever the network did."""
    line = PacketIngress(8000, codec=codec)
    packets = [ulaw_encode(packet) if codec == "ulaw" else packet for packet in cut(PCM)]
    reports = hear(line, packets, **trouble)
    assert list(range(len(packets))) == [report.index for report in reports]
    heard = [report.index for report in reports if report.speech]
    assert 50 <= heard[0] <= 60
    assert 120 <= heard[-1] <= 140
    assert len(heard) >= 65
    counts = line.jitter.counts
    assert counts.received == len(packets) - len(trouble.get("lost", ()))


def test_wrong_arguments():
    """A codec, a rate or a payload that cannot be is refused in one sentence."""
    with pytest.raises(MisuseError):
        PacketIngress(8000, codec="opus")
    with pytest.raises(MisuseError):
        PacketIngress(11025)
    with pytest.raises(MisuseError):
        PacketIngress(8000).insert(0, 0, b"\0" * 7, 0.0)
