"""The playout ledger: what was produced, sent and heard of the reply under way, in samples.

It is the one truth about what the caller heard; history, resume, metrics and recording derive from it. Always
``heard <= sent <= produced``, and none of them ever falls within a reply.
"""

from __future__ import annotations

from collections import deque

from attrs import Factory, define, field

__all__ = ["Ledger"]

MAX_SHIFT_S = 2.0
"""A mark may correct the play-out clock by this much; more is a confused peer."""

MAX_MARKS = 64
"""Marks waited for; a line has fewer outstanding."""


@define
class _Span:
    start: int
    stop: int
    plays_at: float


@define
class Ledger:
    """Spans of one reply's samples and when each is played.

    Args:
        rate_hz: Rate of the line.
    """

    rate_hz: int
    produced: int = field(default=0, init=False)
    sent: int = field(default=0, init=False)
    heard: int = field(default=0, init=False)
    _spans: deque[_Span] = field(default=Factory(deque), init=False)
    _marks: dict[int, float] = field(default=Factory(dict), init=False)

    def was_sent(self, start: int, stop: int, plays_at: float) -> None:
        """Samples *start* to *stop* were sent and will be heard from clock time *plays_at* on."""
        self._spans.append(_Span(start, stop, plays_at))
        self.sent = max(self.sent, stop)

    def advance(self, now: float) -> int:
        """Let the play-out clock run to *now*; return how many samples were heard."""
        while self._spans:
            span = self._spans[0]
            played = int((now - span.plays_at) * self.rate_hz + 0.5)
            if played < span.stop - span.start:
                if played > 0:
                    self.heard = max(self.heard, span.start + played)
                break
            self.heard = max(self.heard, span.stop)
            self._spans.popleft()
        return self.heard

    def marked(self, sample: int, plays_at: float) -> None:
        """A mark stands in front of *sample*, which is expected to play at *plays_at*."""
        self._marks[sample] = plays_at
        if len(self._marks) > MAX_MARKS:
            del self._marks[next(iter(self._marks))]

    def reached(self, sample: int, now: float) -> float:
        """The line says that *sample* plays now; return by how many seconds the play-out clock was early."""
        expected = self._marks.pop(sample, None)
        if expected is None:
            return 0.0
        shift = min(max(now - expected, -MAX_SHIFT_S), MAX_SHIFT_S)
        for span in self._spans:
            span.plays_at += shift
        for later in self._marks:
            self._marks[later] += shift
        return shift

    def flushed(self) -> None:
        """What was sent and not yet heard will never be."""
        self._spans.clear()
        self._marks.clear()
