"""The floor: at most one reply is under way, and a reply is one cancel scope."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio
from attrs import define, field

from tomrt.happenings import ReplyOutcome
from tomrt.turns.reply import Event, Over, Stage, State, step

__all__ = ["Floor"]


@define
class Floor:
    """Who may speak.

    ``generation`` counts interruptions: work that was asked for in an older generation is stale and never begins.
    ``reply`` is where the reply under way stands, or how the last one ended.
    """

    generation: int = field(default=0, init=False)
    reply: State = field(factory=lambda: Over(ReplyOutcome.COMPLETED), init=False)
    _scope: trio.CancelScope | None = field(default=None, init=False)

    def open(self, *, draft: bool) -> None:
        """Begin a reply."""
        self.reply = Stage.DRAFT if draft else Stage.DUE

    def note(self, event: Event) -> None:
        """Move the reply under way."""
        self.reply = step(self.reply, event)

    @property
    def outcome(self) -> ReplyOutcome:
        """How the reply ended; one that is still under way will never be heard to its end."""
        self.note(Event.INTERRUPTED)
        assert isinstance(self.reply, Over)
        return self.reply.outcome

    def interrupt(self) -> None:
        """Cancel the reply under way, and whatever was asked for and has not begun."""
        self.generation += 1
        self.note(Event.INTERRUPTED)
        if self._scope is not None:
            self._scope.cancel()

    async def hold(self, generation: int, work: Callable[[], Awaitable[None]]) -> bool:
        """Run *work*, which was asked for in *generation*; return whether it ran to its end."""
        if generation != self.generation:
            return False
        scope = self._scope = trio.CancelScope()
        try:
            with scope:
                await work()
                await trio.lowlevel.checkpoint_if_cancelled()  # done and interrupted in the same moment: interrupted
        finally:
            self._scope = None
        return not scope.cancelled_caught
