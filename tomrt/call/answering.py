"""The answer task: one reply after the other, each within the floor's cancel scope."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import trio
from attrs import define, evolve, field

from tomrt.audio import Ingress
from tomrt.call.asked import Asked, Say
from tomrt.call.filling import Filling
from tomrt.call.floor import Floor
from tomrt.call.pacer import Pacer
from tomrt.call.playout import Playout
from tomrt.call.reporting import Reporter
from tomrt.call.tooling import ToolDesk
from tomrt.call.voicing import Voicing
from tomrt.dialogue.history import History
from tomrt.dialogue.state import Event as CallEvent
from tomrt.errors import EngineError
from tomrt.events import Action, Signal, Transcript, Turn
from tomrt.happenings import ActionRequested, ReplyConfirmed, ReplyEnded, ReplyOutcome, ReplyStarted, Signalled
from tomrt.ports import RealtimeSession
from tomrt.turns.endpointing import PRE_ROLL_MS
from tomrt.turns.reply import Event, Stage

__all__ = ["Answering"]

POST_ROLL_MS = 200.0
"""Audio kept behind the last speech frame: a soft final consonant falls below the detector."""
TRUNCATE_S = 0.5
"""How long the session may take to note what was heard of a reply that was cut."""


@define(kw_only=True)
class Answering:
    """Makes replies of what was asked.

    Args:
        session: The engines.
        ingress: Holds the caller's audio.
        playout: Takes the reply's samples.
        pacer: Tells when they were heard.
        floor: The reply's cancel scope.
        report: Where happenings go.
        filling: Says that it takes a moment, when it does.
        desk: Lends tools.
        timeout_s: A reply without a sound of the answer after this long has failed.
        over: Called, before anything else is said, when a reply was heard to its end or failed.
        phase: Takes what moves the call's own state machine.
        understood: Takes what was understood of a turn that may not be complete.
        undrafted: Called when there will be no draft for a turn.
    """

    session: RealtimeSession
    ingress: Ingress
    playout: Playout
    pacer: Pacer
    floor: Floor
    report: Reporter
    filling: Filling
    desk: ToolDesk
    timeout_s: float
    over: Callable[[], None]
    phase: Callable[[CallEvent], None]
    understood: Callable[[Asked, Transcript], None]
    undrafted: Callable[[Asked], None]
    history: History = field(factory=History, init=False)
    failure: str = field(default="", init=False)
    _replies: int = field(default=0, init=False)
    _asked: Asked | None = field(default=None, init=False)
    _voicing: Voicing | None = field(default=None, init=False)

    async def run(self, jobs: trio.MemoryReceiveChannel[Asked | Say]) -> None:
        """Answer *jobs* until cancelled."""
        async for job in jobs:
            if isinstance(job, Say):
                await self._reply(job.generation, partial(self._say, job.text))
            else:
                await self._answer(job)

    @property
    def response_ms(self) -> float | None:
        """Since the end of the caller's speech, when the reply under way was asked for."""
        return None if self._asked is None else (trio.current_time() - self._asked.ended_at) * 1000.0

    @property
    def turn(self) -> int:
        """The turn being answered; 0 for what is said unasked."""
        return 0 if self._asked is None else self._asked.turn

    def heard_so_far(self, turn: int, start_ms: float, end_ms: float) -> Turn:
        """Return the caller's speech between two line times as a turn."""
        audio = self.ingress.utterance(max(0.0, start_ms - PRE_ROLL_MS), end_ms + POST_ROLL_MS)
        return Turn(number=turn, audio=audio, history=self.history.snapshot())

    def confirm(self, asked: Asked) -> None:
        """The turn is complete: its draft is the reply, or will be when it has begun."""
        asked.confirmed.set()
        if asked is self._asked and self._voicing is not None and self.floor.reply is Stage.DRAFT:
            self.floor.note(Event.CONFIRMED)
            self.report.say(ReplyConfirmed, reply=self._replies, turn=asked.turn)
            self._voicing.confirm()
            self.playout.ungate()
            self.pacer.wake()
            self.filling.expect()

    def take_back(self) -> None:
        """The caller went on over the first words of the reply under way: what it answered is not all."""
        if self._asked is not None:
            self._asked.taken_back = True

    # --- one reply ---------------------------------------------------------------------------------------------------

    async def _answer(self, asked: Asked) -> None:
        self._asked = asked
        try:
            await self._reply(asked.generation, partial(self._respond, asked, self._turn(asked)))
        finally:
            self._asked = None

    def _turn(self, asked: Asked) -> Turn:
        if asked.start_ms is None or asked.end_ms is None:
            return Turn(number=asked.turn, digits=asked.digits, history=self.history.snapshot())
        return evolve(self.heard_so_far(asked.turn, asked.start_ms, asked.end_ms), digits=asked.digits)

    async def _reply(self, generation: int, speak: Callable[[Voicing], Awaitable[None]]) -> None:
        if generation != self.floor.generation:
            return
        draft = self._asked is not None and not self._asked.confirmed.is_set()
        self._replies += 1
        self.floor.open(draft=draft)
        self.report.say(ReplyStarted, reply=self._replies, turn=self.turn, draft=draft)
        self.playout.open(self._replies, gated=draft)
        voicing = self._voicing = Voicing(
            self.playout, self.pacer, self.report, self.turn, timeout_s=self.timeout_s, draft=draft
        )
        self.filling.watch(self._replies, voicing)
        failed_draft = False
        try:
            whole = await self.floor.hold(generation, partial(self._voice, voicing, speak))
            self.floor.note(Event.FINISHED if whole else Event.INTERRUPTED)
        except EngineError as error:
            self.failure = str(error)
            failed_draft = self.floor.reply is Stage.DRAFT
            self.floor.note(Event.FAILED)
        finally:
            outcome = self._end(voicing)
        if failed_draft and self._asked is not None:
            self.undrafted(self._asked)
        self._follow_up(outcome, voicing.actions, voicing.signals)
        await self._truncate(outcome)

    async def _voice(self, voicing: Voicing, speak: Callable[[Voicing], Awaitable[None]]) -> None:
        confirmed = self._asked.confirmed if self._asked is not None else None
        if confirmed is not None and confirmed.is_set():
            self.filling.expect()
        with voicing.patience:
            await speak(voicing)
            voicing.finish()
        if voicing.patience.cancelled_caught:
            raise EngineError(f"the engines said nothing for {self.timeout_s:g} s", retryable=True)
        if voicing.is_silent and not voicing.actions:
            raise EngineError("the engines answered nothing")
        if confirmed is not None:
            await confirmed.wait()
        await self.pacer.played_out()

    async def _say(self, text: str, voicing: Voicing) -> None:
        await self.session.say(text, voicing)

    async def _respond(self, asked: Asked, turn: Turn, voicing: Voicing) -> None:
        self.desk.open(self._replies, asked.confirmed)

        async def use(action: Action) -> str:
            voicing.wait_for_a_tool()
            try:
                return await self.desk.use(action)
            finally:
                voicing.wait_for_more()

        if not asked.confirmed.is_set():
            turn = evolve(turn, transcript=await self._understand(asked, turn))
        await self.session.respond(turn, voicing, use)

    async def _understand(self, asked: Asked, turn: Turn) -> Transcript | None:
        """Return what the turn says so far; ``None`` when that failed and the turn, complete by now, needs an answer.

        Raises:
            EngineError: there is nothing to draft an answer to.
        """
        try:
            transcript = await self.session.understand(turn)
        except EngineError:
            if asked.confirmed.is_set():
                return None
            raise
        await trio.lowlevel.checkpoint_if_cancelled()  # a recogniser may return although nobody waits any more
        self.understood(asked, transcript)
        return transcript

    def _end(self, voicing: Voicing) -> ReplyOutcome:
        """Write down what was heard. Also when the call itself is cancelled."""
        now = trio.current_time()
        outcome = self.floor.outcome
        voicing.end()
        self.filling.forget()
        self._voicing = None
        heard = self.playout.spoken.heard(self.playout.ledger.advance(now))
        if outcome is ReplyOutcome.COMPLETED:
            heard = self.playout.spoken.text
        if self._is_said(outcome) and voicing.transcript is not None:
            self.history.caller_said(voicing.transcript.text)
        self.history.caller_heard(heard)
        self.report.say(
            ReplyEnded,
            reply=self._replies,
            turn=self.turn,
            outcome=outcome,
            text=self.playout.spoken.text,
            heard=heard,
            draft=voicing.draft,
        )
        if outcome is ReplyOutcome.FAILED:
            self.playout.cut(now)  # what the line holds of it is not heard any more
            self.pacer.wake()
        else:
            self.playout.close(now)
        return outcome

    def _is_said(self, outcome: ReplyOutcome) -> bool:
        """Whether the turn stands in the history as it is; one that was taken back is a part of the next."""
        return self._asked is not None and outcome is not ReplyOutcome.CANCELLED and not self._asked.taken_back

    async def _truncate(self, outcome: ReplyOutcome) -> None:
        """Tell a session that keeps its own history how much of its reply was heard."""
        if self._asked is None or outcome is ReplyOutcome.COMPLETED:
            return
        heard_ms = self.playout.ledger.heard * 1000 // self.playout.rate_hz
        with trio.move_on_after(TRUNCATE_S), suppress(EngineError):  # its memory is wrong now; the call goes on
            await self.session.truncate(self._asked.turn, heard_ms)

    def _follow_up(self, outcome: ReplyOutcome, actions: list[Action], signals: list[Signal]) -> None:
        """Do what the reply asked for, tell what it noticed, and tell the call's machines how it went.

        A reply that nobody heard (superseded, dropped, failed) asked for nothing. One that was cut has the caller's
        attention elsewhere: what it wanted recorded stands, but it no longer ends the call.
        """
        ending = None
        stands = outcome in {ReplyOutcome.COMPLETED, ReplyOutcome.CUT}
        for signal in signals if stands else ():
            self.report.say(Signalled, reply=self._replies, signal=signal)
        for action in actions if stands else ():
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
