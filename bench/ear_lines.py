"""Calls whose caller is timed by ear, over every path: the plain WebSocket, the fork, unicast and RTP."""

from __future__ import annotations

import math
import socket
import time

from attrs import define, field

from bench.bare_websocket import TEXT
from bench.barge_in_clocks import FRAME, FRAME_S, RATE_HZ, Event
from bench.call_load import Line
from bench.heard_pauses import GIVEN_UP_S, PauseReader
from bench.lane import Lane, Source
from tomrt.caller.event_socket import SwitchSide
from tomrt.caller.packet_form import PacketForm
from tomrt.caller.player import SteppedPlayer, fork_player
from tomrt.errors import ProtocolError
from tomrt.gateway.stamped import receive_stamped

__all__ = ["ForkEarLine", "PacketEarLine", "PlainEarLine", "UnicastEarLine"]

FORK_GIVEN_UP_S = GIVEN_UP_S + 0.08
"""The fork releases what it is sent in steps of 80 ms, so it goes on that much later."""
ANNOUNCED = "said "
"""In front of what the plain dialect tells of itself, which is only for comparison."""


@define(eq=False, slots=False)  # so that it can stand beside a line with slots
class _ByEar(Lane):
    reader: PauseReader = field(factory=PauseReader, init=False)
    _plays_until: float = field(default=float("-inf"), init=False)

    def hear_frame(self, pcm: bytes, arrived: float, heard: float) -> None:
        """Take 20 ms that arrived at one time and are heard from another on."""
        self.times.append(arrived)
        self.loud.append(self.script.hear(pcm, arrived))
        if self.keep:
            self.voice += pcm
        self.understand(self.reader.frame(pcm, arrived, heard))

    def hear_next(self, pcm: bytes, arrived: float) -> None:
        """Take 20 ms that are heard when they come, or when what came before is over: one frame for each 20 ms."""
        heard = max(arrived, self._plays_until)
        self._plays_until = heard + FRAME_S
        self.hear_frame(pcm, arrived, heard)

    def understand(self, events: list[Event]) -> None:
        """Take note of what was heard."""
        for event in events:
            self.events.append(event)
            self.script.told(event.type)


@define(eq=False, slots=False)
class PlainEarLine(Line, _ByEar):
    """The plain dialect, heard as the others are; what it says of itself is kept beside."""

    def send(self, now: float) -> None:
        """Send the frame that is due."""
        Line.send(self, now)
        self.understand(self.reader.quiet(now))

    def hear(self, pcm: bytes, now: float) -> None:
        """Take a frame of the assistant."""
        self.hear_next(pcm, now)

    def told(self, message: dict[str, object], now: float) -> None:
        """Take a message of the service."""
        self.events.append(Event(now, len(self.times), f"{ANNOUNCED}{message.get('type', '')}"))


@define(eq=False, slots=False)
class ForkEarLine(Line, _ByEar):
    """``mod_audio_fork`` with its stream on: pre-buffer, steps, marks and ``killAudio`` as it has them.

    The switch takes from its buffer once for each frame of 20 ms, so whatever comes counts from the next one on.
    """

    player: SteppedPlayer = field(factory=lambda: fork_player(RATE_HZ), init=False)
    begun_at: float = field(default=float("nan"), init=False)
    _read: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.reader = PauseReader(FORK_GIVEN_UP_S)
        self.begun_at = time.monotonic()

    def send(self, now: float) -> None:
        """Send the frame that is due, and what became of marks."""
        self._play(now)
        Line.send(self, now)

    def hear(self, pcm: bytes, now: float) -> None:
        """Take what the service sends, any number of samples."""
        self.player.play(pcm, self._frame_after(now))

    def told(self, message: dict[str, object], now: float) -> None:
        """Take a mark or the verb to throw away what waits."""
        match message.get("type"):
            case "mark":
                data = message.get("data")
                try:
                    self.player.mark(str(data.get("name", "")) if isinstance(data, dict) else "")
                except ProtocolError as error:
                    self.closed = self.closed or str(error)
            case "killAudio":
                self.player.kill(self._frame_after(now))
                self.reader.killed(now)

    def _play(self, now: float) -> None:
        self.player.advance(self._frame_after(now - FRAME_S))
        while self.player.position - self._read >= FRAME:
            pcm = bytes(self.player.heard[2 * self._read : 2 * (self._read + FRAME)])
            at = self.begun_at + self._read / RATE_HZ
            self._read += FRAME
            self.hear_frame(pcm, at, at)
        for report in self.player.reports():
            text = f'{{"type": "mark", "data": {{"name":"{report.name}", "event": "{report.event}"}}}}'
            self.put(self.masker.frame(TEXT, text.encode()))

    def _frame_after(self, now: float) -> int:
        """Return the first sample of the first frame that begins at *now* or later."""
        return max(0, math.ceil((now - self.begun_at) / FRAME_S)) * FRAME


@define(eq=False, slots=False)
class PacketEarLine(_ByEar):
    """Packets both ways: RTP as of Asterisk's ExternalMedia. The phone plays them in order, one for each 20 ms.

    Arrival is the kernel's own time, so that what keeps this process busy is in no clock.
    """

    udp: socket.socket
    form: PacketForm
    other: int = field(default=0, init=False)

    def sources(self) -> list[Source]:
        """Return its socket."""
        return [(self.udp.fileno(), self.receive)]

    def close(self) -> None:
        """Close it: RTP has no goodbye."""
        self.udp.close()

    def send(self, now: float) -> None:
        """Send the frame that is due."""
        try:
            self.udp.send(self.form.pack(self.script.frame(now)))
        except OSError as error:
            self.closed = self.closed or f"the line broke: {error.strerror}"
        self.understand(self.reader.quiet(now))

    def receive(self, now: float) -> None:
        """Take all packets that came."""
        self.heard_at = now
        while True:
            try:
                packet, age_s, _ = receive_stamped(self.udp)
            except BlockingIOError:
                return
            except OSError as error:
                self.closed = self.closed or f"the line broke: {error.strerror}"
                return
            arrived = time.monotonic() - (age_s or 0.0)
            try:
                pcm = self.form.unpack(packet)
            except ProtocolError as error:
                self.closed = self.closed or str(error)
                return
            if pcm:
                self.hear_next(pcm, arrived)
            else:
                self.other += 1


@define(eq=False, slots=False)
class UnicastEarLine(PacketEarLine):
    """Stock FreeSWITCH: passes each packet on at once; commands come over the event socket beside it."""

    control: socket.socket
    side: SwitchSide

    def sources(self) -> list[Source]:
        """Return its two sockets."""
        return [*super().sources(), (self.control.fileno(), self.obey)]

    def obey(self, now: float) -> None:  # noqa: ARG002 - all readers are called alike
        """Answer the service's commands."""
        try:
            data = self.control.recv(65536)
            self.control.sendall(self.side.feed(data))
        except (OSError, ProtocolError) as error:
            self.closed = self.closed or f"the event socket broke: {error}"
            return
        if not data or self.side.ended:
            self.closed = self.closed or f"the service ended the call ({self.side.ended or 'its connection closed'})"

    def close(self) -> None:
        """Hang up, as a caller does."""
        try:
            self.control.setblocking(True)
            self.control.sendall(self.side.hang_up("NORMAL_CLEARING"))
        except OSError:
            self.closed = self.closed or "the event socket broke"
        self.control.close()
        super().close()
