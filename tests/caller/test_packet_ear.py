"""A phone's ear: a packet is a frame, one for each 20 ms, in the order in which they come."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.audio import ulaw_decode, ulaw_encode
from tomrt.caller.packet_ear import PacketEar
from tomrt.caller.packet_form import bare_l16, bare_pcmu, rtp_l16, rtp_pcmu
from tomrt.caller.packet_player import MAX_FRAMES, PacketPlayer
from tomrt.errors import ProtocolError

FRAME = 160
FORMS = [
    (bare_pcmu, 8000),
    (lambda: bare_l16(8000), 8000),
    (lambda: bare_l16(16000), 16000),
    (rtp_pcmu, 8000),
    (rtp_l16, 16000),
]


def frame(value: int, samples: int = FRAME) -> bytes:
    """Return 20 ms of one value."""
    return np.full(samples, value, "<i2").tobytes()


def values(player: PacketPlayer) -> list[tuple[int, int]]:
    """Return what was heard as runs: value, samples."""
    heard = np.frombuffer(bytes(player.heard), "<i2")
    edges = [0, *(np.flatnonzero(np.diff(heard)) + 1), len(heard)]
    return [(int(heard[a]), int(b - a)) for a, b in pairwise(edges)]


def test_packets_play_from_their_arrival_on():
    """The first plays at once, the others 20 ms apart however they jitter, as long as they are in time."""
    player = PacketPlayer(rate_hz=8000)
    for value, at in ((1, 100), (2, 250), (3, 415), (4, 470)):
        player.play(frame(value), at)
    player.advance(900)
    assert values(player) == [(0, 100), (1, FRAME), (2, FRAME), (3, FRAME), (4, FRAME), (0, 160)]
    assert player.late_frames == 0


def test_a_late_packet_is_played_a_frame_later():
    """A frame whose packet has not come is silent, and from then on there is a frame in reserve."""
    player = PacketPlayer(rate_hz=8000)
    for value, at in ((1, 0), (2, 170), (3, 325), (4, 500)):
        player.play(frame(value), at)
    player.advance(5 * FRAME)
    assert values(player) == [(1, FRAME), (0, FRAME), (2, FRAME), (3, FRAME), (4, FRAME)]
    assert player.late_frames == 1


def test_after_a_pause_the_grid_begins_anew():
    """A packet after 100 ms without any is heard at once."""
    player = PacketPlayer(rate_hz=8000)
    player.play(frame(1), 0)
    player.play(frame(2), 1000)
    player.drain()
    assert values(player) == [(1, FRAME), (0, 1000 - FRAME), (2, FRAME)]


def test_a_burst_is_more_than_a_phone_holds():
    """Ten frames wait; the rest is thrown away, counted, and told as a fault."""
    ear = PacketEar(8000, bare_l16(8000))
    for value in range(1, 30):
        ear.binary(frame(value), 0)
    ear.player.drain()
    assert ear.player.dropped_samples == FRAME * (29 - MAX_FRAMES)
    assert len(ear.player.heard) == 2 * FRAME * MAX_FRAMES
    assert ear.faults == ["packets came in bursts: more than 10 of them waited, and a phone holds no more"]
    assert ear.packets == 29


@pytest.mark.parametrize(("form", "rate_hz"), FORMS)
def test_forms_give_back_what_they_pack(form, rate_hz):
    """Whatever the form, 20 ms come back as they were, up to the codec."""
    made = form()
    pcm = (3000 * np.sin(np.arange(rate_hz // 50) * 0.3)).astype("<i2").tobytes()
    packet = made.pack(pcm)
    assert made.unpack(packet) in (pcm, ulaw_decode(ulaw_encode(pcm)))
    assert made.unpack(packet) == made.unpack(packet)


@pytest.mark.parametrize("size", [0, 80, 161, 320])
def test_a_packet_of_another_size_is_not_heard(size):
    """FreeSWITCH's phones do not hear 10 or 40 ms at once; it is a fault of the service."""
    ear = PacketEar(8000, bare_pcmu())
    ear.binary(bytes(size), 0)
    assert f"a packet of {size} bytes is not heard" in ear.faults[0]
    assert ear.player.queued_samples == 0


def test_rtp_counts_packets_and_samples():
    """Sequence numbers and timestamps go up by one and by 20 ms, over their ends, with one source."""
    form = rtp_pcmu()
    heads = [form.pack(frame(0))[:12] for _ in range(3)]
    numbers = [int.from_bytes(head[2:4], "big") for head in heads]
    stamps = [int.from_bytes(head[4:8], "big") for head in heads]
    assert [(b - a) % 65536 for a, b in pairwise(numbers)] == [1, 1]
    assert [(b - a) % 2**32 for a, b in pairwise(stamps)] == [FRAME, FRAME]
    assert len({head[8:] for head in heads}) == 1
    assert {(head[0], head[1]) for head in heads} == {(0x80, 0)}


@pytest.mark.parametrize(
    ("packet", "sentence"),
    [
        (b"abc", "no RTP"),
        (bytes(172), "no RTP"),
        (b"\x90\0" + bytes(170), "extension"),
        (b"\x80\0" + bytes(90), "20 ms"),
    ],
)
def test_what_is_no_audio_over_rtp(packet, sentence):
    """Each fault is told in a sentence; other payload types are only counted."""
    form = rtp_pcmu()
    with pytest.raises(ProtocolError, match=sentence):
        form.unpack(packet)
    assert form.unpack(b"\x80\x65" + bytes(14)) == b""
    assert form.other == 1


@given(st.lists(st.tuples(st.binary(max_size=400), st.integers(0, 400)), max_size=20))
def test_no_packet_crashes_the_ear(packets):
    """Whatever comes whenever, what was heard has the length of the call."""
    for form in (bare_pcmu(), rtp_pcmu(), rtp_l16()):
        ear, at = PacketEar(8000, form), 0
        for packet, later in packets:
            at += later
            ear.binary(packet, at)
        ear.advance(at + 10)
        assert len(ear.player.heard) == 2 * (at + 10)
