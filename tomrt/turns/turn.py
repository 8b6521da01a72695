"""The turn machine: who has the floor, and what each sound of the caller means for it.

``step(state, event, now, knobs)`` is pure. Rules:

1. At most one reply is alive. A new turn is committed only after the reply before it was cut, superseded or over.
2. Speech over an audible reply *yields* first (reversible) and is judged after (``barge_in.decide``).
3. Speech over a reply that nobody has heard yet means that the caller was not finished: the turn is taken back and
   its audio becomes the beginning of the next one.
4. A reply that may not be interrupted (``guarded``) is not: what is said over it is withdrawn.
"""

from __future__ import annotations

from attrs import evolve, frozen

from tomrt.turns.barge_in import BargeIn, Evidence, Verdict, decide, weigh

__all__ = [
    "Commit",
    "Cut",
    "Digit",
    "Effect",
    "Event",
    "Frame",
    "Held",
    "Idle",
    "Keyed",
    "Listening",
    "NewTurn",
    "ReplyAlive",
    "ReplyHeard",
    "ReplyOver",
    "Resume",
    "Speaking",
    "SpeechBegan",
    "SpeechEnded",
    "SpeechWasNone",
    "State",
    "Supersede",
    "Thinking",
    "Tick",
    "Withdraw",
    "Yield",
    "deadline",
    "step",
]


# --- states ----------------------------------------------------------------------------------------------------------


@frozen
class Idle:
    """Nobody speaks. ``turn`` is the number of the last turn opened."""

    turn: int = 0


@frozen
class Listening:
    """The caller speaks, no reply is alive."""

    turn: int
    start_ms: float


@frozen
class Thinking:
    """A reply is being made and nothing of it was heard; ``start_ms`` is the turn's, ``None`` when unasked."""

    turn: int
    start_ms: float | None
    guarded: bool = False

    @property
    def taken_back(self) -> int | None:
        """The turn that is taken back when the caller goes on; ``None`` when nobody asked."""
        return None if self.start_ms is None else self.turn


@frozen
class Speaking:
    """A reply is audible."""

    turn: int
    guarded: bool = False


@frozen
class Held:
    """A reply was audible and is held while the caller is judged; ``turn`` is the caller's, opened at ``start_ms``."""

    turn: int
    start_ms: float
    evidence: Evidence


State = Idle | Listening | Thinking | Speaking | Held


# --- events ----------------------------------------------------------------------------------------------------------


@frozen
class SpeechBegan:
    """The endpointer opened an utterance while ``remaining_ms`` of the reply were left to be heard."""

    start_ms: float
    remaining_ms: float = 0.0


@frozen
class SpeechEnded:
    """The endpointer closed an utterance."""

    start_ms: float
    end_ms: float
    reason: str = "silence"


@frozen
class SpeechWasNone:
    """The endpointer opened an utterance that was too short to be one."""


@frozen
class Frame:
    """One frame of the caller."""

    speech: bool
    frame_ms: float = 20.0


@frozen
class Digit:
    """The caller pressed a key: always an interruption."""


@frozen
class Keyed:
    """The keys pressed are a turn of their own: the caller pressed no further one."""


@frozen
class ReplyAlive:
    """Work on a reply began: to the turn that was committed, or unasked."""

    guarded: bool = False


@frozen
class ReplyHeard:
    """The first sample of the reply left."""


@frozen
class ReplyOver:
    """The reply was heard to its end, or failed."""


@frozen
class Tick:
    """Time passed."""


Event = SpeechBegan | SpeechEnded | SpeechWasNone | Frame | Digit | Keyed | ReplyAlive | ReplyHeard | ReplyOver | Tick


# --- effects ---------------------------------------------------------------------------------------------------------


@frozen
class NewTurn:
    """The caller's turn ``turn`` is open since ``start_ms``."""

    turn: int
    start_ms: float


@frozen
class Commit:
    """The turn is complete: answer it; a turn of keys has no audio."""

    turn: int
    start_ms: float | None
    end_ms: float | None
    reason: str


@frozen
class Withdraw:
    """It was no turn: forget it, and have the endpointer start afresh."""

    turn: int
    reason: str


@frozen
class Supersede:
    """Cancel the reply that nobody heard; its turn goes on (``None``: it was unasked)."""

    turn: int | None


@frozen
class Yield:
    """Fade out and hold."""


@frozen
class Resume:
    """Go on from the sample where it stopped."""


@frozen
class Cut:
    """Cancel the reply; what was heard of it stands."""


Effect = NewTurn | Commit | Withdraw | Supersede | Yield | Resume | Cut
Outcome = tuple[State, tuple[Effect, ...]]


def deadline(state: State, knobs: BargeIn) -> float:
    """Return the clock time by which a :class:`Tick` is due; infinity when there is none."""
    return state.evidence.since + knobs.decide_ms / 1000.0 if isinstance(state, Held) else float("inf")


def step(state: State, event: Event, now: float, knobs: BargeIn) -> Outcome:
    """Return the next state and what to do, in order; an event that means nothing here changes nothing."""
    match state:
        case Idle():
            return _idle(state, event)
        case Listening():
            return _listening(state, event)
        case Thinking():
            return _thinking(state, event)
        case Speaking():
            return _speaking(state, event, now, knobs)
        case Held():
            return _held(state, event, now, knobs)


def _idle(state: Idle, event: Event) -> Outcome:
    match event:
        case SpeechBegan():
            turn = state.turn + 1
            return Listening(turn, event.start_ms), (NewTurn(turn, event.start_ms),)
        case Keyed():
            turn = state.turn + 1
            return Thinking(turn, None), (Commit(turn, None, None, "keys"),)
        case ReplyAlive():
            return Thinking(state.turn, None, event.guarded), ()
        case _:
            return state, ()


def _listening(state: Listening, event: Event) -> Outcome:
    match event:
        case SpeechEnded():
            commit = Commit(state.turn, state.start_ms, event.end_ms, event.reason)
            return Thinking(state.turn, state.start_ms), (commit,)
        case SpeechWasNone():
            return Idle(state.turn), (Withdraw(state.turn, "too short"),)
        case Keyed():
            return Thinking(state.turn, None), (Commit(state.turn, None, None, "keys"),)
        case _:
            return state, ()


def _thinking(state: Thinking, event: Event) -> Outcome:
    match event:
        case ReplyAlive():
            return evolve(state, guarded=event.guarded), ()
        case ReplyHeard():
            return Speaking(state.turn, state.guarded), ()
        case ReplyOver():
            return Idle(state.turn), ()
        case SpeechBegan() if not state.guarded:
            turn = state.turn + 1
            start_ms = event.start_ms if state.start_ms is None else state.start_ms
            return Listening(turn, start_ms), (Supersede(state.taken_back), NewTurn(turn, start_ms))
        case Digit() if not state.guarded:
            return Idle(state.turn), (Supersede(state.taken_back),)
        case _:
            return state, ()


def _speaking(state: Speaking, event: Event, now: float, knobs: BargeIn) -> Outcome:
    interruptible = knobs.enabled and not state.guarded
    match event:
        case ReplyOver():
            return Idle(state.turn), ()
        case SpeechBegan() if interruptible:
            turn = state.turn + 1
            evidence = Evidence(since=now, remaining_ms=event.remaining_ms)
            return Held(turn, event.start_ms, evidence), (Yield(), NewTurn(turn, event.start_ms))
        case Digit() if not state.guarded:
            return Idle(state.turn), (Cut(),)
        case _:
            return state, ()


def _held(state: Held, event: Event, now: float, knobs: BargeIn) -> Outcome:
    match event:
        case Frame():
            state = evolve(state, evidence=weigh(state.evidence, event.speech, event.frame_ms))
            return _judge(state, now, knobs)
        case Tick():
            return _judge(state, now, knobs)
        case SpeechWasNone():
            return Speaking(state.turn), (Withdraw(state.turn, "too short"), Resume())
        case SpeechEnded():
            commit = Commit(state.turn, state.start_ms, event.end_ms, event.reason)
            return Thinking(state.turn, state.start_ms), (Cut(), commit)
        case ReplyOver():
            return Listening(state.turn, state.start_ms), ()
        case Digit():
            return Idle(state.turn), (Withdraw(state.turn, "key pressed"), Cut())
        case _:
            return state, ()


def _judge(state: Held, now: float, knobs: BargeIn) -> Outcome:
    match decide(state.evidence, now, knobs):
        case Verdict.COMMIT:
            return Listening(state.turn, state.start_ms), (Cut(),)
        case Verdict.RESUME:
            return Speaking(state.turn), (Withdraw(state.turn, "not an interruption"), Resume())
        case Verdict.WAIT:
            return state, ()
