"""Passes each happening on to every observer."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from tomrt.happenings import Happening
from tomrt.ports import Tap

__all__ = ["Taps"]


@frozen
class Taps:
    """Several taps as one, in order."""

    taps: Sequence[Tap]

    def put(self, happening: Happening) -> None:
        """Give *happening* to each tap."""
        for tap in self.taps:
            tap.put(happening)
