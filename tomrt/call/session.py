"""One call, from the open line to the closed one: its nursery, its tasks and its end."""

from __future__ import annotations

import logging

import trio
from attrs import define, field

from tomrt.audio import Ingress, Overhearing, sensitivity
from tomrt.call.answering import Answering
from tomrt.call.asked import Asked, Say
from tomrt.call.filling import Filling
from tomrt.call.floor import Floor
from tomrt.call.hearing import Hearing
from tomrt.call.pacer import Pacer
from tomrt.call.playout import Playout
from tomrt.call.reporting import Reporter
from tomrt.call.said import Said
from tomrt.call.talkover import TalkOver
from tomrt.call.tooling import NoTools, ToolDesk
from tomrt.call.turntaking import TurnTaking
from tomrt.dialogue import state as call_state
from tomrt.dialogue.lexicon import Lexicon
from tomrt.dialogue.lexicon import load as load_lexicon
from tomrt.dialogue.prompts import Prompts
from tomrt.dialogue.state import Do, Event, Phase
from tomrt.events import Transcript
from tomrt.happenings import CallEnded, CallStarted, ReplyAudible, StateChanged
from tomrt.ports import RealtimeSession, Tap, Tools, Transport
from tomrt.settings import Settings
from tomrt.turns.barge_in import BargeIn, tuned
from tomrt.turns.endpointing import Endpointing

__all__ = ["CallSession"]

log = logging.getLogger("tomrt.call")

JOBS = 8
"""Replies asked for and not begun; more than two would already be stale."""
FINISH_S = 20.0
"""After the peer asked us to finish and close, how long the last reply may take."""
GOODBYE_S = 2.0
"""How long the closing of a line may take."""


@define
class CallSession:
    """A call.

    Args:
        transport: Its line.
        session: Its engines.
        prompts: What is said unasked.
        settings: The service's settings.
        tap: Takes what happens.
        tools: What the engines may use while they answer.
    """

    transport: Transport
    session: RealtimeSession
    prompts: Prompts
    settings: Settings
    tap: Tap
    tools: Tools = field(factory=NoTools)
    report: Reporter = field(init=False)
    _call: call_state.Call = field(init=False)
    _playout: Playout = field(init=False)
    _pacer: Pacer = field(init=False)
    _floor: Floor = field(factory=Floor, init=False)
    _ingress: Ingress = field(init=False)
    _taking: TurnTaking = field(init=False)
    _answering: Answering = field(init=False)
    _filling: Filling = field(init=False)
    _talkover: TalkOver = field(init=False)
    _lexicon: Lexicon = field(init=False)
    _jobs: trio.MemorySendChannel[Asked | Say] = field(init=False)
    _scope: trio.CancelScope = field(factory=trio.CancelScope, init=False)
    _reason: str = field(default="", init=False)
    _cause: str = field(default="", init=False)
    _started: float = field(factory=trio.current_time, init=False)
    _samples_in: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        turns, info = self.settings.turns, self.transport.info
        self.report = Reporter(info.call_id, self.tap)
        self._call = call_state.Call(notice=bool(self.prompts.notice), reprompts=turns.reprompts)
        self._lexicon = load_lexicon(self.settings.dialogue.language)
        self._ingress = Ingress(info.rate_hz, ring_s=turns.max_utterance_s + 10.0)
        self._playout = Playout(info.rate_hz, self.transport.egress, turns.fade_ms)
        said = Said(info.rate_hz)
        self._pacer = Pacer(self.transport, self._playout, said, self._reply_heard)
        self._taking = self._turn_taking(said)
        self._talkover = TalkOver(self.session, self._lexicon, self._taking.overheard)
        self._filling = Filling(
            session=self.session,
            playout=self._playout,
            report=self.report,
            filler=self.prompts.filler,
            filler_after_s=turns.filler_after_ms / 1000.0,
            looking_up=self.prompts.looking_up,
            tool_after_s=turns.tool_announce_after_ms / 1000.0,
        )
        desk = ToolDesk(tools=self.tools, report=self.report, timeout_s=turns.tool_timeout_s, busy=self._filling.tool)
        self._answering = Answering(
            session=self.session,
            ingress=self._ingress,
            playout=self._playout,
            pacer=self._pacer,
            floor=self._floor,
            report=self.report,
            filling=self._filling,
            desk=desk,
            timeout_s=self.settings.engines.reply_timeout_s,
            over=self._taking.reply_over,
            phase=self.happen,
            understood=self._understood,
            undrafted=self._taking.undrafted,
        )

    def _turn_taking(self, said: Said) -> TurnTaking:
        turns = self.settings.turns
        knobs = BargeIn(
            enabled=turns.barge_in,
            commit_speech_ms=turns.commit_speech_ms,
            resume_silence_ms=turns.resume_silence_ms,
            decide_ms=turns.decide_ms,
            nearly_done_ms=turns.nearly_done_ms,
            echo_similarity=turns.echo_similarity,
            words_trusted=self.session.sure_of_words,
        )
        return TurnTaking(
            overhearing=Overhearing(self._ingress, sensitivity(turns.barge_in_sensitivity), silero=turns.confirm_voice),
            said=said,
            playout=self._playout,
            pacer=self._pacer,
            floor=self._floor,
            report=self.report,
            barge_in=tuned(knobs, turns.barge_in_sensitivity),
            limits=Endpointing(
                silence_ms=turns.endpoint_silence_ms,
                complete_ms=turns.endpoint_complete_ms,
                incomplete_ms=turns.endpoint_incomplete_ms,
                adapt=turns.endpoint_adapt,
                pause_ms=turns.pause_ms,
                min_speech_ms=turns.min_speech_ms,
                max_ms=turns.max_utterance_s * 1000.0,
            ),
            speculate=turns.speculate and self.session.beforehand,
            stall_s=turns.stall_ms / 1000.0,
            jobs=self,
        )

    async def run(self) -> None:
        """Hold the call until it ends, whichever way; the line is closed and nothing of it is left afterwards."""
        self.report.say(CallStarted, info=self.transport.info)
        try:
            with self._scope:
                await self._hold()
        except Exception:
            self._reason = "failed"
            log.exception("call failed")
        finally:
            await self._close()

    async def _hold(self) -> None:
        self._jobs, jobs = trio.open_memory_channel[Asked | Say](JOBS)
        hearing = Hearing(self.transport, self._ingress, self._taking, self._playout, self._deadline, self._time_passed)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._pacer.run)
            nursery.start_soon(self._answering.run, jobs)
            nursery.start_soon(self._filling.run)
            nursery.start_soon(self._talkover.run)
            nursery.start_soon(self.report.tell_peer, self.transport)
            self.happen(Event.ANSWERED)
            closed = await hearing.run()
            if closed.reason == "finished":
                self._taking.line_stopped()
                with trio.move_on_after(FINISH_S):
                    await self._taking.idle()
            self._cause = closed.cause
            self._end(closed.reason)
            self.happen(Event.CLOSED)

    async def _close(self) -> None:
        reason = self._reason or "draining"
        self.report.say(
            CallEnded,
            reason=reason,
            cause=self._cause,
            seconds=trio.current_time() - self._started,
            samples_in=int(self._ingress.received_ms * self.transport.info.rate_hz / 1000),
            samples_out=self._playout.samples_sent,
            dropped=self._dropped(),
        )
        # A limit each: a peer that does not take the last words is hung up on all the same.
        with trio.move_on_after(GOODBYE_S / 2, shield=True):
            await self.report.tell_peer_the_rest(self.transport)
        with trio.move_on_after(GOODBYE_S / 2, shield=True):
            await self.transport.hang_up(reason)

    def _dropped(self) -> tuple[tuple[str, int], ...]:
        counts = (("happenings", self.report.dropped), ("history", self._answering.history.forgotten))
        return tuple((buffer, count) for buffer, count in counts if count)

    def _end(self, reason: str) -> None:
        self._reason = self._reason or reason
        self._scope.cancel()

    # --- the call's own state machine --------------------------------------------------------------------------------

    def happen(self, event: Event) -> None:
        """Move the call's state machine, and do what it asks for."""
        before = self._call.phase
        self._call, do = call_state.step(self._call, event)
        if self._call.phase is not before:
            self.report.say(StateChanged, state=self._call.phase.value)
        match do:
            case None:
                pass
            case Do.SAY_NOTICE:
                self._say(self.prompts.notice, guarded=True)
            case Do.SAY_GREETING:
                self._say(self.prompts.greeting)
            case Do.SAY_STILL_THERE:
                texts = self.prompts.still_there
                self._say(texts[min(self._call.silences, len(texts)) - 1])
            case Do.SAY_FAILURE:
                log.warning("no answer: %s", self._answering.failure)
                self._say(self.prompts.failure)
            case Do.SAY_GOODBYE:
                self._reason = _GOODBYES.get(event, "failed")
                self._taking.silence_everything()
                self._say(self.prompts.goodbye, guarded=True)
            case Do.HANG_UP:
                self._end("transferred" if self._call.phase is Phase.TRANSFERRED else "goodbye")

    def _say(self, text: str, *, guarded: bool = False) -> None:
        if self._taking.is_idle:  # else the caller has just begun to speak, and that comes first
            self._taking.reply_alive(guarded=guarded)
            self.ask(Say(text=text, generation=self._floor.generation))

    # --- the jobs of the turns ---------------------------------------------------------------------------------------

    def ask(self, job: Asked | Say) -> None:
        """Answer a turn, draft an answer to it, or say something unasked."""
        self._jobs.send_nowait(job)

    def confirm(self, asked: Asked) -> None:
        """The turn for which an answer is drafted is complete."""
        self._answering.confirm(asked)

    def take_back(self) -> None:
        """What the reply under way answers is a part of the turn that is open now."""
        self._answering.take_back()

    def overhear(self, turn_number: int, start_ms: float, end_ms: float) -> None:
        """Find out which words are said over the reply between two line times."""
        self._talkover.ask(self._answering.heard_so_far(turn_number, start_ms, end_ms))

    def _understood(self, asked: Asked, transcript: Transcript) -> None:
        self._taking.understood(asked, self._lexicon.completeness(transcript))

    def _reply_heard(self) -> None:
        answering = self._answering
        self.report.say(ReplyAudible, reply=self._playout.reply, turn=answering.turn, response_ms=answering.response_ms)
        self._taking.reply_heard()

    # --- the call's timers -------------------------------------------------------------------------------------------

    def _deadline(self) -> float:
        ends = self._started + self.settings.limits.max_call_s
        if self._call.phase in {Phase.CLOSING, Phase.ENDED, Phase.TRANSFERRED}:
            return float("inf")
        if self._call.phase is Phase.LISTENING and self._taking.is_idle:
            return min(ends, self._taking.idle_since + self.settings.turns.reprompt_after_s)
        return ends

    def _time_passed(self) -> None:
        overlong = trio.current_time() >= self._started + self.settings.limits.max_call_s
        self.happen(Event.TOO_LONG if overlong else Event.SILENCE)


_GOODBYES = {Event.SILENCE: "silence", Event.TOO_LONG: "too_long"}
