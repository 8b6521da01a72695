"""The unicast line over real UDP sockets on the loopback interface."""

import socket
from collections import Counter
from contextlib import contextmanager

import numpy as np
import pytest
import trio

from tomrt.audio import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode
from tomrt.errors import SwitchError
from tomrt.events import CallInfo, Dialect, LineAudio, LineClosed, LineDigit
from tomrt.gateway.freeswitch_unicast import UnicastRoute, open_unicast
from tomrt.gateway.port_pairs import PortPair, PortPairs
from tomrt.gateway.refusal import Busy

FRAME_S = 0.020


class Switch:
    """The switch's end of one call's packets, and the line that is tried."""

    def __init__(self, udp, line, counts):
        self.udp, self.line, self.counts = udp, line, counts

    async def stream(self, packets, *, udp=None):
        """Send *packets* on an absolute grid; ``None`` is a packet that is lost."""
        begun = trio.current_time()
        for number, packet in enumerate(packets):
            await trio.sleep_until(begun + number * FRAME_S)
            if packet is not None:
                (udp or self.udp).sendto(packet, self.line_address)

    async def frames(self, count):
        """Return the next *count* frames of the line."""
        heard = []
        while len(heard) < count:
            with trio.fail_after(3):
                event = await self.line.receive()
            assert isinstance(event, LineAudio)
            heard.append(event.pcm)
        return heard


@contextmanager
def unicast(*, codec="ulaw", rate_hz=8000, silent_timeout_s=5.0):
    counts = Counter()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as theirs,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe,
    ):
        theirs.bind(("127.0.0.1", 0))
        theirs.setblocking(False)
        probe.bind(("127.0.0.1", 0))
        ours = probe.getsockname()
        probe.close()
        with open_unicast(
            UnicastRoute(switch=theirs.getsockname(), ours=ours),
            info=CallInfo(call_id="c", dialect=Dialect.UNICAST, rate_hz=rate_hz),
            codec=codec,
            silent_timeout_s=silent_timeout_s,
            note=lambda what, kind: counts.update([f"{what}/{kind}"]),
        ) as line:
            switch = Switch(theirs, line, counts)
            switch.line_address = ours
            yield switch


def tones(count, rate_hz=8000):
    """Return *count* packets of a voice-like sound as PCM frames, no two alike."""
    times = np.arange(count * rate_hz // 50) / rate_hz
    sound = 6000 * np.sin(2 * np.pi * (300 + 200 * times) * times)
    return [frame.astype("<i2").tobytes() for frame in sound.reshape(count, -1)]


@pytest.mark.parametrize(
    ("codec", "rate_hz", "encode"),
    [("ulaw", 8000, ulaw_encode), ("alaw", 8000, alaw_encode), ("pcm16", 8000, bytes), ("pcm16", 16000, bytes)],
)
async def test_every_packet_is_heard_once_and_in_order(codec, rate_hz, encode):
    """A clean stream comes out as it went in, sample by sample, behind the silence before its first packet."""
    with unicast(codec=codec, rate_hz=rate_hz) as switch:
        packets = [encode(frame) for frame in tones(15, rate_hz)]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(switch.stream, packets)
            heard = await switch.frames(15)
        decode = {"ulaw": ulaw_decode, "alaw": alaw_decode, "pcm16": bytes}[codec]
        assert heard == [decode(packet) for packet in packets]
        assert not switch.counts


async def test_only_the_peer_is_heard():
    """Packets from another port of the same host are not heard, and nothing is sent there."""
    with unicast() as switch, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.setblocking(False)
        loud = ulaw_encode(b"\x00\x40" * 160)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: switch.stream([b"\xff" * 160] * 12))
            nursery.start_soon(lambda: switch.stream([loud] * 12, udp=stranger))
            heard = await switch.frames(12)
        await switch.line.send_audio(bytes(320))
        assert not any(any(frame) for frame in heard)
        assert switch.udp.recv(2048)
        with pytest.raises(BlockingIOError):
            stranger.recv(2048)


@pytest.mark.parametrize("size", [0, 1, 80, 159, 161, 320, 640, 1472])
async def test_packets_of_another_size_are_counted_and_not_heard(size):
    """A packet that is no frame is dropped; those around it are heard."""
    with unicast() as switch:
        packets = [ulaw_encode(frame) for frame in tones(10)]
        packets[4] = bytes(size)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(switch.stream, packets)
            heard = await switch.frames(9)
        assert switch.counts == {"unicast/size": 1}
        assert heard == [ulaw_decode(packet) for packet in (*packets[:4], *packets[5:])]


async def test_a_gap_is_concealed_and_time_goes_on():
    """Where packets are missing there is sound all the same, and the line is at most 60 ms behind the clock."""
    with unicast() as switch:
        packets = [ulaw_encode(frame) for frame in tones(20)]
        packets[10:15] = [None] * 5
        async with trio.open_nursery() as nursery:
            nursery.start_soon(switch.stream, packets)
            heard = await switch.frames(17)
        assert all(any(frame) for frame in heard)
        assert heard[:10] == [ulaw_decode(packet) for packet in packets[:10]]
        assert heard[10] != ulaw_decode(packets[15])


async def test_a_stall_of_ours_loses_nothing():
    """When the loop was held up, what waited in the kernel is heard at once, all of it."""
    with unicast() as switch:
        packets = [ulaw_encode(frame) for frame in tones(12)]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(switch.stream, packets)
            assert await switch.frames(1) == [ulaw_decode(packets[0])]
        assert await switch.frames(11) == [ulaw_decode(packet) for packet in packets[1:]]


@pytest.mark.parametrize("size", [160, 320])
async def test_gaps_filled_by_the_switch_are_silence(size):
    """Packets of ``ff`` bytes, of either length, are silence in A-law, too, where they would be a click."""
    with unicast(codec="alaw") as switch:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: switch.stream([b"\xff" * size] * 6))
            assert not any(any(frame) for frame in await switch.frames(6))


async def test_what_the_event_socket_knows_comes_at_once():
    """Keys and the hang-up do not wait for a packet; after the end there is only the end."""
    with unicast() as switch:
        switch.line.tell(LineDigit("5"))
        switch.line.tell(LineClosed("hangup", "NORMAL_CLEARING"))
        assert await switch.line.receive() == LineDigit("5")
        assert await switch.line.receive() == LineClosed("hangup", "NORMAL_CLEARING")
        assert await switch.line.receive() == LineClosed("hangup", "NORMAL_CLEARING")


async def test_a_switch_that_cannot_reach_us_is_noticed():
    """When not a single packet comes the line is idle, and it is counted why."""
    with unicast(silent_timeout_s=0.2) as switch:
        with trio.fail_after(3):
            while not isinstance(event := await switch.line.receive(), LineClosed):
                pass
        assert event == LineClosed("idle")
        assert switch.counts == {"unicast/no_audio": 1}


async def test_a_switch_that_is_gone_is_no_error():
    """Sending to a port that was closed is counted; the event socket tells that the call has ended."""
    with unicast() as switch:
        switch.udp.close()
        for _ in range(4):
            await switch.line.send_audio(bytes(320))
        assert switch.counts["unicast/unreachable"] >= 1


async def test_a_port_that_is_taken_is_told():
    """A port somebody else has is one sentence that names it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        route = UnicastRoute(switch=("127.0.0.1", 9), ours=other.getsockname())
        info = CallInfo(call_id="c", dialect=Dialect.UNICAST)
        line = open_unicast(route, info=info, codec="ulaw", silent_timeout_s=1.0, note=lambda *_: None)
        with pytest.raises(SwitchError, match=r"127\.0\.0\.1 UDP port \d+: Address already in use"), line:
            pass


def test_port_pairs_are_lent_and_come_back():
    """Every pair is lent once at a time, the one given back longest ago first, and none is left over."""
    pairs = PortPairs(26_001, 26_006)
    with pairs.lend() as first, pairs.lend() as second:
        assert (first, second) == (PortPair(switch=26_002, ours=26_003), PortPair(switch=26_004, ours=26_005))
        with pytest.raises(Busy), pairs.lend():
            pass
    assert pairs.free == 2
    with pairs.lend() as again:
        assert again == second


async def test_a_flood_of_keys_is_bounded_and_the_end_is_told():
    """More keys than anybody can press are dropped and counted; the hang-up behind them is not."""
    with unicast() as switch:
        for _ in range(1_000):
            switch.line.tell(LineDigit("1"))
        switch.line.tell(LineClosed("hangup"))
        events = 0
        while not isinstance(await switch.line.receive(), LineClosed):
            events += 1
        assert events == 256
        assert switch.counts == {"unicast/told_dropped": 744}
