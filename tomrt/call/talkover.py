"""The words that the caller says over a held reply, found out while it is decided whether they interrupt."""

from __future__ import annotations

from collections.abc import Callable

import trio
from attrs import define, field, frozen

from tomrt.dialogue.lexicon import Lexicon
from tomrt.errors import EngineError
from tomrt.events import Transcript, Turn
from tomrt.ports import RealtimeSession
from tomrt.turns.barge_in import Words

__all__ = ["TalkOver"]

TOO_LATE_S = 0.5
"""The decision has fallen by then."""


@frozen
class _Question:
    turn: Turn
    asked_at: float


@define
class TalkOver:
    """Asks the recogniser, one question at a time; a newer question takes the place of one not yet asked.

    Args:
        session: Understands.
        lexicon: Tells backchannels from the rest.
        tell: Takes the number of the turn and what its words are.
    """

    session: RealtimeSession
    lexicon: Lexicon
    tell: Callable[[int, Words], None]
    _question: _Question | None = field(default=None, init=False)
    _asked: trio.Event = field(factory=trio.Event, init=False)

    def ask(self, turn: Turn) -> None:
        """Have the words of *turn* looked at."""
        if not self.session.beforehand:
            return
        self._question = _Question(turn, trio.current_time())
        self._asked.set()

    async def run(self) -> None:
        """Answer questions until cancelled."""
        while True:
            await self._asked.wait()
            self._asked = trio.Event()
            question, self._question = self._question, None
            if question is not None:
                with trio.move_on_at(question.asked_at + TOO_LATE_S):
                    self.tell(question.turn.number, await self._words(question.turn))

    async def _words(self, turn: Turn) -> Words:
        try:
            transcript = await self.session.understand(turn, over_reply=True)
        except EngineError:
            return Words.UNKNOWN  # the sound alone decides
        return self._kind(transcript)

    def _kind(self, transcript: Transcript) -> Words:
        if not transcript.text:
            return Words.UNKNOWN if transcript.rejected else Words.NOTHING
        return Words.BACKCHANNEL if self.lexicon.is_backchannel(transcript.text) else Words.FLOOR
