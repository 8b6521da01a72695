"""Unicast as FreeSWITCH does it: bare samples over UDP, one packet a frame each way, no jitter buffer and no pacing."""

from __future__ import annotations

import socket
import statistics
from collections.abc import Callable

import trio
from attrs import define, field, frozen

from tomrt.audio import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode

__all__ = ["Arrival", "PacketLane", "Unicast"]

FRAME_S = 0.02
FIRST_S = 0.02
"""With the tick that follows, the first packet leaves some 30 ms after the command."""
MAX_PACKET = 4096
BURST_S = 0.005
CODECS = {"PCMU": (ulaw_encode, ulaw_decode), "PCMA": (alaw_encode, alaw_decode)}


@frozen
class Arrival:
    """A packet of the server's: when it came on Trio's clock, how long it was, and where it came from."""

    at: float
    size: int
    sender: tuple[str, int]


@define
class PacketLane:
    """What a telephone makes of packets: one a frame, in a row; a gap of more than a frame is heard as silence."""

    rate_hz: int
    heard: bytearray = field(factory=bytearray, repr=False)

    def take(self, pcm: bytes, at: int) -> None:
        """Take one frame that comes at sample *at*; early or up to a frame late it follows the last one."""
        if at - len(self.heard) // 2 > self.rate_hz * FRAME_S:
            self.advance(at)
        self.heard += pcm

    def advance(self, to: int) -> None:
        """Hear silence until sample *to*."""
        self.heard += bytes(max(0, 2 * to - len(self.heard)))


def _off_grid(seconds: float) -> float:
    return (seconds + FRAME_S / 2) % FRAME_S - FRAME_S / 2


@define(kw_only=True)
class Unicast:
    """The audio of one call by unicast.

    Args:
        local: FreeSWITCH's side.
        remote: Where its packets go.
        native: Whether they hold the codec's own bytes.
        codec: Of the call.
        rate_hz: Of the call.
        position: Tells the sample of the call that is now.
        silent: Never sends.
    """

    local: tuple[str, int]
    remote: tuple[str, int]
    native: bool
    codec: str
    rate_hz: int
    position: Callable[[], int]
    silent: bool = False
    lane: PacketLane = field(init=False)
    arrivals: list[Arrival] = field(factory=list, init=False, repr=False)
    sent: list[float] = field(factory=list, init=False, repr=False)
    wrong_sizes: list[int] = field(factory=list, init=False)
    """Packets of another size than one frame: none of them is heard."""
    bursts: int = field(default=0, init=False)
    """Packets that came within 5 ms of the one before: they go out as a burst of RTP."""
    open: bool = field(default=False, init=False)
    _from: float = field(factory=lambda: trio.current_time() + FIRST_S, init=False)
    _socket: trio.socket.SocketType = field(init=False)
    _scope: trio.CancelScope = field(factory=trio.CancelScope, init=False)

    def __attrs_post_init__(self) -> None:
        self.lane = PacketLane(self.rate_hz)
        self._socket = trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    @property
    def frame_bytes(self) -> int:
        """Size of the one packet that is heard."""
        samples = round(self.rate_hz * FRAME_S)
        return samples if self._laws else 2 * samples

    @property
    def grid_errors_ms(self) -> list[float]:
        """How far each packet came from the 20 ms grid on which most of them came; within 10 ms by its nature."""
        if not self.arrivals:
            return []
        rough = [_off_grid(each.at - self.arrivals[0].at) for each in self.arrivals]
        return [1000 * _off_grid(each - statistics.median(rough)) for each in rough]

    async def run(self) -> None:
        """Take packets until :meth:`close`."""
        with self._scope, self._socket:
            await self._socket.bind(self.local)
            self.open = True
            while True:
                data, sender = await self._socket.recvfrom(MAX_PACKET)
                self._take(data, sender)

    def close(self) -> None:
        """End; nothing is said to the other side."""
        self.open = False
        self._scope.cancel()

    async def send(self, frame: bytes) -> None:
        """Send the caller's *frame*, 16-bit samples."""
        if self.silent or not self.open or trio.current_time() < self._from:
            return
        data = self._laws[0](frame) if self._laws else frame
        self.sent.append(trio.current_time())
        try:
            await self._socket.sendto(data, self.remote)
        except OSError:
            return  # nobody there, or closed meanwhile: FreeSWITCH does not mind either

    @property
    def _laws(self) -> tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]] | None:
        return CODECS.get(self.codec) if self.native else None

    def _take(self, data: bytes, sender: tuple[str, int]) -> None:
        now = trio.current_time()
        self.bursts += bool(self.arrivals) and now - self.arrivals[-1].at < BURST_S
        self.arrivals.append(Arrival(now, len(data), sender))
        if len(data) != self.frame_bytes:
            self.wrong_sizes.append(len(data))
            return
        self.lane.take(self._laws[1](data) if self._laws else data, self.position())
