"""One call of a load, however it is carried: what was said and heard on it, and when."""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable

import numpy as np
from attrs import define, field, frozen

from bench.barge_in_clocks import Event, Heard
from bench.call_script import CallerScript, Played, Trial

__all__ = ["Lane", "LineRecord", "Source"]

Source = tuple[int, Callable[[float], None]]
"""A file descriptor, and what is called with the time when there is something to read."""


@frozen(kw_only=True)
class LineRecord:
    """What one line saw; ``voice`` is everything the assistant said, or nothing where it was not kept."""

    trials: tuple[Trial, ...] = field(repr=False)
    played: tuple[Played, ...]
    heard: Heard = field(repr=False)
    voice: bytes = field(repr=False)
    ended_at: float


@define(eq=False)
class Lane(ABC):
    """One call, however it is carried: what was said and heard, and what was told."""

    number: int
    script: CallerScript
    keep: bool
    times: array[float] = field(factory=lambda: array("d"), init=False)
    loud: bytearray = field(factory=bytearray, init=False)
    voice: bytearray = field(factory=bytearray, init=False)
    events: list[Event] = field(factory=list, init=False)
    closed: str = field(default="", init=False)
    heard_at: float = field(default=0.0, init=False)

    @abstractmethod
    def sources(self) -> list[Source]:
        """Return where something may come to be read."""

    @abstractmethod
    def send(self, now: float) -> None:
        """Send the frame that is due."""

    @abstractmethod
    def close(self) -> None:
        """Give the sockets back."""

    def record(self, now: float) -> LineRecord:
        """Return what this line saw."""
        loud = np.frombuffer(bytes(self.loud), np.uint8).astype(bool)
        heard = Heard(np.array(self.times), loud, tuple(self.events))
        return LineRecord(
            trials=self.script.trials,
            played=tuple(self.script.played),
            heard=heard,
            voice=bytes(self.voice),
            ended_at=now,
        )
