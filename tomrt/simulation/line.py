"""A line in memory that misbehaves: implements the real Transport port."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from zlib import crc32

import trio
from attrs import define, field

from tomrt.events import CallInfo, LineAudio, LineClosed, LineEvent, LineMark
from tomrt.happenings import Happening
from tomrt.ports import Egress
from tomrt.simulation.far_end import FarEnd
from tomrt.simulation.faults import Faults
from tomrt.simulation.record import Record
from tomrt.simulation.tape import Tape

__all__ = ["SimulatedLine"]

NEVER = float("inf")


@define(eq=False)
class SimulatedLine:
    """One call's line; the caller behind it is an iterator that is asked for the next block when the last one left.

    Args:
        info: Of the call.
        egress: What the line does with audio.
        record: Takes down what is received, sent, flushed and told.
        faults: What goes wrong.
        tape: Tells where the assistant's audio is from; ``None`` where that cannot be told.
        far_end: Plays it.
        is_held: Whether a reply has been held since this was asked last.
    """

    info: CallInfo
    egress: Egress
    record: Record
    faults: Faults
    tape: Tape | None
    far_end: FarEnd
    is_held: Callable[[], bool]
    delivered: int = field(default=0, init=False)
    _caller: Iterator[LineEvent] = field(default=iter(()), init=False)
    _next: LineEvent | None = field(default=None, init=False)
    _due: float = field(default=NEVER, init=False)
    _grid: float = field(default=0.0, init=False)
    _checked: float = field(default=0.0, init=False)
    _stalled_until: float = field(default=0.0, init=False)
    _deaf: bool = field(default=False, init=False)
    _marks: list[tuple[float, int, LineMark]] = field(factory=list, init=False)
    _marks_made: int = field(default=0, init=False)
    _pieces: list[LineEvent] = field(factory=list, init=False)
    _changed: trio.Event = field(factory=trio.Event, init=False)
    _closed: LineClosed | None = field(default=None, init=False)

    def connect(self, caller: Iterator[LineEvent]) -> None:
        """Put *caller* at the far end."""
        self._caller = caller
        self._grid = self._checked = trio.current_time()
        self._fetch()

    # --- the call's end ----------------------------------------------------------------------------------------------

    async def receive(self) -> LineEvent:
        """Wait for the next event."""
        waited = False
        while True:
            now = trio.current_time()
            due = self._next_due()
            if due <= now:
                if not waited:
                    waited = True
                    await trio.lowlevel.checkpoint()
                    continue
                return self._take(now)
            self._changed = trio.Event()
            waited = True
            with trio.CancelScope(deadline=due):
                await self._changed.wait()

    async def send_audio(self, pcm: bytes, *, mark: str | None = None) -> None:
        """Play *pcm* to the caller."""
        now = trio.current_time()
        audible = any(pcm)
        spots = self.tape.find(pcm) if audible and self.tape is not None else ()
        chunk = self.far_end.arrive(now, len(pcm) // 2, audible=audible, spots=spots, mark=mark)
        self.record.note(
            "line.audio",
            samples=len(pcm) // 2,
            crc=crc32(pcm),
            audible=audible,
            spots=spots,
            mark=mark,
            starts=round(chunk.starts, 6),
        )
        if mark is not None:
            self._play_mark(mark, chunk.starts)
        if self.faults.strikes("line.slow_send"):
            await trio.sleep(self.faults.amount("line.slow_send", 0.02, 0.6))
        else:
            await trio.lowlevel.checkpoint()

    async def flush(self) -> None:
        """Throw away what has not been played."""
        now = trio.current_time()
        can = self.egress.longest_file_s == 0.0  # lines that cannot be flushed play on
        cleared, at = self.far_end.flush(now) if can else ([], None)
        self.record.note("line.flush", at_sample=at)
        self._marks = [each for each in self._marks if each[2].name not in cleared]
        heapq.heapify(self._marks)
        for name in cleared:
            self._put_mark(LineMark(name, cleared=True), now)
        if self.faults.strikes("line.slow_flush"):
            await trio.sleep(self.faults.amount("line.slow_flush", 0.01, 0.2))
        else:
            await trio.lowlevel.checkpoint()

    async def notify(self, happening: Happening) -> None:
        """Tell the peer, unless it has gone deaf."""
        if self._deaf or self.faults.strikes("line.deaf"):
            self._deaf = True
            await trio.sleep_forever()
        self.record.note("line.told", kind=type(happening).__name__, happened=happening.at)
        await trio.lowlevel.checkpoint()

    async def hang_up(self, reason: str) -> None:
        """Close."""
        self.record.note("line.hang_up", reason=reason)
        self._close(LineClosed("hangup"))
        if self.faults.may("line.stuck_close"):
            await trio.sleep_forever()
        await trio.lowlevel.checkpoint()

    # --- inside ------------------------------------------------------------------------------------------------------

    def _close(self, closed: LineClosed) -> None:
        if self._closed is None:
            self._closed = closed
            self._changed.set()

    def _next_due(self) -> float:
        if self._closed is not None:
            return 0.0
        if self._pieces:
            return max(self._stalled_until, 0.0)
        due = self._due if not self._marks else min(self._due, self._marks[0][0])
        return max(due, self._stalled_until)

    def _take(self, now: float) -> LineEvent:
        if self._closed is not None:
            self.record.note("line.closed", reason=self._closed.reason)
            return self._closed
        if self._pieces:
            return self._delivered(self._pieces.pop(0))
        if self._marks and self._marks[0][0] <= self._due:
            mark = heapq.heappop(self._marks)[2]
            self.record.note("line.mark", name=mark.name, cleared=mark.cleared)
            return mark
        event = self._next
        assert event is not None
        if self.is_held() and self.faults.strikes("line.stall_in_hold"):
            self._stall(now)
        if now - self._checked >= 1.0:
            self._checked = now
            if (broken := self._go_wrong(now)) is not None:
                return broken
        self._fetch()
        if isinstance(event, LineAudio) and self.faults.strikes("line.pieces"):
            self._pieces = list(_in_pieces(event, self.faults.amount("line.pieces", 0.1, 0.9)))
            event = self._pieces.pop(0)
        return self._delivered(event)

    def _delivered(self, event: LineEvent) -> LineEvent:
        match event:
            case LineAudio():
                self.delivered += len(event.pcm) // 2
            case LineClosed():
                self._closed = event
                self.record.note("line.closed", reason=event.reason)
            case _:
                self.record.note("line.key", digit=getattr(event, "digit", ""))
        return event

    def _fetch(self) -> None:
        """Ask the caller for what comes next, as things are now."""
        event = next(self._caller, LineClosed("hangup"))
        if isinstance(event, LineAudio):
            self._grid += len(event.pcm) / 2 / self.info.rate_hz
        self._next, self._due = event, self._grid

    def _go_wrong(self, now: float) -> LineEvent | None:
        """Let the line itself fail, once a second."""
        if self.faults.strikes("line.stall"):
            self._stall(now)
        if self.faults.strikes("line.gap"):
            gap_s = self.faults.amount("line.gap", 0.1, 2.0)
            self._grid += gap_s  # nothing is sent for so long: the line's time stands still
            self.record.note("line.gap", seconds=gap_s)
        for kind in ("lost", "protocol"):
            if self.faults.strikes(f"line.{kind}"):
                return self._delivered(LineClosed(kind))
        return None

    def _stall(self, now: float) -> None:
        self._stalled_until = now + self.faults.amount("line.stall", 0.1, 2.5)
        self.record.note("line.stalls", seconds=round(self._stalled_until - now, 3))

    def _play_mark(self, name: str, at: float) -> None:
        faults = self.faults
        if not self.egress.marks or faults.strikes("mark.lost"):
            return
        cleared = faults.strikes("mark.cleared")
        if faults.strikes("mark.late"):
            at += faults.amount("mark.late", 0.05, 1.0)
        self._put_mark(LineMark(name, cleared=cleared), at)
        if faults.strikes("mark.twice"):
            self._put_mark(LineMark(name), at + faults.amount("mark.twice", 0.0, 0.5))
        if faults.strikes("mark.unknown"):
            self._put_mark(LineMark(f"{name}0"), at)

    def _put_mark(self, mark: LineMark, at: float) -> None:
        self._marks_made += 1
        heapq.heappush(self._marks, (at, self._marks_made, mark))
        self._changed.set()


def _in_pieces(audio: LineAudio, share: float) -> Iterator[LineEvent]:
    at = round(len(audio.pcm) // 2 * share) * 2
    yield LineAudio(audio.pcm[:at])
    yield LineAudio(audio.pcm[at:])
