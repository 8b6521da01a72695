"""The floor: at most one reply is under way, and a reply is one cancel scope."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio
from attrs import define, field

__all__ = ["Floor"]


@define
class Floor:
    """Who may speak.

    ``generation`` counts interruptions: work that was asked for in an older generation is stale and never begins.
    """

    generation: int = field(default=0, init=False)
    _reply: trio.CancelScope | None = field(default=None, init=False)

    def interrupt(self) -> None:
        """Cancel the reply under way, and whatever was asked for and has not begun."""
        self.generation += 1
        if self._reply is not None:
            self._reply.cancel()

    async def hold(self, generation: int, reply: Callable[[], Awaitable[None]]) -> bool:
        """Run *reply*, which was asked for in *generation*; return whether it ran to its end."""
        if generation != self.generation:
            return False
        scope = self._reply = trio.CancelScope()
        try:
            with scope:
                await reply()
        finally:
            self._reply = None
        return not scope.cancelled_caught
