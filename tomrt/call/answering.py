"""The answer task: one reply after the other, each within the floor's cancel scope."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import trio
from attrs import define, field, frozen

from tomrt.audio import Ingress
from tomrt.call.floor import Floor
from tomrt.call.pacer import Pacer
from tomrt.call.playout import Playout
from tomrt.call.reporting import Reporter
from tomrt.call.turntaking import Asked
from tomrt.call.voicing import Voicing
from tomrt.dialogue.history import History
from tomrt.dialogue.state import Event as CallEvent
from tomrt.errors import EngineError
from tomrt.events import Action, ActionRequested, ReplyEnded, ReplyOutcome, ReplyStarted, Turn
from tomrt.ports import RealtimeSession
from tomrt.turns.endpointing import PRE_ROLL_MS

__all__ = ["Answering", "Say"]

POST_ROLL_MS = 200.0
"""Audio kept behind the last speech frame: a soft final consonant falls below the detector."""


@frozen(kw_only=True)
class Say:
    """Something to say unasked.

    Args:
        text: The words.
        generation: The floor's when it was asked for; a later interruption makes it stale.
    """

    text: str
    generation: int


@define
class Answering:
    """Makes replies of what was asked.

    Args:
        session: The engines.
        ingress: Holds the caller's audio.
        playout: Takes the reply's samples.
        pacer: Tells when they were heard.
        floor: The reply's cancel scope.
        report: Where happenings go.
        timeout_s: A reply of which nothing was heard after this long has failed.
        over: Called, before anything else is said, when a reply was heard to its end or failed.
        phase: Takes what moves the call's own state machine.
    """

    session: RealtimeSession
    ingress: Ingress
    playout: Playout
    pacer: Pacer
    floor: Floor
    report: Reporter
    timeout_s: float
    over: Callable[[], None]
    phase: Callable[[CallEvent], None]
    history: History = field(factory=History, init=False)
    failure: str = field(default="", init=False)
    _replies: int = field(default=0, init=False)
    _asked: Asked | None = field(default=None, init=False)

    async def run(self, jobs: trio.MemoryReceiveChannel[Asked | Say]) -> None:
        """Answer *jobs* until cancelled."""
        async for job in jobs:
            await self._reply(job)

    @property
    def response_ms(self) -> float | None:
        """Since the end of the caller's speech, when the reply under way was asked for."""
        return None if self._asked is None else (trio.current_time() - self._asked.ended_at) * 1000.0

    @property
    def turn(self) -> int:
        """The turn being answered; 0 for what is said unasked."""
        return 0 if self._asked is None else self._asked.turn

    async def _reply(self, job: Asked | Say) -> None:
        if job.generation != self.floor.generation:
            return
        self._replies += 1
        self._asked = job if isinstance(job, Asked) else None
        self.report.say(ReplyStarted, reply=self._replies, turn=self.turn)
        self.playout.open(self._replies)
        voicing = Voicing(self.playout, self.pacer, self.report, turn=self.turn)
        outcome = ReplyOutcome.CANCELLED
        try:
            outcome = await self._run(job, voicing)
        finally:
            self._end(outcome, voicing)
        self._follow_up(outcome, voicing.actions)

    async def _run(self, job: Asked | Say, voicing: Voicing) -> ReplyOutcome:
        try:
            whole = await self.floor.hold(job.generation, partial(self._speak, job, voicing))
        except EngineError as error:
            self.failure = str(error)
            return ReplyOutcome.FAILED
        if whole:
            return ReplyOutcome.COMPLETED
        return ReplyOutcome.CUT if self.playout.ledger.sent else ReplyOutcome.CANCELLED

    async def _speak(self, job: Asked | Say, voicing: Voicing) -> None:
        with trio.move_on_after(self.timeout_s) as voicing.patience:
            if isinstance(job, Say):
                await self.session.say(job.text, voicing)
            else:
                await self.session.respond(self._turn(job), voicing)
            voicing.finish()
        if voicing.patience.cancelled_caught:
            raise EngineError(f"no audio within {self.timeout_s:g} s", retryable=True)
        if voicing.is_silent and not voicing.actions:
            raise EngineError("the engines answered nothing")
        await self.pacer.played_out()

    def _turn(self, asked: Asked) -> Turn:
        audio = b""
        if asked.start_ms is not None and asked.end_ms is not None:
            audio = self.ingress.utterance(max(0.0, asked.start_ms - PRE_ROLL_MS), asked.end_ms + POST_ROLL_MS)
        return Turn(number=asked.turn, audio=audio, digits=asked.digits, history=self.history.snapshot())

    def _end(self, outcome: ReplyOutcome, voicing: Voicing) -> None:
        """Write down what was heard. Also when the call itself is cancelled."""
        now = trio.current_time()
        heard = self.playout.spoken.heard(self.playout.ledger.advance(now))
        if outcome is ReplyOutcome.COMPLETED:
            heard = self.playout.spoken.text
        if self._asked is not None and voicing.transcript is not None and outcome is not ReplyOutcome.CANCELLED:
            self.history.caller_said(voicing.transcript.text)
        self.history.caller_heard(heard)
        self.report.say(
            ReplyEnded,
            reply=self._replies,
            turn=self.turn,
            outcome=outcome,
            text=self.playout.spoken.text,
            heard=heard,
        )
        self.playout.close(now)

    def _follow_up(self, outcome: ReplyOutcome, actions: list[Action]) -> None:
        """Do what the reply asked for, and tell the call's machines how it went.

        A reply that nobody heard (superseded, failed) asked for nothing. One that was cut has the caller's attention
        elsewhere: what it wanted recorded stands, but it no longer ends the call.
        """
        ending = None
        for action in actions if outcome in {ReplyOutcome.COMPLETED, ReplyOutcome.CUT} else ():
            ends = _ENDINGS.get(action.name)
            if ends is not None and outcome is ReplyOutcome.CUT:
                continue
            self.report.say(ActionRequested, reply=self._replies, action=action)
            ending = ends or ending
        if outcome in {ReplyOutcome.COMPLETED, ReplyOutcome.FAILED}:
            self.over()
            self.phase(ending or self._went(outcome))

    def _went(self, outcome: ReplyOutcome) -> CallEvent:
        if outcome is ReplyOutcome.FAILED:
            return CallEvent.FAILED
        return CallEvent.OVER if self._asked is None else CallEvent.SERVED


_ENDINGS = {"hang_up": CallEvent.GOODBYE, "transfer": CallEvent.TRANSFER}
