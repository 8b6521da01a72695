"""The hear task: line events in, in the order they arrive, until the line closes."""

from __future__ import annotations

from collections.abc import Callable

import trio
from attrs import define, field

from tomrt.audio import Framer, Ingress, frame_bytes
from tomrt.call.playout import Playout
from tomrt.call.turntaking import TurnTaking
from tomrt.events import LineAudio, LineClosed, LineDigit, LineEvent, LineMark
from tomrt.ports import Transport

__all__ = ["Hearing"]


@define
class Hearing:
    """Reads one call's line.

    Args:
        transport: The line.
        ingress: Makes frames of its bytes.
        taking: Decides what they mean.
        playout: Learns of marks.
        deadline: Clock time by which *time_passed* is due besides the turn's own.
        time_passed: Looks at the call's timers.
    """

    transport: Transport
    ingress: Ingress
    taking: TurnTaking
    playout: Playout
    deadline: Callable[[], float]
    time_passed: Callable[[], None]
    _framer: Framer = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._framer = Framer(frame_bytes(self.ingress.rate_hz))

    async def run(self) -> LineClosed:
        """Hear until the line closes; return how it did."""
        while True:
            event: LineEvent | None = None
            with trio.CancelScope(deadline=min(self.taking.deadline, self.deadline())):
                event = await self.transport.receive()
            if isinstance(event, LineClosed):
                return event
            if event is not None:
                self._take(event)
            self._look_at_the_clock()

    def _take(self, event: LineEvent) -> None:
        match event:
            case LineAudio():
                for frame in self._framer.push(event.pcm):
                    for report in self.ingress.push(frame):
                        self.taking.frame(report, frame)
            case LineDigit():
                self.taking.key(event.digit)
            case LineMark() if not event.cleared:
                self.playout.marked(event.name, trio.current_time())

    def _look_at_the_clock(self) -> None:
        """Timers are looked at after every event too: a line that never pauses must not starve them."""
        now = trio.current_time()
        if now >= self.taking.deadline:
            self.taking.time_passed()
        if now >= self.deadline():
            self.time_passed()
