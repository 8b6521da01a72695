"""Small engines that implement the real ports without models, threads or clocks of their own."""

from collections.abc import Sequence
from functools import cache

import trio
from attrs import define, field
from fakes.speech import BOT_PITCH_HZ, speech

from tomrt.errors import EngineError
from tomrt.events import Action, Message, ReplyItem, Sentence, Transcript, Turn, Voice, WordStart
from tomrt.happenings import Happening
from tomrt.ports import ToolUse

__all__ = ["EventLog", "SmallSession", "voice_words"]

RATE_HZ = 22050
WORD_S = 0.3


@define
class EventLog:
    """A tap that keeps everything."""

    happened: list[Happening] = field(factory=list)

    def put(self, happening: Happening) -> None:
        """Keep *happening*."""
        self.happened.append(happening)

    def names(self) -> list[str]:
        """Return the class names, in order."""
        return [type(happening).__name__ for happening in self.happened]

    def all(self, kind: type) -> list:
        """Return what happened of one kind."""
        return [happening for happening in self.happened if isinstance(happening, kind)]


@cache
def _word(seed: int) -> bytes:
    return speech(WORD_S, RATE_HZ, seed=seed, pitch_hz=BOT_PITCH_HZ)


async def voice_words(text: str, out: trio.abc.SendChannel[ReplyItem]) -> None:
    """Voice *text* at 0.3 s a word, with word timings."""
    await out.send(Sentence(text))
    start = 0
    for index, word in enumerate(text.split()):
        await out.send(WordStart(start, index * WORD_S))
        await out.send(Voice(_word(index), RATE_HZ))
        start += len(word) + 1


@define
class SmallSession:
    """A RealtimeSession that answers by list.

    Args:
        answers: For each turn what was understood, what is answered, and how long thinking takes; the last one repeats.
            An answer may be an exception to raise, or an action to ask for.
    """

    answers: Sequence[tuple[str, str | Exception | Action, float]]
    beforehand: bool = False
    """Whether it can tell what a turn says before it answers, so that answers are drafted."""
    sure_of_words: bool = True
    turns: list[Turn] = field(factory=list, init=False)
    said: list[str] = field(factory=list, init=False)
    truncated: list[tuple[int, int]] = field(factory=list, init=False)

    async def understand(self, turn: Turn, *, over_reply: bool = False) -> Transcript:
        """Return what the next answer's turn says, and over a reply nothing that could be used."""
        await trio.lowlevel.checkpoint()
        if over_reply:
            return Transcript("", rejected="noise")
        return Transcript(turn.digits or self._next()[0])

    async def truncate(self, turn: int, heard_ms: int) -> None:
        """Keep what was told."""
        self.truncated.append((turn, heard_ms))
        await trio.lowlevel.checkpoint()

    def _next(self) -> tuple[str, str | Exception | Action, float]:
        return self.answers[min(len(self.turns), len(self.answers) - 1)]

    async def respond(self, turn: Turn, out: trio.abc.SendChannel[ReplyItem], tools: ToolUse) -> None:
        """Answer *turn*."""
        understood, answer, thinking_s = self._next()
        self.turns.append(turn)
        await out.send(turn.transcript or Transcript(turn.digits or understood))
        await trio.sleep(thinking_s)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Action):
            await voice_words("Very well.", out)
            await out.send(answer)
            return
        await voice_words(answer, out)

    async def say(self, text: str, out: trio.abc.SendChannel[ReplyItem]) -> None:
        """Voice *text*."""
        self.said.append(text)
        if not text:
            raise EngineError("nothing to say")
        await voice_words(text, out)

    def history_of(self, turn: int) -> tuple[Message, ...]:
        """Return the history that came with a turn, counted from 1."""
        return self.turns[turn - 1].history
