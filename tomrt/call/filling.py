"""No dead air: tells the caller that it takes a moment, when an answer or a tool does."""

from __future__ import annotations

from contextlib import suppress

import trio
from attrs import define, field

from tomrt.call.playout import Playout
from tomrt.call.reporting import Reporter
from tomrt.call.voicing import Aside, Voicing
from tomrt.errors import EngineError
from tomrt.happenings import Announced
from tomrt.ports import RealtimeSession

__all__ = ["Filling"]

NEVER = float("inf")
LOOK_AGAIN_S = 0.2
"""While the line is still busy with what was said before."""


@define(kw_only=True)
class Filling:
    """Watches one call's reply under way; says each of its two texts at most once in a reply.

    Args:
        session: Voices the texts.
        playout: Knows whether the caller hears anything.
        report: Where happenings go.
        filler: Said when nothing of the answer is there after *filler_after_s*; empty or 0 for never.
        filler_after_s: Counted from when the turn was known to be complete.
        looking_up: Said when a tool is in use for *tool_after_s* and the caller hears nothing; empty or 0 for never.
        tool_after_s: Counted from the beginning of the use.
    """

    session: RealtimeSession
    playout: Playout
    report: Reporter
    filler: str
    filler_after_s: float
    looking_up: str
    tool_after_s: float
    _reply: int = field(default=0, init=False)
    _voicing: Voicing | None = field(default=None, init=False)
    _filler_due: float = field(default=NEVER, init=False)
    _tool_due: float = field(default=NEVER, init=False)
    _in_use: int = field(default=0, init=False)
    _told_of_tool: bool = field(default=False, init=False)
    _scope: trio.CancelScope = field(factory=trio.CancelScope, init=False)
    _changed: trio.Event = field(factory=trio.Event, init=False)

    def watch(self, reply: int, voicing: Voicing) -> None:
        """Begin with a reply."""
        self._reply, self._voicing = reply, voicing
        self._in_use, self._told_of_tool = 0, False

    def expect(self) -> None:
        """The caller waits for the reply from now on."""
        if self.filler and self.filler_after_s:
            self._filler_due = trio.current_time() + self.filler_after_s
            self._changed.set()

    def tool(self, busy: bool) -> None:
        """The reply began to use a tool, or is done with it."""
        self._in_use += 1 if busy else -1
        if not self._in_use:
            self._tool_due = NEVER
        elif self._in_use == 1 and busy and self.looking_up and self.tool_after_s and not self._told_of_tool:
            self._tool_due = trio.current_time() + self.tool_after_s
        self._changed.set()

    def forget(self) -> None:
        """The reply is over."""
        self._voicing = None
        self._filler_due = self._tool_due = NEVER
        self._scope.cancel()

    async def run(self) -> None:
        """Announce what is due, until cancelled."""
        while True:
            with trio.move_on_at(min(self._filler_due, self._tool_due)):
                await self._changed.wait()
            self._changed = trio.Event()
            if trio.current_time() >= self._tool_due:
                self._tool_due = NEVER if self._may_speak() else trio.current_time() + LOOK_AGAIN_S
                if self._tool_due == NEVER:
                    self._told_of_tool = True
                    await self._announce("tool", self.looking_up)
            elif trio.current_time() >= self._filler_due:
                self._filler_due = NEVER if self._may_speak() else trio.current_time() + LOOK_AGAIN_S
                if self._filler_due == NEVER and self._voicing is not None and self._voicing.is_silent:
                    await self._announce("filler", self.filler)

    def _may_speak(self) -> bool:
        """Whether nothing is heard and nothing of a sentence is under way."""
        return (
            self._voicing is not None
            and self._voicing.between_sentences
            and not self._voicing.turnstile.locked()
            and self.playout.is_dry(trio.current_time())
        )

    async def _announce(self, kind: str, text: str) -> None:
        voicing = self._voicing
        assert voicing is not None
        with trio.CancelScope() as self._scope:
            async with voicing.turnstile:
                self.report.say(Announced, reply=self._reply, turn=voicing.turn, kind=kind)
                with suppress(EngineError):  # the answer's own fate is decided elsewhere
                    await self.session.say(text, Aside(voicing))
                voicing.round_off()
