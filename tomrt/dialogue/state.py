"""The call's own state machine: from the first ring to the closed line.

``step(state, event)`` is pure. Transitions are data (``_TABLE``); a pair that is not in it changes nothing, and
``tests/dialogue/test_state.py`` visits every one.
"""

from __future__ import annotations

from enum import Enum

from attrs import evolve, frozen

__all__ = ["Call", "Do", "Event", "Phase", "step"]


class Phase(Enum):
    """Where a call stands."""

    RINGING = "ringing"
    CONSENT = "consent"
    GREETING = "greeting"
    LISTENING = "listening"
    THINKING = "thinking"
    SPEAKING = "speaking"
    CLOSING = "closing"
    TRANSFERRED = "transferred"
    ENDED = "ended"


class Event(Enum):
    """What moves a call."""

    ANSWERED = "answered"
    """The line is open."""
    COMMITTED = "committed"
    """The caller's turn is complete."""
    AUDIBLE = "audible"
    """The caller begins to hear a reply."""
    CALLER = "caller"
    """The caller has the floor: began to speak, or cut a reply off."""
    OVER = "over"
    """What was said unasked is said."""
    SERVED = "served"
    """A turn was answered to the end."""
    SILENCE = "silence"
    """Nobody has spoken for a while."""
    FAILED = "failed"
    """No answer could be had."""
    GOODBYE = "goodbye"
    """The dialogue asked to hang up, and its last words are said."""
    TRANSFER = "transfer"
    """The dialogue asked for a person, and its last words are said."""
    TOO_LONG = "too long"
    """The call reached its longest duration."""
    CLOSED = "closed"
    """The line is gone."""


class Do(Enum):
    """What to do."""

    SAY_NOTICE = "say notice"
    SAY_GREETING = "say greeting"
    SAY_STILL_THERE = "say still there"
    SAY_GOODBYE = "say goodbye"
    SAY_FAILURE = "say failure"
    HANG_UP = "hang up"


@frozen(kw_only=True)
class Call:
    """State of the call.

    Args:
        phase: Where it stands.
        notice: Whether a notice has to be heard before the greeting.
        reprompts: How often a silent caller is asked before we say goodbye.
        silences: Silences in a row.
        failures: Failed answers in a row; the second ends the call.
    """

    phase: Phase = Phase.RINGING
    notice: bool = False
    reprompts: int = 2
    silences: int = 0
    failures: int = 0


_TALKING = (Phase.GREETING, Phase.LISTENING, Phase.THINKING, Phase.SPEAKING)
_ALIVE = (Phase.CONSENT, *_TALKING)

_TABLE: dict[tuple[Phase, Event], Phase] = {
    (Phase.RINGING, Event.ANSWERED): Phase.GREETING,
    (Phase.RINGING, Event.CLOSED): Phase.ENDED,
    (Phase.CONSENT, Event.OVER): Phase.GREETING,
    **{(phase, Event.OVER): Phase.LISTENING for phase in (Phase.GREETING, Phase.THINKING, Phase.SPEAKING)},
    **{(phase, Event.SERVED): Phase.LISTENING for phase in (Phase.THINKING, Phase.SPEAKING)},
    (Phase.THINKING, Event.AUDIBLE): Phase.SPEAKING,
    (Phase.LISTENING, Event.AUDIBLE): Phase.SPEAKING,
    (Phase.LISTENING, Event.SILENCE): Phase.LISTENING,
    **{(phase, Event.CALLER): Phase.LISTENING for phase in _TALKING},
    **{(phase, Event.COMMITTED): Phase.THINKING for phase in _TALKING},
    **{(phase, Event.FAILED): Phase.LISTENING for phase in _TALKING},
    (Phase.CONSENT, Event.FAILED): Phase.CLOSING,
    **{(phase, Event.TOO_LONG): Phase.CLOSING for phase in _ALIVE},
    **{(phase, Event.GOODBYE): Phase.CLOSING for phase in _TALKING},
    **{(phase, Event.TRANSFER): Phase.TRANSFERRED for phase in _TALKING},
    (Phase.CLOSING, Event.OVER): Phase.ENDED,
    (Phase.CLOSING, Event.FAILED): Phase.ENDED,
    **{(phase, Event.CLOSED): Phase.ENDED for phase in (*_ALIVE, Phase.CLOSING, Phase.TRANSFERRED)},
}


def step(call: Call, event: Event) -> tuple[Call, Do | None]:
    """Return the next state and what to do; an event that means nothing in this phase changes nothing."""
    phase = _TABLE.get((call.phase, event))
    if phase is None:
        return call, None
    if event is Event.SILENCE:
        return _silent(call)
    if event is Event.FAILED:
        return _failed(call, phase)
    after = evolve(call, phase=phase)
    match event:
        case Event.ANSWERED if call.notice:
            return evolve(after, phase=Phase.CONSENT), Do.SAY_NOTICE
        case Event.ANSWERED:
            return after, Do.SAY_GREETING
        case Event.OVER if call.phase is Phase.CONSENT:
            return after, Do.SAY_GREETING
        case Event.OVER if call.phase is Phase.CLOSING:
            return after, Do.HANG_UP
        case Event.CALLER:
            return evolve(after, silences=0), None
        case Event.TOO_LONG:
            return after, Do.SAY_GOODBYE
        case Event.GOODBYE | Event.TRANSFER:
            return after, Do.HANG_UP
        case Event.SERVED:
            return evolve(after, failures=0), None
        case _:
            return after, None


def _silent(call: Call) -> tuple[Call, Do | None]:
    if call.silences >= call.reprompts:
        return evolve(call, phase=Phase.CLOSING), Do.SAY_GOODBYE
    return evolve(call, silences=call.silences + 1), Do.SAY_STILL_THERE


def _failed(call: Call, phase: Phase) -> tuple[Call, Do | None]:
    if phase is Phase.ENDED:
        return evolve(call, phase=phase), Do.HANG_UP
    if phase is Phase.CLOSING or call.failures:
        return evolve(call, phase=Phase.CLOSING, failures=call.failures + 1), Do.SAY_GOODBYE
    return evolve(call, phase=phase, failures=call.failures + 1), Do.SAY_FAILURE
