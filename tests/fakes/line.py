"""A line in memory: implements the real Transport port and keeps what was sent, with its time."""

import trio
from attrs import define, field

from tomrt.events import CallInfo, Dialect, LineAudio, LineClosed, LineEvent, LineMark
from tomrt.happenings import Happening
from tomrt.ports import Egress

__all__ = ["MemoryLine"]

FRAME_S = 0.020


@define(eq=False)
class MemoryLine:
    """One end is the call's Transport; ``speak``, ``press`` and ``close`` are the caller's end.

    Args:
        info: Of the call.
        egress: What the line does with audio.
        echo_marks_s: After how many seconds a mark comes back as played; ``None`` for never.
    """

    info: CallInfo = CallInfo(call_id="c1", dialect=Dialect.PLAIN)
    egress: Egress = Egress()
    sent: list[tuple[float, bytes]] = field(factory=list, init=False)
    verbs: list[tuple[float, str]] = field(factory=list, init=False)
    told: list[Happening] = field(factory=list, init=False)
    marks: list[str] = field(factory=list, init=False)
    hung_up: str | None = field(default=None, init=False)
    _put: trio.MemorySendChannel[LineEvent] = field(init=False)
    _get: trio.MemoryReceiveChannel[LineEvent] = field(init=False)
    _closed: LineClosed | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._put, self._get = trio.open_memory_channel[LineEvent](1000)

    # --- the call's end ----------------------------------------------------------------------------------------------

    async def receive(self) -> LineEvent:
        """Return the next event."""
        if self._closed is None:
            event = await self._get.receive()
            if not isinstance(event, LineClosed):
                return event
            self._closed = event
        await trio.lowlevel.checkpoint()
        return self._closed

    async def send_audio(self, pcm: bytes, *, mark: str | None = None) -> None:
        """Keep *pcm*."""
        self.sent.append((trio.current_time(), pcm))
        if mark is not None:
            self.marks.append(mark)
        await trio.lowlevel.checkpoint()

    async def flush(self) -> None:
        """Keep that a flush was asked for."""
        self.verbs.append((trio.current_time(), "flush"))
        await trio.lowlevel.checkpoint()

    async def notify(self, happening: Happening) -> None:
        """Keep *happening*."""
        self.told.append(happening)
        await trio.lowlevel.checkpoint()

    async def hang_up(self, reason: str) -> None:
        """Close."""
        self.hung_up = self.hung_up or reason
        self.feed(LineClosed("hangup"))
        await trio.lowlevel.checkpoint()

    # --- the caller's end --------------------------------------------------------------------------------------------

    def feed(self, event: LineEvent) -> None:
        """Deliver *event* now."""
        self._put.send_nowait(event)

    def play_mark(self, index: int = -1) -> None:
        """Report one of the marks as played."""
        self.feed(LineMark(self.marks[index]))

    async def speak(self, pcm: bytes) -> None:
        """Deliver *pcm* in real time, 20 ms frames on an absolute grid."""
        size = round(self.info.rate_hz * FRAME_S) * 2
        start = trio.current_time()
        for index in range(0, len(pcm), size):
            self.feed(LineAudio(pcm[index : index + size]))
            await trio.sleep_until(start + (index // size + 1) * FRAME_S)

    def audible(self, *, after: float = 0.0) -> list[float]:
        """Return the times at which something other than silence was sent."""
        return [at for at, pcm in self.sent if at >= after and any(pcm)]
