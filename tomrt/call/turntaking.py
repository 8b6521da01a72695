"""Applies the turn machine to one call: caller audio and reply progress in, floor, playout and jobs out.

Everything here is synchronous; decisions take effect before the task that brought the news waits again.
"""

from __future__ import annotations

from typing import Protocol

import trio
from attrs import define, field

from tomrt.audio import FrameReport, Overhearing
from tomrt.call.asked import Asked
from tomrt.call.floor import Floor
from tomrt.call.pacer import Pacer
from tomrt.call.playout import Playout
from tomrt.call.reporting import Reporter
from tomrt.call.said import Said
from tomrt.dialogue.state import Event as CallEvent
from tomrt.events import Completeness
from tomrt.happenings import BargeInJudged, ReplyResumed, ReplyYielded, TurnEnded, TurnOpened, TurnWithdrawn
from tomrt.turns import endpointing, reply, turn
from tomrt.turns.barge_in import BargeIn, Words
from tomrt.turns.endpointing import Endpointer, Endpointing

__all__ = ["FRAME_MS", "Jobs", "TurnTaking"]

FRAME_MS = 20.0
KEY_PAUSE_S = 1.5
"""After this long without a further key, the keys pressed are a turn."""
MAX_KEYS = 32
RECENT_S = 1.0
"""A burst of speech adds up with the one before it, which was no interruption, if it follows within this."""


class Jobs(Protocol):
    """Whoever does the work that the turns ask for; none of it waits."""

    def ask(self, asked: Asked) -> None:
        """Answer a turn, or draft an answer to it."""

    def confirm(self, asked: Asked) -> None:
        """The turn for which an answer is drafted is complete."""

    def take_back(self) -> None:
        """What the reply under way answers is a part of the turn that is open now."""

    def overhear(self, turn_number: int, start_ms: float, end_ms: float) -> None:
        """Find out which words are said over the reply between two line times."""

    def happen(self, event: CallEvent) -> None:
        """Move the call's own state machine."""


@define(kw_only=True)
class TurnTaking:
    """The floor of one call.

    Args:
        overhearing: Tells the caller's voice from noise and from ours.
        said: What the line plays of ours.
        playout: What is held, resumed and cut.
        pacer: Woken when playout changed.
        floor: The reply's cancel scope.
        report: Where happenings go.
        barge_in: Thresholds of the barge-in decision.
        limits: Limits of an utterance.
        speculate: Whether answers are drafted at pauses.
        stall_s: The line counts as stalled when it delivers nothing for this long while the caller speaks.
        jobs: Does the work.
    """

    overhearing: Overhearing
    said: Said
    playout: Playout
    pacer: Pacer
    floor: Floor
    report: Reporter
    barge_in: BargeIn
    limits: Endpointing
    speculate: bool
    stall_s: float
    jobs: Jobs
    state: turn.State = field(factory=turn.Idle, init=False)
    idle_since: float = field(factory=trio.current_time, init=False)
    _caller: Endpointer = field(factory=endpointing.start, init=False)
    _draft: Asked | None = field(default=None, init=False)
    _line_ms: float = field(default=0.0, init=False)
    _arrived: float = field(factory=trio.current_time, init=False)
    _remembered_ms: float = field(default=0.0, init=False)
    _resumed_at: float = field(default=float("-inf"), init=False)
    _keys: str = field(default="", init=False, repr=False)
    _keys_due: float = field(default=float("inf"), init=False)
    _answered_keys: str = field(default="", init=False, repr=False)
    _quiet: trio.Event = field(factory=trio.Event, init=False)

    # --- the caller's side -------------------------------------------------------------------------------------------

    def frame(self, report: FrameReport, pcm: bytes) -> None:
        """Take the caller's next 20 ms frame, and what the front end says of it."""
        now = self._arrived = trio.current_time()
        self._line_ms = (report.index + 1) * FRAME_MS
        self.overhearing.sent(self.said.frame(now))
        over = isinstance(self.state, turn.Speaking | turn.Held) or self.said.may_echo(now)
        sound = self.overhearing.frame(report, pcm, bot_audible=over)
        self._caller, effects = endpointing.heard(
            self._caller, sound, self._line_ms, FRAME_MS, self.limits, alone=not over
        )
        self._endpointed(effects)
        if isinstance(self.state, turn.Held):
            self._step(turn.Frame(sound, FRAME_MS))

    def understood(self, asked: Asked, completeness: Completeness) -> None:
        """What was said up to the pause at which *asked* was drafted is complete, breaks off, or nobody knows."""
        if asked is self._draft and asked.end_ms is not None:
            self._caller, effects = endpointing.worded(
                self._caller, completeness, asked.end_ms, self._line_ms, self.limits
            )
            self._endpointed(effects)

    def overheard(self, turn_number: int, words: Words) -> None:
        """Take the words that were said over the reply as turn *turn_number*."""
        self._step(turn.WordsHeard(turn_number, words))

    def undrafted(self, asked: Asked) -> None:
        """There is no draft of *asked*."""
        if asked is self._draft:
            self._draft = None
            self._step(turn.DraftFailed())

    def key(self, digit: str) -> None:
        """Take a key the caller pressed; ``#`` ends the entry."""
        if digit != "#" and len(self._keys) < MAX_KEYS:
            self._keys += digit
        self._keys_due = trio.current_time() + (0.0 if digit == "#" else KEY_PAUSE_S)
        self._step(turn.Digit())

    @property
    def deadline(self) -> float:
        """Clock time by which ``time_passed`` must be called."""
        stall = self._arrived + self.stall_s if self._caller.is_open else float("inf")
        return min(turn.deadline(self.state, self.barge_in), stall, self._keys_due)

    def time_passed(self) -> None:
        """Look at the clock: a decision is due, the line stalled, or the keys are complete."""
        now = trio.current_time()
        if now >= self._keys_due:
            self._keys_due = float("inf")
            if self._keys:
                self._step(turn.Keyed())
                self._keys = ""  # pressed over something that may not be interrupted: not an answer to it
        if self._caller.is_open and now >= self._arrived + self.stall_s:
            self.line_stopped()
        self._step(turn.Tick())

    def line_stopped(self) -> None:
        """No more audio comes: what was being said is complete."""
        self._caller, effects = endpointing.stalled(self._caller, self.limits)
        self._endpointed(effects)

    # --- the reply's side --------------------------------------------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        """Whether nobody speaks and nothing is being made."""
        return isinstance(self.state, turn.Idle)

    def reply_alive(self, *, guarded: bool = False) -> None:
        """Work on something unasked begins; a guarded one is not interrupted."""
        self._step(turn.ReplyAlive(guarded))

    def reply_heard(self) -> None:
        """The first sample of the reply left."""
        self.floor.note(reply.Event.SOUNDED)
        self._step(turn.ReplyHeard())
        self.jobs.happen(CallEvent.AUDIBLE)

    def reply_over(self) -> None:
        """The reply was heard to its end, or failed."""
        self._step(turn.ReplyOver())

    def silence_everything(self) -> None:
        """Take the floor from whoever has it: what is said next must be heard."""
        self._draft = None
        self._cut()
        self.state = turn.Idle(self.state.turn)
        self._caller = endpointing.reset(self._caller)

    async def idle(self) -> None:
        """Wait until nobody speaks and nothing is being made."""
        while not self.is_idle:
            self._quiet = trio.Event()
            await self._quiet.wait()

    # --- effects -----------------------------------------------------------------------------------------------------

    def _endpointed(self, effects: tuple[endpointing.Effect, ...]) -> None:
        for effect in effects:
            match effect:
                case endpointing.Opened():
                    self._began(effect.start_ms)
                case endpointing.Paused():
                    self._paused(effect.end_ms)
                case endpointing.WentOn():
                    self._step(turn.SpeechWentOn())
                case endpointing.Ended():
                    self._step(turn.SpeechEnded(effect.start_ms, effect.end_ms, effect.reason, effect.hangover_ms))
                case endpointing.Fragment():
                    self._step(turn.SpeechWasNone())

    def _began(self, start_ms: float) -> None:
        now = trio.current_time()
        recent_ms = self._remembered_ms if now - self._resumed_at <= RECENT_S else 0.0
        if isinstance(self.state, turn.Thinking) and self.state.end_ms is not None:
            self._caller = endpointing.resumed_after(self._caller, start_ms - self.state.end_ms)
        self._step(turn.SpeechBegan(start_ms, self.playout.remaining_ms(now), recent_ms))

    def _paused(self, end_ms: float) -> None:
        if self.speculate:
            self._step(turn.SpeechPaused(end_ms))

    def _step(self, event: turn.Event) -> None:
        before = self.state
        self.state, effects = turn.step(before, event, trio.current_time(), self.barge_in)
        for effect in effects:
            self._do(effect)
        if self.is_idle and not isinstance(before, turn.Idle):
            self._fell_idle()
        elif isinstance(before, turn.Held) and isinstance(self.state, turn.Listening):
            self._look_at_the_pause()

    def _look_at_the_pause(self) -> None:
        """The caller has the floor, and may have said all by the time that was decided."""
        now = self._caller.now
        if isinstance(now, endpointing.Open) and now.paused:
            self._paused(now.last_ms)

    def _fell_idle(self) -> None:
        # Whatever was said over a reply that could not be interrupted is forgotten; speech still under way counts anew.
        self._caller = endpointing.reset(self._caller)
        self.idle_since = trio.current_time()
        self._quiet.set()

    def _do(self, effect: turn.Effect) -> None:
        match effect:
            case turn.NewTurn():
                self.report.say(TurnOpened, turn=effect.turn, start_ms=effect.start_ms)
                if isinstance(self.state, turn.Listening):
                    self.jobs.happen(CallEvent.CALLER)
            case turn.Draft():
                self._draft = self._asked(effect.turn, effect.start_ms, effect.end_ms)
                self.jobs.ask(self._draft)
            case turn.Drop():
                self._draft = None
                self._cut()
            case turn.Commit():
                self._commit(effect)
            case turn.Withdraw():
                self._caller = endpointing.ignore(self._caller, self._line_ms)
                self.report.say(TurnWithdrawn, turn=effect.turn, reason=effect.reason)
            case turn.Supersede():
                if effect.turn is not None:
                    self.report.say(TurnWithdrawn, turn=effect.turn, reason="the caller went on")
                    self._keys = (self._answered_keys + self._keys)[:MAX_KEYS]
                self._cut()
            case turn.Overhear():
                self.jobs.overhear(effect.turn, effect.start_ms, self._line_ms)
            case turn.Yield() | turn.Resume() | turn.Cut():
                self._move_reply(effect)

    def _move_reply(self, effect: turn.Yield | turn.Resume | turn.Cut) -> None:
        number = self.playout.reply
        match effect:
            case turn.Yield():
                self.playout.hold(trio.current_time())
                self.floor.note(reply.Event.HELD)
                self.pacer.wake()
                self.report.say(ReplyYielded, reply=number)
            case turn.Resume():
                self.playout.resume()
                self.floor.note(reply.Event.RESUMED)
                self.pacer.wake()
                self._remembered_ms, self._resumed_at = effect.remembered_ms, trio.current_time()
                self._judged(effect.reason.value, effect.after_ms, interruption=False)
                self.report.say(ReplyResumed, reply=number)
            case turn.Cut():
                if effect.reason is not None:
                    self._judged(effect.reason.value, effect.after_ms, interruption=True)
                if effect.taken_back:
                    self.jobs.take_back()
                self._cut()
                self.jobs.happen(CallEvent.CALLER)

    def _judged(self, reason: str, after_ms: float, *, interruption: bool) -> None:
        self.report.say(
            BargeInJudged,
            reply=self.playout.reply,
            turn=self.state.turn,
            interruption=interruption,
            reason=reason,
            after_ms=after_ms,
        )

    def _cut(self) -> None:
        self._remembered_ms = 0.0
        self.playout.cut(trio.current_time())
        self.floor.interrupt()
        self.pacer.wake()

    def _commit(self, effect: turn.Commit) -> None:
        self.report.say(
            TurnEnded,
            turn=effect.turn,
            start_ms=effect.start_ms,
            end_ms=effect.end_ms,
            reason=effect.reason,
            hangover_ms=effect.hangover_ms,
        )
        self.jobs.happen(CallEvent.COMMITTED)
        draft, self._draft = self._draft, None
        keys, self._keys, self._keys_due = self._keys, "", float("inf")
        self._answered_keys = keys
        if effect.end_ms is None:
            self._caller = endpointing.ignore(self._caller, self._line_ms)  # keys were pressed while it sounded
        if effect.drafted and draft is not None:
            if not keys:
                self.jobs.confirm(draft)
                return
            self._cut()  # it knew nothing of the keys
        asked = self._asked(effect.turn, effect.start_ms, effect.end_ms, keys)
        asked.confirmed.set()
        self.jobs.ask(asked)

    def _asked(self, turn_number: int, start_ms: float | None, end_ms: float | None, digits: str = "") -> Asked:
        now = trio.current_time()
        return Asked(
            turn=turn_number,
            generation=self.floor.generation,
            start_ms=start_ms,
            end_ms=end_ms,
            ended_at=now if end_ms is None else now - (self._line_ms - end_ms) / 1000.0,
            digits=digits,
        )
