"""Hostile packets against RTP: after each of them a call that was already on has heard all, and a new one is taken."""

import random
import socket
import sys
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio
from rtp_world import FRAME_S, Peer, RtpWorld, eventually, hears_all, key, packet, received

from tomrt.wire.rtcp import Goodbye, ReceiverReport, write_rtcp
from tomrt.wire.rtp import RtpExtension, RtpPacket, write_rtp

FRAMES = 20
Attack = Callable[[RtpWorld, Peer], Awaitable[None]]
ATTACKS: dict[str, Attack] = {}
FLOOD = """
import socket, sys, time
port, seconds, source = int(sys.argv[1]), float(sys.argv[2]), bytes.fromhex(sys.argv[3])
flooder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
begin = time.monotonic()
sent = 0
while (now := time.monotonic() - begin) < seconds:
    while sent < now * 10000:
        head = b"\\x80\\x00" + (sent % 65536).to_bytes(2, "big") + (sent * 160 % 2**32).to_bytes(4, "big")
        flooder.sendto(head + source + bytes(160), ("127.0.0.1", port))
        sent += 1
    time.sleep(0.0005)
print(sent)
"""


def attack(function: Attack) -> Attack:
    """Add an attack to the catalogue."""
    ATTACKS[function.__name__] = function
    return function


def rogue(host: str = "127.0.0.1") -> socket.socket:
    """Return a socket of somebody else."""
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.setblocking(False)
    opened.bind((host, 0))
    return opened


async def repeat(send: Callable[[int], object], times: int = 10) -> None:
    """Do something every 20 ms."""
    for turn in range(times):
        send(turn)
        await trio.sleep(FRAME_S)


@attack
async def garbage(world: RtpWorld, good: Peer) -> None:
    """Bytes of all lengths that are no RTP, from another port."""
    dice = random.Random(1)
    with rogue() as other:
        for size in (0, 1, 2, 11, 12, 13, 100, 172, 1500):
            other.sendto(dice.randbytes(size), ("127.0.0.1", world.port))
            other.sendto(bytes(size), ("127.0.0.1", world.port))
        await trio.sleep(0.1)
        assert received(other) == []


@attack
async def garbage_from_the_call_itself(world: RtpWorld, good: Peer) -> None:
    """The same from the call's own address."""
    dice = random.Random(2)
    await repeat(lambda turn: good.send(bytes([dice.choice([0, 0x40, 0xC0])]) + dice.randbytes(turn * 20)))


@attack
async def another_host(world: RtpWorld, good: Peer) -> None:
    """The call's next packets from an address that may not send: not looked at, and never answered."""
    with rogue("127.0.0.2") as other:
        await repeat(lambda turn: other.sendto(packet(good.index + turn, bytes(160)), ("127.0.0.1", world.port)))
        assert world.counts["rtp/not_allowed"] == 10
        assert received(other) == []
    assert len(world.calls) == 1


@attack
async def another_port(world: RtpWorld, good: Peer) -> None:
    """The call's next packets from another port of its host (RTP bleed): a call of its own at most."""
    with rogue() as other:
        await repeat(lambda turn: other.sendto(packet(good.index + 2 * turn), ("127.0.0.1", world.port)))
        assert received(other) == []
        assert len(world.calls) == 1


@attack
async def wrong_sizes(world: RtpWorld, good: Peer) -> None:
    """Payloads that are no frame, from the call's own address, also longer than a datagram may be here."""
    for size in (0, 1, 7, 79, 81, 159, 161, 640, 1000, 1460, 2036, 2037, 9000, 60_000):
        good.send(packet(0, bytes(size)))
        await trio.sleep(FRAME_S / 2)
    assert world.counts["rtp/too_long"] >= 2
    assert world.counts["rtp/malformed_payload"] >= 10


@attack
async def sequence_jumps(world: RtpWorld, good: Peer) -> None:
    """Single packets far ahead and far behind."""
    dice = random.Random(3)
    await repeat(
        lambda _: good.send(packet(good.index + dice.choice([4000, 9001, 20_000, 30_000]) + dice.randrange(99)))
    )


@attack
async def duplicates(world: RtpWorld, good: Peer) -> None:
    """Packets that came already, many times."""

    def again(_: int) -> None:
        for back in range(1, 4):
            good.send(packet(max(good.index - back, 0)))

    await repeat(again, 20)
    assert world.calls[0].line.jitter.counts.duplicate >= 40


@attack
async def an_hour_old(world: RtpWorld, good: Peer) -> None:
    """Packets of an hour ago, not in a row."""
    await repeat(lambda turn: good.send(packet(good.index - 180_000 + 2 * turn)))


@attack
async def another_source(world: RtpWorld, good: Peer) -> None:
    """Packets of another source from the call's own address, one now and then."""
    await repeat(lambda turn: good.send(packet(turn, bytes(160), ssrc=0x5EED, sequence=7 * turn)))
    assert world.counts["rtp/other_source"] == 10


@attack
async def sources_that_change_all_the_time(world: RtpWorld, good: Peer) -> None:
    """A call of which each packet is of another source."""
    with rogue() as other:
        await repeat(lambda turn: other.sendto(packet(turn, ssrc=turn), ("127.0.0.1", world.port)), 20)
    assert len(world.calls) == 1


@attack
async def flood_of_a_busy_port(world: RtpWorld, good: Peer) -> None:
    """10,000 packets a second of one source, from another process."""
    await flood(world.port)
    assert world.counts["rtp/flood"] > 500


@attack
async def flood_of_the_report_port(world: RtpWorld, good: Peer) -> None:
    """10,000 datagrams a second where reports are taken."""
    await flood(world.port + 1)
    assert world.counts["rtp/strange_report"] > 500


async def flood(port: int) -> None:
    """Run a flooder for 0.3 s."""
    await trio.run_process([sys.executable, "-c", FLOOD, str(port), "0.3", "0badcafe"], capture_stdout=True)


@attack
async def garbage_reports(world: RtpWorld, good: Peer) -> None:
    """Reports that are none, on both ports, from the call's own addresses."""
    dice = random.Random(4)
    for turn in range(10):
        good.report_raw(dice.randbytes(turn * 8))
        good.report_raw(b"\x80\xc9\x00\x01" + dice.randbytes(turn))
        good.send(b"\x81\xc8" + dice.randbytes(turn * 8))
        await trio.sleep(FRAME_S)
    assert world.counts["rtp/malformed_report"] >= 15


@attack
async def goodbyes_of_others(world: RtpWorld, good: Peer) -> None:
    """BYE for the call's source from another port, and for another source from the call's own: no call ends."""
    goodbye = write_rtcp(ReceiverReport(ssrc=good.ssrc), Goodbye(sources=(good.ssrc,)))
    with rogue() as other, rogue("127.0.0.2") as foreign:
        for port in (world.port, world.port + 1):
            other.sendto(goodbye, ("127.0.0.1", port))
            foreign.sendto(goodbye, ("127.0.0.1", port))
        good.report(ReceiverReport(ssrc=good.ssrc), Goodbye(sources=(1, 2, 3)))
        good.report(ReceiverReport(ssrc=good.ssrc), Goodbye())
        await trio.sleep(0.1)
        assert received(other) == received(foreign) == []
    assert world.admission.active == 1


@attack
async def reports_that_lie(world: RtpWorld, good: Peer) -> None:
    """Reports with impossible figures from the call's own address."""
    for data in ("81c90007" + "0000ca11" + "ff" * 24, "80c80006" + "0000ca11" + "ff" * 20):
        good.report_raw(bytes.fromhex(data))
    await trio.sleep(0.1)


@attack
async def use_after_end(world: RtpWorld, good: Peer) -> None:
    """A peer that was hung up on and goes on sending: not heard, not answered, no other call."""
    other = Peer(world, ssrc=0x0DD)
    await other.speak(4)
    await world.calls[-1].line.hang_up("ended")
    await eventually(lambda: world.measured)
    other.heard()
    await other.speak(10)
    assert other.heard() == []
    assert world.counts["rtp/after_end"] == 10
    other.close()


@attack
async def unknown_payloads(world: RtpWorld, good: Peer) -> None:
    """Payload types that nobody agreed on, from a stranger and within the call."""
    with rogue() as other:
        for number in range(128):
            if number not in {0, 8, 101, 118}:
                other.sendto(packet(number, payload_type=number), ("127.0.0.1", world.port))
        await repeat(lambda turn: good.send(packet(0, payload_type=13 + turn)))
        assert received(other) == []
    assert len(world.calls) == 1


@attack
async def keys_without_end(world: RtpWorld, good: Peer) -> None:
    """A call of a hundred key presses at once, and of events that are no keys."""
    other = Peer(world, ssrc=0x0DD)
    await other.speak(2)
    for index in range(2, 100):
        other.send(key(index, index, index % 256, 65_535, ssrc=other.ssrc))
        other.send(packet(index, bytes(index % 9), payload_type=101, ssrc=other.ssrc))
    await trio.sleep(0.1)
    other.close()


@attack
async def many_addresses(world: RtpWorld, good: Peer) -> None:
    """One packet each from 200 ports."""
    for turn in range(200):
        with rogue() as other:
            other.sendto(packet(turn), ("127.0.0.1", world.port))
        if turn % 20 == 0:
            await trio.sleep(FRAME_S / 2)
    assert len(world.calls) == 1
    assert world.door.strangers <= 201


@attack
async def our_own_voice(world: RtpWorld, good: Peer) -> None:
    """All that we send, sent back to us."""

    def back(_: int) -> None:
        for data in received(good.sockets.rtp):
            good.send(data)

    await repeat(back, 15)
    assert world.counts["rtp/looped"] >= 5


@attack
async def heads_with_all_there_is(world: RtpWorld, good: Peer) -> None:
    """Sources, extension and padding: as long as there may be, and longer than there is."""
    full = RtpPacket(
        payload_type=0,
        sequence=0xFFF0,
        timestamp=0xFFFFF000,
        ssrc=good.ssrc,
        payload=bytes(160),
        sources=tuple(range(15)),
        extension=RtpExtension(0xBEDE, bytes(800)),
    )
    data = write_rtp(full, padded_to=255)
    for cut in range(0, len(data), 40):
        good.send(data[:cut])
        await trio.sleep(FRAME_S / 4)
    good.send(data)


@attack
async def squatting(world: RtpWorld, good: Peer) -> None:
    """Somebody else who wants to listen at our ports, by every means a socket has."""
    for port in (world.port, world.port + 1):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            with pytest.raises(OSError, match="in use"):
                other.bind(("127.0.0.1", port))


@attack
async def other_protocols(world: RtpWorld, good: Peer) -> None:
    """What else comes to UDP ports: SIP, STUN, DTLS, DNS."""
    with rogue() as other:
        for data in (
            b"OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP x\r\n\r\n",
            bytes.fromhex("000100002112a442") + bytes(12),
            bytes.fromhex("16fefd0000000000000000") + bytes(50),
            bytes.fromhex("123401000001000000000000") + b"\x03www\x00\x00\x01\x00\x01",
        ):
            for port in (world.port, world.port + 1):
                other.sendto(data, ("127.0.0.1", port))
            good.send(data)
        await trio.sleep(0.1)
        assert received(other) == []


@pytest.mark.parametrize("name", ATTACKS)
async def test_a_running_call_hears_all_and_a_new_one_is_taken(name):
    """Whatever comes meanwhile, each frame of a call that is on is heard, in order, and the next call is answered."""
    async with RtpWorld().listening() as world:
        good = Peer(world)
        await good.speak(3)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(ATTACKS[name], world, good))
            nursery.start_soon(good.speak, FRAMES)
        call = world.calls[0]
        await eventually(lambda: hears_all(call, range(3 + FRAMES)))
        assert call.line.jitter.counts.restarts == 0
        assert call.closed is None
        assert not [each for each in world.counts if each.startswith("crashed/")]

        good.heard()
        good.close()
        calls = len(world.calls)
        fresh = Peer(world, ssrc=0xF4E5)
        await fresh.speak(6)
        await eventually(lambda: len(world.calls) > calls and hears_all(world.calls[-1], range(6)))
        await eventually(lambda: len(world.calls[-1].heard) >= 320 * 8)
        assert fresh.heard()
        fresh.close()


def test_the_catalogue_is_whole():
    """At least fifteen kinds of hostile packets are tried."""
    assert len(ATTACKS) >= 15
