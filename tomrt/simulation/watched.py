"""A session with a window: passes everything on to the real one and takes down what is asked of it."""

from __future__ import annotations

import trio.abc
from attrs import define, field

from tomrt.events import ReplyItem, Transcript, Turn
from tomrt.ports import RealtimeSession, ToolUse
from tomrt.simulation.record import Record

__all__ = ["WatchedSession"]


@define(eq=False)
class WatchedSession:
    """Implements the real RealtimeSession port.

    Args:
        inner: The session that does the work.
        record: Takes down each request and its end.
    """

    inner: RealtimeSession
    record: Record
    asked: int = field(default=0, init=False)
    active: int = field(default=0, init=False)

    @property
    def sure_of_words(self) -> bool:
        """What the real one says."""
        return self.inner.sure_of_words

    @property
    def beforehand(self) -> bool:
        """What the real one says."""
        return self.inner.beforehand

    async def understand(self, turn: Turn, *, over_reply: bool = False) -> Transcript:
        """Understand what was said so far."""
        number = self._begin("listen_over" if over_reply else "understand", turn)
        try:
            return await self.inner.understand(turn, over_reply=over_reply)
        finally:
            self._end(number)

    async def respond(self, turn: Turn, out: trio.abc.SendChannel[ReplyItem], tools: ToolUse) -> None:
        """Answer."""
        number = self._begin("respond", turn)
        try:
            await self.inner.respond(turn, out, tools)
        finally:
            self._end(number)

    async def truncate(self, turn: int, heard_ms: int) -> None:
        """Cut the engine's own history."""
        self.record.note("session.truncate", turn=turn, heard_ms=heard_ms)
        await self.inner.truncate(turn, heard_ms)

    async def say(self, text: str, out: trio.abc.SendChannel[ReplyItem]) -> None:
        """Voice a text."""
        self.asked += 1
        number = self.asked
        self.active += 1
        self.record.note("session.say", number=number, text=text)
        try:
            await self.inner.say(text, out)
        finally:
            self._end(number)

    def _begin(self, what: str, turn: Turn) -> int:
        self.asked += 1
        self.active += 1
        self.record.note(
            f"session.{what}",
            number=self.asked,
            turn=turn.number,
            seconds=len(turn.audio) / 32_000,
            digits=turn.digits,
            text=None if turn.transcript is None else turn.transcript.text[:60],
        )
        return self.asked

    def _end(self, number: int) -> None:
        self.active -= 1
        self.record.note("session.done", number=number)
