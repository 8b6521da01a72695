"""One reply's use of tools: when they may run, for how long, and that each use ends exactly once."""

from __future__ import annotations

from collections.abc import Callable

import trio
from attrs import define, field

from tomrt.call.reporting import Reporter
from tomrt.errors import EngineError
from tomrt.events import Action
from tomrt.happenings import ToolEnded, ToolOutcome, ToolStarted
from tomrt.ports import Tools

__all__ = ["NoTools", "ToolDesk"]

MAX_USES = 16
"""In one reply; a model that asks for more goes in circles."""


class NoTools:
    """The :class:`~tomrt.ports.Tools` of an assistant that has none."""

    def has_effects(self, name: str) -> bool:  # noqa: ARG002 - the port's
        """Return ``False``: what does not exist changes nothing."""
        return False

    def time_limit_s(self, name: str) -> float | None:  # noqa: ARG002 - the port's
        """Return ``None``."""
        return None

    async def use(self, action: Action) -> str:
        """Refuse.

        Raises:
            EngineError: always.
        """
        raise EngineError(f"There is no tool {action.name!r}.")


@define(kw_only=True)
class ToolDesk:
    """Lends tools to the replies of one call, one reply after the other.

    Args:
        tools: The tools.
        report: Where happenings go.
        timeout_s: When the uses of one reply take longer together, the one under way has failed.
        busy: Told when a use begins, and when it is over.
    """

    tools: Tools
    report: Reporter
    timeout_s: float
    busy: Callable[[bool], None]
    _reply: int = field(default=0, init=False)
    _confirmed: trio.Event = field(factory=trio.Event, init=False)
    _uses: int = field(default=0, init=False)
    _uses_left: int = field(default=0, init=False)
    _left_s: float = field(default=0.0, init=False)

    def open(self, reply: int, confirmed: trio.Event) -> None:
        """Begin with *reply*; its tools with side effects wait for *confirmed*."""
        self._reply, self._confirmed = reply, confirmed
        self._uses_left, self._left_s = MAX_USES, self.timeout_s

    async def use(self, action: Action) -> str:
        """Use a tool.

        Raises:
            EngineError: there is no such tool, it failed, it took too long, or the reply used too many.
        """
        if not self._uses_left or self._left_s <= 0.0:
            raise EngineError(f"one reply has {MAX_USES} uses of tools and {self.timeout_s:g} s for them")
        self._uses_left -= 1
        if self.tools.has_effects(action.name):
            await self._confirmed.wait()
        await trio.lowlevel.checkpoint_if_cancelled()  # confirmed and cancelled in the same moment: not begun
        self._uses += 1
        begun = trio.current_time()
        own_s = self.tools.time_limit_s(action.name)
        self.busy(True)
        try:
            return await self._use(self._uses, action, self._left_s if own_s is None else own_s)
        finally:
            self.busy(False)
            if own_s is None:
                self._left_s -= trio.current_time() - begun

    async def _use(self, use: int, action: Action, limit_s: float) -> str:
        reply, outcome = self._reply, ToolOutcome.CANCELLED
        self.report.say(ToolStarted, reply=reply, use=use, name=action.name)
        try:
            with trio.move_on_after(limit_s):
                try:
                    result = await self.tools.use(action)
                except EngineError:
                    outcome = ToolOutcome.FAILED
                    raise
                outcome = ToolOutcome.DONE
                return result
            outcome = ToolOutcome.LATE
        finally:
            self.report.say(ToolEnded, reply=reply, use=use, name=action.name, outcome=outcome)
        raise EngineError(f"the tool {action.name!r} took too long", retryable=True)
