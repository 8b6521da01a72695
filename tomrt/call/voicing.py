"""Where a session's reply items become samples of the line."""

from __future__ import annotations

import trio
from attrs import define, field

from tomrt.audio import Resampler
from tomrt.call.pacer import Pacer
from tomrt.call.playout import Playout
from tomrt.call.reporting import Reporter
from tomrt.errors import EngineError
from tomrt.events import Action, ReplyItem, Sentence, Transcript, Understood, Voice, WordStart

__all__ = ["MAX_REPLY_S", "Voicing"]

MAX_REPLY_S = 180.0
"""A longer reply is a model that does not stop."""
MAX_ACTIONS = 16


@define(eq=False)
class Voicing(trio.abc.SendChannel[ReplyItem]):
    """Takes one reply's items; ``send`` waits while enough audio is made ahead.

    Args:
        playout: Takes the samples.
        pacer: Says when there is room.
        report: Where happenings go.
        turn: The turn being answered.
    """

    playout: Playout
    pacer: Pacer
    report: Reporter
    turn: int
    patience: trio.CancelScope = field(factory=trio.CancelScope, init=False)
    transcript: Transcript | None = field(default=None, init=False)
    actions: list[Action] = field(factory=list, init=False)
    _resampler: Resampler | None = field(default=None, init=False)
    _rate_hz: int = field(default=0, init=False)

    @property
    def is_silent(self) -> bool:
        """Whether nothing was voiced."""
        return self.playout.ledger.produced == 0

    async def send(self, value: ReplyItem) -> None:
        """Take one item."""
        match value:
            case Transcript():
                self.transcript = value
                self.report.say(Understood, turn=self.turn, text=value.text, rejected=value.rejected)
            case Sentence():
                self._drain()
                self.playout.sentence(value.text)
            case WordStart():
                self.playout.word(value.char, value.offset)
            case Action():
                self._add_action(value)
            case Voice():
                await self._voice(value)
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Do nothing: the reply ends with its scope, not with its channel."""
        await trio.lowlevel.checkpoint()

    def finish(self) -> None:
        """The session is done: nothing more will come."""
        self._drain()
        self.patience.deadline = float("inf")
        self.playout.finish()
        self.pacer.wake()

    def _add_action(self, action: Action) -> None:
        if len(self.actions) >= MAX_ACTIONS:
            raise EngineError(f"one reply asked for more than {MAX_ACTIONS} actions")
        self.actions.append(action)

    async def _voice(self, voice: Voice) -> None:
        if self._rate_hz != voice.rate_hz:
            self._drain()
            self._rate_hz = voice.rate_hz
            self._resampler = Resampler(voice.rate_hz, self.playout.rate_hz)
        assert self._resampler is not None
        self._add(self._resampler.process(voice.pcm))
        if not self.is_silent:
            self.patience.deadline = float("inf")  # the first audio is here; from now on the caller's ear sets the pace
        await self.pacer.has_room()

    def _drain(self) -> None:
        """Let out what the resampler still holds, so that a sentence ends where the next one begins."""
        if self._resampler is not None:
            self._add(self._resampler.flush())
            self._resampler.reset()

    def _add(self, pcm: bytes) -> None:
        if not pcm:
            return
        self.playout.add(pcm)
        if self.playout.ledger.produced > MAX_REPLY_S * self.playout.rate_hz:
            raise EngineError(f"the reply is longer than {MAX_REPLY_S:g} s")
        self.pacer.wake()
