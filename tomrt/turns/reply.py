"""The reply machine: how one reply comes to be heard, and how it ends, exactly once.

``step(state, event)`` is pure and knows no time. A draft is made and not heard until it is confirmed; a reply that is
due is heard as soon as there is audio; a paused one was heard in part and may go on.
"""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from tomrt.happenings import ReplyOutcome

__all__ = ["Event", "Over", "Stage", "State", "is_alive", "step"]


class Stage(Enum):
    """Where a living reply stands."""

    DRAFT = "draft"
    DUE = "due"
    AUDIBLE = "audible"
    PAUSED = "paused"


@frozen
class Over:
    """It has ended."""

    outcome: ReplyOutcome


State = Stage | Over


class Event(Enum):
    """What can happen to a reply."""

    CONFIRMED = "confirmed"
    """The turn it answers is complete."""
    SOUNDED = "sounded"
    """Its first sample left."""
    HELD = "held"
    RESUMED = "resumed"
    FINISHED = "finished"
    """It was heard to its end; or it had nothing to be heard, and is done."""
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """Its scope was cancelled: cut, superseded, dropped, or the call ended."""


_NEXT: dict[tuple[Stage, Event], State] = {
    (Stage.DRAFT, Event.CONFIRMED): Stage.DUE,
    (Stage.DRAFT, Event.FAILED): Over(ReplyOutcome.CANCELLED),  # nobody was promised anything
    (Stage.DRAFT, Event.INTERRUPTED): Over(ReplyOutcome.CANCELLED),
    (Stage.DUE, Event.SOUNDED): Stage.AUDIBLE,
    (Stage.DUE, Event.FINISHED): Over(ReplyOutcome.COMPLETED),
    (Stage.DUE, Event.FAILED): Over(ReplyOutcome.FAILED),
    (Stage.DUE, Event.INTERRUPTED): Over(ReplyOutcome.CANCELLED),
    (Stage.AUDIBLE, Event.HELD): Stage.PAUSED,
    (Stage.AUDIBLE, Event.FINISHED): Over(ReplyOutcome.COMPLETED),
    (Stage.AUDIBLE, Event.FAILED): Over(ReplyOutcome.FAILED),
    (Stage.AUDIBLE, Event.INTERRUPTED): Over(ReplyOutcome.CUT),
    (Stage.PAUSED, Event.RESUMED): Stage.AUDIBLE,
    (Stage.PAUSED, Event.FAILED): Over(ReplyOutcome.FAILED),
    (Stage.PAUSED, Event.INTERRUPTED): Over(ReplyOutcome.CUT),
}


def is_alive(state: State) -> bool:
    """Whether the reply has not ended yet."""
    return isinstance(state, Stage)


def step(state: State, event: Event) -> State:
    """Return the next state; an event that means nothing here changes nothing, and nothing follows an end.

    A draft is never heard and never finished before it is confirmed; a paused reply is not finished before it goes on.
    """
    return state if isinstance(state, Over) else _NEXT.get((state, event), state)
