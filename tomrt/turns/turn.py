"""The turn machine: who has the floor, and what each sound of the caller means for it.

``step(state, event, now, knobs)`` is pure. Rules:

1. At most one reply is alive. A new turn is committed only after the reply before it was cut, superseded or over.
2. At a pause of the caller a reply is *drafted*: made, and not heard. When the caller goes on it is dropped, when the
   turn ends there it is the reply.
3. Speech over an audible reply *yields* first (reversible) and is judged after (``barge_in.decide``).
4. Speech over a reply that nobody has heard yet means that the caller was not finished: the turn is taken back and
   its audio becomes the beginning of the next one. If that speech was only a click, the turn is committed again.
5. The same when the caller goes on over the very first words of a reply and that turns out to be an interruption:
   the reply is cut, and what it answered and what interrupted it are one turn.
6. A reply that may not be interrupted (``guarded``) is not: what is said over it is withdrawn.
"""

from __future__ import annotations

from attrs import evolve

from tomrt.turns import barge_in
from tomrt.turns.barge_in import BargeIn, Evidence, Reason, Verdict
from tomrt.turns.turn_words import (
    Commit,
    Cut,
    Digit,
    Draft,
    DraftFailed,
    Drop,
    Effect,
    Event,
    Frame,
    Held,
    Idle,
    Keyed,
    Listening,
    NewTurn,
    Overhear,
    ReplyAlive,
    ReplyHeard,
    ReplyOver,
    Resume,
    Speaking,
    SpeechBegan,
    SpeechEnded,
    SpeechPaused,
    SpeechWasNone,
    SpeechWentOn,
    State,
    Supersede,
    Thinking,
    Tick,
    Withdraw,
    WordsHeard,
    Yield,
)

__all__ = [
    "Commit",
    "Cut",
    "Digit",
    "Draft",
    "DraftFailed",
    "Drop",
    "Effect",
    "Event",
    "Frame",
    "Held",
    "Idle",
    "Keyed",
    "Listening",
    "NewTurn",
    "Overhear",
    "ReplyAlive",
    "ReplyHeard",
    "ReplyOver",
    "Resume",
    "Speaking",
    "SpeechBegan",
    "SpeechEnded",
    "SpeechPaused",
    "SpeechWasNone",
    "SpeechWentOn",
    "State",
    "Supersede",
    "Thinking",
    "Tick",
    "Withdraw",
    "WordsHeard",
    "Yield",
    "deadline",
    "step",
]

TAKE_BACK_S = 0.6
"""Who speaks this soon after the first sample of a reply had not finished: people react to words later than that."""

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
            return _thinking(state, event, now)
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
            return Thinking(turn, None, keyed=True), (Commit(turn, None, None, "keys"),)
        case ReplyAlive():
            return Thinking(state.turn, None, guarded=event.guarded), ()
        case _:
            return state, ()


def _listening(state: Listening, event: Event) -> Outcome:
    dropped = (Drop(),) if state.drafted else ()
    match event:
        case SpeechPaused() if not state.drafted:
            return evolve(state, drafted=True), (Draft(state.turn, state.start_ms, event.end_ms),)
        case SpeechWentOn():
            return evolve(state, drafted=False), dropped
        case DraftFailed():
            return evolve(state, drafted=False), ()
        case SpeechEnded():
            commit = Commit(state.turn, state.start_ms, event.end_ms, event.reason, state.drafted, event.hangover_ms)
            return Thinking(state.turn, state.start_ms, event.end_ms), (commit,)
        case SpeechWasNone() if state.taken_back_ms is not None:
            commit = Commit(state.turn, state.start_ms, state.taken_back_ms, "silence")
            return Thinking(state.turn, state.start_ms, state.taken_back_ms), (*dropped, commit)
        case SpeechWasNone():
            return Idle(state.turn), (*dropped, Withdraw(state.turn, Reason.TOO_SHORT.value))
        case Keyed():
            return Thinking(state.turn, None, keyed=True), (*dropped, Commit(state.turn, None, None, "keys"))
        case _:
            return state, ()


def _thinking(state: Thinking, event: Event, now: float) -> Outcome:
    match event:
        case ReplyAlive():
            return evolve(state, guarded=event.guarded), ()
        case ReplyHeard():
            return Speaking(state.turn, state.guarded, state.start_ms, now), ()
        case ReplyOver():
            return Idle(state.turn), ()
        case SpeechBegan() if not state.guarded:
            turn = state.turn + 1
            start_ms = event.start_ms if state.start_ms is None else state.start_ms
            listening = Listening(turn, start_ms, taken_back_ms=state.end_ms)
            return listening, (Supersede(state.taken_back), NewTurn(turn, start_ms))
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
            evidence = Evidence(since=now, remaining_ms=event.remaining_ms, recent_ms=event.recent_ms)
            taken_back_ms = state.start_ms if now - state.since < TAKE_BACK_S else None
            return Held(turn, event.start_ms, evidence, taken_back_ms), (Yield(), NewTurn(turn, event.start_ms))
        case Digit() if not state.guarded:
            return Idle(state.turn), (Cut(),)
        case _:
            return state, ()


def _held(state: Held, event: Event, now: float, knobs: BargeIn) -> Outcome:
    after_ms = (now - state.evidence.since) * 1000.0
    match event:
        case Frame():
            return _judge(state, barge_in.weigh(state.evidence, event.sound, event.frame_ms), now, knobs)
        case WordsHeard() if event.turn == state.turn:
            return _judge(state, barge_in.worded(state.evidence, event.words), now, knobs)
        case Tick():
            return _judge(state, state.evidence, now, knobs)
        case SpeechWasNone():
            resume = Resume(Reason.TOO_SHORT, after_ms)
            return Speaking(state.turn), (Withdraw(state.turn, resume.reason.value), resume)
        case SpeechEnded():
            start_ms, cut = state.turn_start_ms, _cut(state, Reason.SPEECH, now)
            commit = Commit(state.turn, start_ms, event.end_ms, event.reason, hangover_ms=event.hangover_ms)
            return Thinking(state.turn, start_ms, event.end_ms), (cut, commit)
        case ReplyOver():
            return Listening(state.turn, state.start_ms), ()
        case Digit():
            return Idle(state.turn), (Withdraw(state.turn, "key pressed"), Cut(Reason.KEY, after_ms))
        case _:
            return state, ()


def _judge(state: Held, evidence: Evidence, now: float, knobs: BargeIn) -> Outcome:
    after_ms = (now - evidence.since) * 1000.0
    judgement = barge_in.decide(evidence, now, knobs)
    match judgement.verdict:
        case Verdict.COMMIT:
            return Listening(state.turn, state.turn_start_ms), (_cut(state, judgement.reason, now),)
        case Verdict.RESUME:
            resume = Resume(judgement.reason, after_ms, barge_in.remembered_ms(evidence, judgement.reason))
            return Speaking(state.turn), (Withdraw(state.turn, judgement.reason.value), resume)
        case Verdict.WAIT:
            overhear = barge_in.wants_words(evidence, now, knobs)
            asked = barge_in.asked(evidence, now, knobs) if overhear else evidence
            return evolve(state, evidence=asked), (Overhear(state.turn, state.start_ms),) if overhear else ()


def _cut(state: Held, reason: Reason, now: float) -> Cut:
    return Cut(reason, (now - state.evidence.since) * 1000.0, taken_back=state.taken_back_ms is not None)
