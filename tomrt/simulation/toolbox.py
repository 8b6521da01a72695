"""Tools that misbehave: one without and one with effects; implements the real Tools port."""

from __future__ import annotations

import trio
from attrs import define, field

from tomrt.errors import EngineError
from tomrt.events import Action
from tomrt.simulation.dice import Dice
from tomrt.simulation.faults import Faults
from tomrt.simulation.record import Record

__all__ = ["EFFECTS", "SimulatedTools"]

KNOWN = frozenset({"look_up", "book"})
EFFECTS = frozenset({"book"})


@define(eq=False)
class SimulatedTools:
    """``look_up`` tells something, ``book`` changes the world.

    Args:
        record: Takes down each use.
        faults: What goes wrong.
        dice: How long they take.
    """

    record: Record
    faults: Faults
    dice: Dice
    used: int = field(default=0, init=False)
    active: int = field(default=0, init=False)

    def has_effects(self, name: str) -> bool:
        """Whether *name* changes the world."""
        return name in EFFECTS

    def time_limit_s(self, name: str) -> float | None:  # noqa: ARG002 - the port's
        """Return ``None``: all share the reply's."""
        return None

    async def use(self, action: Action) -> str:
        """Use a tool."""
        if action.name not in KNOWN:
            raise EngineError(f"there is no tool {action.name}")
        self.used += 1
        number = self.used
        self.active += 1
        self.record.note("tool.begins", number=number, name=action.name)
        done = False
        try:
            await self._work()
            done = True
            return "done"
        finally:
            self.active -= 1
            self.record.note("tool.ends", number=number, name=action.name, done=done)

    async def _work(self) -> None:
        await trio.sleep(self.dice.between(0.01, 0.6))
        if self.faults.strikes("tool.hang"):
            await trio.sleep_forever()
        if self.faults.strikes("tool.slow"):
            await trio.sleep(self.faults.amount("tool.slow", 0.5, 5.0))
        if self.faults.strikes("tool.error"):
            raise EngineError("the tool failed")
