"""Where a scripted conversation stands, and what is replied: the values that its rules work on."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from tomrt.events import Action, Signal

__all__ = ["Reply", "State"]


@frozen(kw_only=True)
class State:
    """Where a conversation stands.

    Args:
        intent: The intent whose slots are being collected, or ``""``.
        slots: What is known of them.
        asked: A question that yes or no answers: to confirm the intent, whether there is anything else, whether to
            put the caller through; ``""`` when none is open.
        misses: How often in a row the caller was not understood.
        asks: How often the open question of a slot has been put.
        answers: How many requests have been answered.
        rating_due: A rating is to be asked for before the goodbye.
        rating_asked: It has been asked for, or given unasked.
        leaving: The goodbye follows as soon as the rating is known.
        handed_over: A person was to take over.
        requests: How much the caller has wanted so far.
        pending: A request was answered, and nothing yet shows whether that was what the caller wanted.
        last: What was said last; ``""`` is the greeting.
    """

    intent: str = ""
    slots: tuple[tuple[str, str], ...] = ()
    asked: Literal["", "confirm", "more", "person"] = ""
    misses: int = 0
    asks: int = 0
    answers: int = 0
    rating_due: bool = False
    rating_asked: bool = False
    leaving: bool = False
    handed_over: bool = False
    requests: int = 0
    pending: bool = False
    last: str = ""


@frozen
class Reply:
    """What is said, what is then to be done, and what was noticed about the conversation."""

    text: str
    actions: tuple[Action, ...] = ()
    signals: tuple[Signal, ...] = ()
