"""A voice that speaks from the tape and misbehaves: implements the real TextToSpeech port."""

from __future__ import annotations

import trio
import trio.abc
from attrs import define, field

from tomrt.errors import EngineError
from tomrt.events import Voice, WordStart
from tomrt.simulation.dice import Dice
from tomrt.simulation.faults import Faults
from tomrt.simulation.recogniser import linger
from tomrt.simulation.record import Record
from tomrt.simulation.tape import Tape

__all__ = ["SimulatedVoice"]

SCRAP_S = 0.01
LONG_DELAY_S = 3.0


@define(eq=False)
class SimulatedVoice:
    """Says each word in the same time.

    Args:
        record: Takes down each sentence and where on the tape it is.
        faults: What goes wrong.
        dice: How fast it is.
        tape: Where its sound is from.
        rate_hz: Its rate.
        word_s: How long a word takes.
    """

    record: Record
    faults: Faults
    dice: Dice
    tape: Tape
    rate_hz: int
    word_s: float
    asked: int = field(default=0, init=False)
    active: int = field(default=0, init=False)

    async def speak(self, text: str, out: trio.abc.SendChannel[Voice | WordStart]) -> None:
        """Voice one sentence."""
        self.asked += 1
        number = self.asked
        self.active += 1
        self.record.note("tts.asked", number=number, text=text)
        try:
            await self._speak(number, text, out)
            self.record.note("tts.answered", number=number)
        finally:
            self.active -= 1
            await linger(self.faults, "tts.lingers")
            self.record.note("tts.done", number=number)

    async def _speak(self, number: int, text: str, out: trio.abc.SendChannel[Voice | WordStart]) -> None:
        faults = self.faults
        await trio.sleep(self.dice.between(0.02, 0.15))
        if faults.strikes("tts.hang"):
            await trio.sleep_forever()
        if faults.strikes("tts.slow"):
            await trio.sleep(faults.amount("tts.slow", 0.2, LONG_DELAY_S))
        if faults.strikes("tts.error"):
            raise EngineError("the voice failed")
        if faults.strikes("tts.silent"):
            return
        words = text.split()
        per_word = round(self.word_s * self.rate_hz)
        start, pcm = self.tape.cut(per_word * len(words))
        timed = not faults.strikes("tts.no_timings")
        self.record.note(
            "tts.voices",
            number=number,
            start=start,
            samples=len(pcm) // 2,
            word=per_word if timed else 0,
            words=len(words),
        )
        if timed:
            await self._time(words, out)
        breaks_off = faults.strikes("tts.breaks_off")
        size = 2 * self._chunk(per_word * len(words))
        for at in range(0, len(pcm), size):
            await out.send(Voice(pcm[at : at + size], self.rate_hz))
            self.record.note("tts.voiced", number=number, samples=len(pcm[at : at + size]) // 2)
            if breaks_off:
                raise EngineError("the voice broke off")

    async def _time(self, words: list[str], out: trio.abc.SendChannel[Voice | WordStart]) -> None:
        char = 0
        for index, word in enumerate(words):
            await out.send(WordStart(char, index * self.word_s))
            char += len(word) + 1

    def _chunk(self, samples: int) -> int:
        if self.faults.strikes("tts.one_piece"):
            return samples
        return round((SCRAP_S if self.faults.strikes("tts.scraps") else 0.6) * self.rate_hz)
