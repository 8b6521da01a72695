"""A call's line over FreeSWITCH's ``unicast``: bare samples in UDP packets, one for each 20 ms, either way.

The shortest way there is: nothing is held downstream, so that what is sent is heard one packet later, and falling
silent needs no verb. UDP says nothing of the end of a call; the event socket beside it does.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf

import trio
from attrs import frozen

from tomrt.audio import Codec, alaw_decode, alaw_encode, frame_bytes, ulaw_decode, ulaw_encode
from tomrt.audio.slots import SlotClock
from tomrt.audio.timeline import Timeline
from tomrt.errors import SwitchError
from tomrt.events import CallInfo, LineAudio, LineClosed, LineEvent
from tomrt.gateway.port_pairs import PortPair
from tomrt.gateway.stamped import receive_stamped, stamp_arrivals
from tomrt.happenings import Happening
from tomrt.ports import Egress

__all__ = ["UnicastLine", "UnicastRoute", "open_unicast"]

MOST_AT_ONCE = 64
"""Packets taken before the call looks at what they say; more than a second's."""

MOST_TOLD = 256
"""Events that wait for the call: with its audio five seconds' worth. The end of the call is always told."""

_DECODE: dict[Codec, Callable[[bytes], bytes]] = {"pcm16": bytes, "ulaw": ulaw_decode, "alaw": alaw_decode}
_ENCODE: dict[Codec, Callable[[bytes], bytes]] = {"pcm16": bytes, "ulaw": ulaw_encode, "alaw": alaw_encode}
_GAP = 0xFF
"""What FreeSWITCH fills gaps with, whatever the codec, in the length of the samples; in A-law it would be a click."""


@frozen(kw_only=True)
class UnicastRoute:
    """Between which addresses a call's packets travel.

    Args:
        switch: Address and port of the switch: only what comes from there is heard, and nothing is sent elsewhere.
        ours: Our address and port.
    """

    switch: tuple[str, int]
    ours: tuple[str, int]

    @classmethod
    def between(cls, switch_host: str, our_host: str, pair: PortPair) -> UnicastRoute:
        """Return the route of a call that was lent *pair*."""
        return cls(switch=(switch_host, pair.switch), ours=(our_host, pair.ours))


class UnicastLine:
    """One call's line; see :class:`tomrt.ports.Transport`. Made by :func:`open_unicast`.

    Args:
        connected: A non-blocking UDP socket, connected to the switch's port: the kernel passes on nothing else.
        info: What is known of the call.
        codec: What the packets are in.
        silent_timeout_s: When no packet at all has come by then, the switch cannot reach us. Later silence means
            nothing: while FreeSWITCH plays a file it sends no packets.
        note: Counts ``unicast``/``size`` (a packet of another length), ``late`` (its place was taken), ``unsent``,
            ``unreachable``, ``no_audio`` and ``told_dropped``.
    """

    def __init__(
        self,
        connected: socket.socket,
        *,
        info: CallInfo,
        codec: Codec,
        silent_timeout_s: float,
        note: Callable[[str, str], None],
    ) -> None:
        self._socket = connected
        self._info = info
        self._note = note
        self._decode, self._encode = _DECODE[codec], _ENCODE[codec]
        self._quiet = bytes(frame_bytes(info.rate_hz))
        self._packet_bytes = frame_bytes(info.rate_hz) // (1 if codec == "pcm16" else 2)
        self._gaps = {bytes([_GAP]) * self._packet_bytes, bytes([_GAP]) * len(self._quiet)}
        now = trio.current_time()
        self._clock = SlotClock(now)
        self._timeline = Timeline(info.rate_hz)
        self._came_at = now
        self._heard_by = now + silent_timeout_s
        self._next: deque[LineEvent] = deque()
        self._waiting: trio.CancelScope | None = None
        self._closed: LineClosed | None = None

    @property
    def info(self) -> CallInfo:
        """What is known of the call."""
        return self._info

    @property
    def egress(self) -> Egress:
        """One frame in each slot; nothing is held downstream."""
        return Egress(slots=self._clock.send_at)

    async def receive(self) -> LineEvent:
        """Wait for the caller's next samples, or for what the event socket told; after ``LineClosed`` that again."""
        if self._closed is not None or self._next:
            await trio.lowlevel.checkpoint()
        while self._closed is None and not self._next:
            with trio.CancelScope(deadline=min(self._timeline.due, self._heard_by)) as self._waiting:
                await trio.lowlevel.wait_readable(self._socket)
            self._waiting = None
            self._hear(trio.current_time())
        if self._closed is not None:
            return self._closed
        event = self._next.popleft()
        if isinstance(event, LineClosed):
            self._closed = event
        return event

    async def send_audio(self, pcm: bytes, *, mark: str | None = None) -> None:  # noqa: ARG002 - has no marks
        """Send one frame as one packet, now."""
        try:
            self._socket.send(self._encode(pcm))
        except BlockingIOError:
            self._note("unicast", "unsent")
        except OSError:
            self._note("unicast", "unreachable")  # the switch has closed its port; its event socket tells why
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def flush(self) -> None:
        """Do nothing: nothing is held downstream."""
        await trio.lowlevel.checkpoint()

    async def notify(self, happening: Happening) -> None:  # noqa: ARG002 - packets have no words
        """Do nothing: packets have no words."""
        await trio.lowlevel.checkpoint()

    async def hang_up(self, reason: str) -> None:  # noqa: ARG002 - packets have no words
        """Take no more; it is the event socket that ends the call."""
        self.tell(LineClosed("hangup"))
        await trio.lowlevel.checkpoint()

    def tell(self, event: LineEvent) -> None:
        """Have :meth:`receive` return *event* next, as what the event socket knows of the call."""
        if len(self._next) >= MOST_TOLD and not isinstance(event, LineClosed):
            self._note("unicast", "told_dropped")
            return
        self._next.append(event)
        if self._waiting is not None:
            self._waiting.cancel()

    def _hear(self, now: float) -> None:
        """Take the packets that came, each as of its own time, and make up what is missing."""
        for _ in range(MOST_AT_ONCE):
            try:
                packet, age_s, _ = receive_stamped(self._socket)
            except BlockingIOError:
                break
            except OSError:  # of an earlier packet of ours: the switch has not opened its port yet, or closed it
                self._note("unicast", "unreachable")
                continue
            if len(packet) != self._packet_bytes and packet not in self._gaps:
                self._note("unicast", "size")
                continue
            self._heard_by = inf
            self._came_at = max(self._came_at, now - (age_s or 0.0))
            if age_s is not None:
                self._clock.arrived(self._came_at)
            dropped = self._timeline.dropped
            self._take(self._timeline.push(self._pcm(packet), self._came_at))
            if self._timeline.dropped > dropped:
                self._note("unicast", "late")
        else:
            return  # there may be more
        self._take(self._timeline.wait(now))
        if now >= self._heard_by:
            self._note("unicast", "no_audio")
            self._next.append(LineClosed("idle"))

    def _take(self, frames: list[bytes]) -> None:
        self._next.extend(LineAudio(pcm) for pcm in frames)

    def _pcm(self, packet: bytes) -> bytes:
        return self._quiet if packet in self._gaps else self._decode(packet)


@contextmanager
def open_unicast(
    route: UnicastRoute,
    *,
    info: CallInfo,
    codec: Codec,
    silent_timeout_s: float,
    note: Callable[[str, str], None],
) -> Iterator[UnicastLine]:
    """Open a call's line; its port is closed when the block is left.

    Raises:
        SwitchError: our port cannot be had, in one sentence.
    """
    family = socket.AF_INET6 if ":" in route.ours[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as udp:
        udp.setblocking(False)
        stamp_arrivals(udp)
        try:
            udp.bind(route.ours)
            udp.connect(route.switch)
        except OSError as error:
            where = f"{route.ours[0]} UDP port {route.ours[1]}"
            raise SwitchError(f"cannot exchange audio with FreeSWITCH on {where}: {error.strerror or error}") from error
        yield UnicastLine(udp, info=info, codec=codec, silent_timeout_s=silent_timeout_s, note=note)
