"""A language model that answers by chance and misbehaves: implements the real LanguageModel port."""

from __future__ import annotations

from collections.abc import Sequence

import trio
import trio.abc
from attrs import define, field

from tomrt.errors import EngineError
from tomrt.events import Action, Message, Signal
from tomrt.ports import ToolUse
from tomrt.simulation.dice import Dice
from tomrt.simulation.faults import Faults
from tomrt.simulation.recogniser import linger
from tomrt.simulation.record import Record

__all__ = ["SimulatedModel"]

WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
MANY_ACTIONS = 20
MANY_TOOLS = 12


@define(eq=False)
class SimulatedModel:
    """Writes one to three sentences, now and then uses a tool or asks for an action.

    Args:
        record: Takes down each request.
        faults: What goes wrong.
        dice: What it answers.
        noticing: What it notices.
        heal_at: From then on the answer is one plain sentence.
        crashes: Whether it raises what no engine may raise.
    """

    record: Record
    faults: Faults
    dice: Dice
    noticing: Dice
    heal_at: float
    crashes: bool = False
    asked: int = field(default=0, init=False)
    active: int = field(default=0, init=False)

    def hint(self, history: Sequence[Message]) -> str | None:  # noqa: ARG002 - expects nothing
        """Expect nothing in particular."""
        return None

    async def answer(
        self, history: Sequence[Message], out: trio.abc.SendChannel[str | Action | Signal], tools: ToolUse
    ) -> None:
        """Answer *history*."""
        self.asked += 1
        number = self.asked
        self.active += 1
        self.record.note("llm.asked", number=number, history=[(each.role, each.text) for each in history])
        try:
            await self._answer(out, tools)
            self.record.note("llm.answered", number=number)
        finally:
            self.active -= 1
            await linger(self.faults, "llm.lingers")
            self.record.note("llm.done", number=number)

    async def _answer(self, out: trio.abc.SendChannel[str | Action | Signal], tools: ToolUse) -> None:
        faults, dice = self.faults, self.dice
        await trio.sleep(dice.between(0.02, 0.3))
        if self.crashes:
            raise ZeroDivisionError("a bug in an engine")
        if faults.strikes("llm.hang"):
            await trio.sleep_forever()
        if faults.strikes("llm.slow"):
            await trio.sleep(faults.amount("llm.slow", 0.3, 4.0))
        if faults.strikes("llm.error"):
            raise EngineError("the model failed", retryable=faults.amount("llm.error", 0, 1) < 0.5)
        if faults.strikes("llm.empty"):
            return
        await self._use_tools(tools)
        text = self._text()
        for piece in self._pieces(text):
            await out.send(piece)
            if faults.strikes("llm.breaks_off"):
                raise EngineError("the model broke off")
            if faults.strikes("llm.hangs_midway"):
                await trio.sleep_forever()
        await self._notice(out)
        await self._ask_for_actions(out)

    async def _notice(self, out: trio.abc.SendChannel[str | Action | Signal]) -> None:
        for signal in Signal:
            if self.noticing.chance(0.15):
                await out.send(signal)

    async def _use_tools(self, tools: ToolUse) -> None:
        if trio.current_time() >= self.heal_at:
            return
        count = MANY_TOOLS if self.faults.strikes("llm.many_tools") else self.dice.one_of((0, 0, 0, 1, 1, 2))
        for _ in range(count):
            name = self.dice.one_of(("look_up", "look_up", "book", "unknown"))
            self.record.note("llm.wants", name=name)
            try:
                await tools(Action(name, (("what", "x"),)))
            except EngineError:
                self.record.note("llm.without_tool", name=name)

    def _text(self) -> str:
        dice = self.dice
        sentences = 1 if trio.current_time() >= self.heal_at else dice.whole(1, 3)
        if self.faults.strikes("llm.long"):
            sentences = 12
        return " ".join(
            " ".join(dice.one_of(WORDS) for _ in range(dice.whole(2, 9))).capitalize()
            + dice.one_of((".", ".", "?", ","))
            for _ in range(sentences)
        )

    def _pieces(self, text: str) -> list[str]:
        if self.faults.strikes("llm.letters"):
            return [text[at : at + 2] for at in range(0, len(text), 2)]
        return [piece + " " for piece in text.split(". ")]

    async def _ask_for_actions(self, out: trio.abc.SendChannel[str | Action | Signal]) -> None:
        if self.faults.strikes("llm.actions"):
            for _ in range(MANY_ACTIONS):
                await out.send(Action("take_note", (("text", "x"),)))
        if trio.current_time() >= self.heal_at:
            return
        match self.dice.whole(1, 12):
            case 1:
                await out.send(Action("hang_up"))
            case 2:
                await out.send(Action("transfer"))
            case 3 | 4:
                await out.send(Action("take_note", (("text", "x"),)))
            case _:
                pass
