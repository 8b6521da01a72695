"""Applies the turn machine to one call: caller audio and reply progress in, floor, playout and jobs out.

Everything here is synchronous; decisions take effect before the task that brought the news waits again.
"""

from __future__ import annotations

from collections.abc import Callable

import trio
from attrs import define, field, frozen

from tomrt.audio import FrameReport
from tomrt.call.floor import Floor
from tomrt.call.pacer import Pacer
from tomrt.call.playout import Playout
from tomrt.call.reporting import Reporter
from tomrt.dialogue.state import Event as CallEvent
from tomrt.events import ReplyResumed, ReplyYielded, TurnEnded, TurnOpened, TurnWithdrawn
from tomrt.turns import endpointing, turn
from tomrt.turns.barge_in import BargeIn
from tomrt.turns.endpointing import Endpointing

__all__ = ["FRAME_MS", "Asked", "TurnTaking"]

FRAME_MS = 20.0
KEY_PAUSE_S = 1.5
"""After this long without a further key, the keys pressed are a turn."""
MAX_KEYS = 32


@frozen(kw_only=True)
class Asked:
    """A turn that was committed and waits for its answer.

    Args:
        turn: Its number.
        generation: The floor's when it was committed.
        start_ms: Line time at which the speech begins; ``None`` for a turn of keys.
        end_ms: Line time at which it ends.
        ended_at: Clock time at which the caller's last word arrived.
        digits: Keys pressed.
    """

    turn: int
    generation: int
    start_ms: float | None
    end_ms: float | None
    ended_at: float
    digits: str = ""


@define
class TurnTaking:
    """The floor of one call.

    Args:
        playout: What is held, resumed and cut.
        pacer: Woken when playout changed.
        floor: The reply's cancel scope.
        report: Where happenings go.
        barge_in: Thresholds of the barge-in decision.
        limits: Limits of an utterance.
        stall_s: The line counts as stalled when it delivers nothing for this long while the caller speaks.
        ask: Takes a committed turn.
        phase: Takes what moves the call's own state machine.
    """

    playout: Playout
    pacer: Pacer
    floor: Floor
    report: Reporter
    barge_in: BargeIn
    limits: Endpointing
    stall_s: float
    ask: Callable[[Asked], None]
    phase: Callable[[CallEvent], None]
    state: turn.State = field(factory=turn.Idle, init=False)
    idle_since: float = field(factory=trio.current_time, init=False)
    _utterance: endpointing.State = field(factory=endpointing.Silent, init=False)
    _line_ms: float = field(default=0.0, init=False)
    _arrived: float = field(factory=trio.current_time, init=False)
    _keys: str = field(default="", init=False, repr=False)
    _keys_due: float = field(default=float("inf"), init=False)
    _quiet: trio.Event = field(factory=trio.Event, init=False)

    # --- the caller's side -------------------------------------------------------------------------------------------

    def frame(self, report: FrameReport) -> None:
        """Take the caller's next 20 ms frame."""
        self._arrived = trio.current_time()
        self._line_ms = (report.index + 1) * FRAME_MS
        self._utterance, effect = endpointing.heard(
            self._utterance, report.speech, self._line_ms, FRAME_MS, self.limits
        )
        if effect is not None:
            self._endpointed(effect)
        if isinstance(self.state, turn.Held):
            self._step(turn.Frame(report.speech, FRAME_MS))

    def key(self, digit: str) -> None:
        """Take a key the caller pressed; ``#`` ends the entry."""
        if digit != "#" and len(self._keys) < MAX_KEYS:
            self._keys += digit
        self._keys_due = trio.current_time() + (0.0 if digit == "#" else KEY_PAUSE_S)
        self._step(turn.Digit())

    @property
    def deadline(self) -> float:
        """Clock time by which ``time_passed`` must be called."""
        stall = self._arrived + self.stall_s if isinstance(self._utterance, endpointing.Open) else float("inf")
        return min(turn.deadline(self.state, self.barge_in), stall, self._keys_due)

    def time_passed(self) -> None:
        """Look at the clock: a decision is due, the line stalled, or the keys are complete."""
        now = trio.current_time()
        if now >= self._keys_due:
            self._keys_due = float("inf")
            if self._keys:
                self._step(turn.Keyed())
                self._keys = ""  # pressed over something that may not be interrupted: not an answer to it
        if isinstance(self._utterance, endpointing.Open) and now >= self._arrived + self.stall_s:
            self.line_stopped()
        self._step(turn.Tick())

    def line_stopped(self) -> None:
        """No more audio comes: what was being said is complete."""
        self._utterance, effect = endpointing.stalled(self._utterance, self.limits)
        if effect is not None:
            self._endpointed(effect)

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
        self._step(turn.ReplyHeard())
        self.phase(CallEvent.AUDIBLE)

    def reply_over(self) -> None:
        """The reply was heard to its end, or failed."""
        self._step(turn.ReplyOver())

    def silence_everything(self) -> None:
        """Take the floor from whoever has it: what is said next must be heard."""
        self._cut()
        self.state = turn.Idle(self.state.turn)
        self._utterance = endpointing.Silent()

    async def idle(self) -> None:
        """Wait until nobody speaks and nothing is being made."""
        while not self.is_idle:
            self._quiet = trio.Event()
            await self._quiet.wait()

    # --- effects -----------------------------------------------------------------------------------------------------

    def _endpointed(self, effect: endpointing.Effect) -> None:
        match effect:
            case endpointing.Opened():
                remaining_ms = self.playout.remaining_ms(trio.current_time())
                self._step(turn.SpeechBegan(effect.start_ms, remaining_ms))
            case endpointing.Ended():
                self._step(turn.SpeechEnded(effect.start_ms, effect.end_ms, effect.reason))
            case endpointing.Fragment():
                self._step(turn.SpeechWasNone())

    def _step(self, event: turn.Event) -> None:
        before = self.state
        self.state, effects = turn.step(before, event, trio.current_time(), self.barge_in)
        for effect in effects:
            self._do(effect)
        if self.is_idle and not isinstance(before, turn.Idle):
            self._fell_idle()

    def _fell_idle(self) -> None:
        # Whatever was said over a reply that could not be interrupted is forgotten; speech still under way counts anew.
        self._utterance = endpointing.Silent()
        self.idle_since = trio.current_time()
        self._quiet.set()

    def _do(self, effect: turn.Effect) -> None:
        now = trio.current_time()
        match effect:
            case turn.NewTurn():
                self.report.say(TurnOpened, turn=effect.turn, start_ms=effect.start_ms)
                if isinstance(self.state, turn.Listening):
                    self.phase(CallEvent.CALLER)
            case turn.Commit():
                self._commit(effect)
            case turn.Withdraw():
                self._utterance = endpointing.Silent()
                self.report.say(TurnWithdrawn, turn=effect.turn, reason=effect.reason)
            case turn.Supersede():
                if effect.turn is not None:
                    self.report.say(TurnWithdrawn, turn=effect.turn, reason="the caller went on")
                self._cut()
            case turn.Yield():
                self.playout.hold(now)
                self.pacer.wake()
                self.report.say(ReplyYielded, reply=self.playout.reply)
            case turn.Resume():
                self.playout.resume()
                self.pacer.wake()
                self.report.say(ReplyResumed, reply=self.playout.reply)
            case turn.Cut():
                self._cut()
                self.phase(CallEvent.CALLER)

    def _cut(self) -> None:
        self.playout.cut(trio.current_time())
        self.floor.interrupt()
        self.pacer.wake()

    def _commit(self, effect: turn.Commit) -> None:
        now = trio.current_time()
        start_ms, end_ms = effect.start_ms, effect.end_ms
        self.report.say(TurnEnded, turn=effect.turn, start_ms=start_ms, end_ms=end_ms, reason=effect.reason)
        self.phase(CallEvent.COMMITTED)
        keys, self._keys, self._keys_due = self._keys, "", float("inf")
        self.ask(
            Asked(
                turn=effect.turn,
                generation=self.floor.generation,
                start_ms=start_ms,
                end_ms=end_ms,
                ended_at=now if end_ms is None else now - (self._line_ms - end_ms) / 1000.0,
                digits=keys,
            )
        )
