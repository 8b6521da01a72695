"""The stages a variant goes through, what moves it from one to the next, and the record of such a move."""

from __future__ import annotations

from enum import Enum

from attrs import field, frozen
from attrs.validators import deep_iterable, instance_of

__all__ = ["Change", "Event", "Finding", "Stage", "next_stage"]


class Stage(Enum):
    """How far a variant has come."""

    SHADOW = "shadow"
    """Known, and never spoken."""
    CANARY = "canary"
    """On probation, with a small share of the calls."""
    ACTIVE = "active"
    """In use; the bandit says how often."""
    BLACKLISTED = "blacklisted"
    """Taken out. Only a person brings it back."""


class Event(Enum):
    """What the guard may find out about a variant."""

    PROBATION_OVER = "probation over"
    HARM = "harm"
    BREAKDOWN = "breakdown"


_NEXT = {
    (Stage.CANARY, Event.PROBATION_OVER): Stage.ACTIVE,
    (Stage.CANARY, Event.HARM): Stage.BLACKLISTED,
    (Stage.CANARY, Event.BREAKDOWN): Stage.BLACKLISTED,
    (Stage.ACTIVE, Event.HARM): Stage.BLACKLISTED,
    (Stage.ACTIVE, Event.BREAKDOWN): Stage.BLACKLISTED,
}


def next_stage(stage: Stage, event: Event) -> Stage:
    """Return the stage that follows; where the table has no entry, *stage* stays.

    A variant in shadow is spoken by nobody, so nothing that is found out moves it; and a blacklisted one stays so
    whatever the calls bring that were under way when it was taken out.
    """
    return _NEXT.get((stage, event), stage)


@frozen
class Finding:
    """What one of the guard's tests found out about a variant.

    Args:
        event: What it is.
        by: ``"statistics"``, ``"technical"`` or ``"probation"``.
        why: In a sentence, for people.
        evidence: The figures it rests on, by name; all finite.
    """

    event: Event
    by: str
    why: str
    evidence: tuple[tuple[str, float], ...]


@frozen
class Change:
    """A variant went from one stage to another.

    Args:
        at: When, in seconds since 1970 (UTC).
        variant: Which.
        before: The stage it left.
        after: The stage it has now.
        why: In a sentence, for people.
        by: ``"statistics"``, ``"technical"``, ``"probation"``, or the name of a person.
        evidence: The figures it rests on, by name; all finite.
    """

    at: float
    variant: str = field(validator=instance_of(str))
    before: Stage = field(validator=instance_of(Stage))
    after: Stage = field(validator=instance_of(Stage))
    why: str = field(validator=instance_of(str))
    by: str = field(validator=instance_of(str))
    evidence: tuple[tuple[str, float], ...] = field(default=(), validator=deep_iterable(instance_of(tuple)))
