"""A door for RTP on real sockets, and peers of it, for the tests of the gateway."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio

from tomrt.audio import ulaw_decode
from tomrt.events import LineAudio, LineClosed, LineEvent
from tomrt.gateway.admission import Admission
from tomrt.gateway.rtp import RtpDoor, open_rtp_sockets
from tomrt.gateway.rtp_sockets import RtpSockets
from tomrt.happenings import Happening, LineMeasured
from tomrt.ports import Transport
from tomrt.settings import Rtp
from tomrt.wire.rtcp import RtcpPacket, parse_rtcp, write_rtcp
from tomrt.wire.rtp import RtpPacket, looks_like_rtcp, parse_rtp, write_rtp
from tomrt.wire.telephone_event import TelephoneEvent, write_telephone_event

FRAME_S = 0.02
LIMIT_S = 20.0


TONES = 100
_NUMBERS = {int.from_bytes(ulaw_decode(bytes([0x80 + number])), "little"): number for number in range(TONES)}


def tone(index: int) -> bytes:
    """Return a PCMU frame whose samples all have one value, which tells its number modulo 100."""
    return bytes([0x80 + index % TONES]) * 160


def packet(index: int, payload: bytes | None = None, **fields: int | bool) -> bytes:
    """Return the packet of a steady PCMU stream with that number, beginning shortly before both counters wrap."""
    values = {
        "payload_type": 0,
        "sequence": (0xFFF0 + index) & 0xFFFF,
        "timestamp": (0xFFFFF000 + 160 * index) & 0xFFFFFFFF,
        "ssrc": 0xCA11,
    } | fields
    return write_rtp(RtpPacket(payload=tone(index) if payload is None else payload, **values))


def key(index: int, press: int, event: int, duration: int, *, ended: bool = False, **fields: int) -> bytes:
    """Return the packet *index* of a stream that tells of a key pressed at frame *press*."""
    payload = write_telephone_event(TelephoneEvent(event=event, duration=duration, ended=ended))
    stamp = (0xFFFFF000 + 160 * press) & 0xFFFFFFFF
    return packet(index, payload, **({"payload_type": 101, "timestamp": stamp} | fields))


class Conversation:
    """A call that keeps what it hears, and says it back."""

    def __init__(self, line: Transport, *, echo: bool) -> None:
        self.line = line
        self.echo = echo
        self.events: list[LineEvent] = []
        self.heard = bytearray()

    async def run(self) -> None:
        while True:
            event = await self.line.receive()
            self.events.append(event)
            if isinstance(event, LineClosed):
                return
            if isinstance(event, LineAudio):
                self.heard += event.pcm
                if self.echo:
                    await self.line.send_audio(event.pcm)

    @property
    def closed(self) -> str | None:
        """Why the line is closed, once it is."""
        last = self.events[-1] if self.events else None
        return last.reason if isinstance(last, LineClosed) else None

    @property
    def tones(self) -> list[int]:
        """The numbers of the tones heard, in order, each once for all its samples in a row; at 8 kHz."""
        return tones_in(bytes(self.heard))


def tones_in(pcm: bytes) -> list[int]:
    """Return the numbers of the tones in 8 kHz PCM, in order."""
    found: list[int] = []
    previous = None
    for sample in memoryview(pcm).cast("h"):
        number = _NUMBERS.get(sample)
        if number is not None and number != previous:
            found.append(number)
        previous = number
    return found


class RtpWorld:
    """A door with its counts and its calls."""

    def __init__(
        self,
        *,
        settings: Rtp | None = None,
        max_calls: int = 8,
        echo: bool = True,
        serve_call: Callable[[Transport], Awaitable[None]] | None = None,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.calls: list[Conversation] = []
        self.happenings: list[Happening] = []
        self.echo = echo
        self.admission = Admission(max_calls=max_calls)
        self.sockets: RtpSockets
        self.peers: list[Peer] = []
        self.at_end: list[Callable[[], None]] = []
        self.door = RtpDoor(
            settings=settings or Rtp(),
            admission=self.admission,
            serve_call=serve_call or self._serve_call,
            tap=self,
            note=self.note,
        )

    def note(self, what: str, kind: str) -> None:
        self.counts[f"{what}/{kind}"] += 1

    def put(self, happening: Happening) -> None:
        self.happenings.append(happening)

    @property
    def measured(self) -> list[LineMeasured]:
        return [each for each in self.happenings if isinstance(each, LineMeasured)]

    @property
    def port(self) -> int:
        return self.sockets.address[1]

    async def _serve_call(self, line: Transport) -> None:
        call = Conversation(line, echo=self.echo)
        self.calls.append(call)
        await call.run()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[RtpWorld]:
        """Serve on free ports of the loopback interface."""
        self.sockets = open_rtp_sockets("127.0.0.1", 0)
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(self.door.serve, self.sockets)
                yield self
                nursery.cancel_scope.cancel()
        finally:
            self.sockets.close()
            for look in self.at_end:
                look()
            for peer in self.peers:
                peer.close()


def hears_all(call: Conversation, numbers: range) -> bool:
    """Whether a call has heard these tones in this order; on a busy machine something may be made up in between."""
    heard = iter(call.tones)
    return all(number % TONES in heard for number in numbers)


async def eventually(condition: Callable[[], object]) -> None:
    """Wait until *condition* holds, and fail when it does not within reason."""
    with trio.fail_after(LIMIT_S):
        while not condition():
            await trio.sleep(0.005)


class Peer:
    """The other side: a pair of sockets, an even port and the one above it.

    Args:
        world: Whom to send to.
        ssrc: Who it says it is.
    """

    def __init__(self, world: RtpWorld, ssrc: int = 0xCA11) -> None:
        self.world = world
        self.ssrc = ssrc
        self.sockets = open_rtp_sockets("127.0.0.1", 0)
        self.index = 0
        world.peers.append(self)

    def close(self) -> None:
        self.sockets.close()

    @property
    def address(self) -> tuple[str, int]:
        return self.sockets.address

    def send(self, data: bytes) -> None:
        """Send *data* to where RTP is taken."""
        self.sockets.rtp.sendto(data, ("127.0.0.1", self.world.port))

    def report(self, *packets: RtcpPacket) -> None:
        """Send a compound packet to where RTCP is taken."""
        self.report_raw(write_rtcp(*packets))

    def report_raw(self, data: bytes) -> None:
        self.sockets.rtcp.sendto(data, ("127.0.0.1", self.world.port + 1))

    async def speak(self, frames: int, *, skip: frozenset[int] = frozenset()) -> None:
        """Send the next *frames* in real time, without those in *skip*."""
        start = trio.current_time()
        for turn in range(frames):
            if turn not in skip:
                self.send(packet(self.index, ssrc=self.ssrc))
            self.index += 1
            await trio.sleep_until(start + (turn + 1) * FRAME_S)

    def heard(self) -> list[RtpPacket]:
        """Return the RTP packets that came back by now."""
        return [parse_rtp(data) for data in received(self.sockets.rtp) if not looks_like_rtcp(data)]

    def reports(self) -> list[RtcpPacket]:
        """Return the RTCP packets that came by now."""
        return [each for data in received(self.sockets.rtcp) for each in parse_rtcp(data)]


def received(opened: socket.socket) -> list[bytes]:
    """Return the datagrams that wait."""
    found = []
    while True:
        try:
            found.append(opened.recv(4096))
        except BlockingIOError:
            return found
