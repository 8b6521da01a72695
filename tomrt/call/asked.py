"""What the answer task is asked to do."""

from __future__ import annotations

import trio
from attrs import define, field, frozen

__all__ = ["Asked", "Say"]


@frozen(kw_only=True)
class Say:
    """Something to say unasked.

    Args:
        text: The words.
        generation: The floor's when it was asked for; a later interruption makes it stale.
    """

    text: str
    generation: int


@define(kw_only=True, eq=False)
class Asked:
    """A turn that waits for its answer.

    Args:
        turn: Its number.
        generation: The floor's when it was asked; a later interruption makes it stale.
        start_ms: Line time at which the speech begins; ``None`` for a turn of keys.
        end_ms: Line time at which it ends.
        ended_at: Clock time at which the caller's last word arrived.
        digits: Keys pressed.
        taken_back: The caller went on: the same words are a part of a later turn.
        confirmed: Set when the turn is known to be complete. Until then the answer is a draft, and nobody hears it.
    """

    turn: int
    generation: int
    start_ms: float | None
    end_ms: float | None
    ended_at: float
    digits: str = ""
    taken_back: bool = False
    confirmed: trio.Event = field(factory=trio.Event)
