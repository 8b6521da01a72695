"""A recogniser that knows nothing and misbehaves: implements the real SpeechToText port."""

from __future__ import annotations

import trio
from attrs import define, field

from tomrt.dialogue.grammar import OVERLAP
from tomrt.errors import EngineError
from tomrt.events import Transcript
from tomrt.simulation.dice import Dice
from tomrt.simulation.faults import Faults
from tomrt.simulation.record import Record

__all__ = ["SimulatedRecogniser"]

WHOLE = ("what are your opening hours", "I would like an appointment", "yes please", "goodbye", "no", "thank you")
BROKEN_OFF = ("my number is", "I would like to", "um", "and", "the", "seven four two", "what about")
BACKCHANNELS = ("mhm", "yes", "okay", "uh-huh", "right")
FLOOR = ("wait", "stop", "no but listen")
NOTHING = ("",)
SHORT_S = 0.85
"""Words said over a reply in less audio than this, its pre-roll included, are few."""
GARBAGE = "\u2026 \u00e4\u00f6\u00fc <b>\u202e ' \" \\ {} " * 40


@define(eq=False)
class SimulatedRecogniser:
    """Says what was said by length and by chance.

    Args:
        record: Takes down each request.
        faults: What goes wrong.
        dice: What is understood.
        sure_of_words: Whether it is to be believed.
    """

    record: Record
    faults: Faults
    dice: Dice
    sure_of_words: bool
    asked: int = field(default=0, init=False)
    active: int = field(default=0, init=False)

    async def transcribe(self, audio: bytes, *, hint: str | None = None) -> Transcript:
        """Return what might have been said."""
        self.asked += 1
        number = self.asked
        self.active += 1
        self.record.note("stt.asked", number=number, seconds=len(audio) / 32_000)
        try:
            transcript = await self._think(len(audio) / 32_000, over_reply=hint == OVERLAP)
            self.record.note("stt.answered", number=number, text=transcript.text[:60])
            return transcript
        finally:
            self.active -= 1
            self.record.note("stt.done", number=number)

    async def _think(self, seconds: float, *, over_reply: bool) -> Transcript:
        faults, dice = self.faults, self.dice
        await self._take_time(0.02 + 0.05 * dice.between(0.0, 1.0))
        if faults.strikes("stt.hang"):
            await trio.sleep_forever()
        if faults.strikes("stt.slow"):
            await self._take_time(faults.amount("stt.slow", 0.1, 3.0))
        if faults.strikes("stt.error"):
            raise EngineError("the recogniser failed", retryable=faults.amount("stt.error", 0, 1) < 0.5)
        whole = dice.chance(0.7)
        if over_reply and seconds < SHORT_S:
            choices = dice.one_of((BACKCHANNELS, BACKCHANNELS, FLOOR, NOTHING))
        else:
            choices = WHOLE if whole else BROKEN_OFF
        text = dice.one_of(choices)
        if faults.strikes("stt.nothing"):
            return Transcript("", rejected=text)
        if faults.strikes("stt.garbage"):
            return Transcript(GARBAGE)
        return Transcript(text, whole=whole and dice.chance(0.5))

    async def _take_time(self, seconds: float) -> None:
        try:
            await trio.sleep(seconds)
        finally:
            await linger(self.faults, "stt.lingers")


async def linger(faults: Faults, kind: str) -> None:
    """A cancelled engine that does not return at once: a C library finishes its block."""
    cancelled = trio.current_effective_deadline() == float("-inf")
    if cancelled and faults.strikes(kind):
        with trio.CancelScope(shield=True):
            await trio.sleep(faults.amount(kind, 0.01, 0.15))
