"""What one call shows of how it went, collected from its happenings."""

from __future__ import annotations

from attrs import define, field

from tomrt.events import Signal
from tomrt.happenings import (
    ActionRequested,
    BargeInJudged,
    CallEnded,
    Happening,
    ReplyAudible,
    ReplyEnded,
    ReplyOutcome,
    Signalled,
    TurnEnded,
)
from tomrt.rl.decision import Decision
from tomrt.rl.dialogue_policy import Trouble
from tomrt.rl.feedback import Signals

__all__ = ["CallRecord"]

OURS = frozenset({"draining", "protocol", "idle"})
"""Ends that say nothing of how the assistant talks: the service stops, or the line is broken."""
STANDINGS = frozenset({Signal.ANSWERED, Signal.RESOLVED, Signal.MISUNDERSTOOD, Signal.REPEATED, Signal.ESCALATED})
"""Signals that say how the caller's matter stands."""
GIVEN_UP = frozenset({"hangup", "lost"})


@define(kw_only=True)
class CallRecord:
    """One call, from its decision to its end.

    Args:
        decision: Its way of talking.
        slow_ms: A response later than this is slow.
    """

    decision: Decision
    slow_ms: float
    audible: bool = field(default=False, init=False)
    rating: int | None = field(default=None, init=False)
    slowest_ms: float = field(default=0.0, init=False)
    _turns: int = field(default=0, init=False)
    _answered: int = field(default=0, init=False)
    _interruptions: int = field(default=0, init=False)
    _repeats: int = field(default=0, init=False)
    _failures: int = field(default=0, init=False)
    _told: set[str] = field(factory=set, init=False)
    _signals: set[Signal] = field(factory=set, init=False)
    _standing: Signal | None = field(default=None, init=False)
    _ended: CallEnded | None = field(default=None, init=False)

    def put(self, happening: Happening) -> str:
        """Take note of *happening*, which is of this call.

        Returns:
            ``"error"`` or ``"slow"`` the first time that the call is in such trouble, mostly ``""``.
        """
        self._take(happening)
        for kind, found in (("error", self._failures > 0), ("slow", self.slowest_ms > self.slow_ms)):
            if found and kind not in self._told:
                self._told.add(kind)
                return kind
        return ""

    def _take(self, happening: Happening) -> None:
        match happening:
            case TurnEnded():
                self._turns += 1
            case ReplyAudible():
                self.audible = True
                self.slowest_ms = max(self.slowest_ms, happening.response_ms or 0.0)
            case BargeInJudged() if happening.interruption:
                self._interruptions += 1
            case ReplyEnded() if happening.outcome is ReplyOutcome.FAILED:
                self._failures += 1
            case ReplyEnded() if happening.turn and happening.heard:
                self._answered += 1
            case Signalled():
                self._signals.add(happening.signal)
                self._standing = happening.signal if happening.signal in STANDINGS else self._standing
                self._repeats += happening.signal in {Signal.MISUNDERSTOOD, Signal.REPEATED}
            case ActionRequested() if happening.action.name == "record_rating":
                self._rate(dict(happening.action.arguments).get("rating", ""))
            case CallEnded():
                self._ended = happening

    def _rate(self, rating: str) -> None:
        if rating in {"1", "2", "3", "4", "5"}:
            self.rating = int(rating)

    @property
    def teaches(self) -> bool:
        """Whether the way of talking had a part in how the call went: it was heard, and nobody pulled a plug."""
        return self.audible and self._ended is not None and self._ended.reason not in OURS

    @property
    def signals(self) -> Signals:
        """What was observed. Missing is what could not be: no resolution where the caller never asked for anything."""
        assert self._ended is not None
        return Signals(
            resolution=float(self._resolved) if self._turns else None,
            user_rating=self.rating,
            barge_in_count=self._interruptions,
            handover=self._handed_over,
            duration_sec=self._ended.seconds,
            repeats=self._repeats,
            escalation=Signal.ESCALATED in self._signals,
        )

    @property
    def _resolved(self) -> bool:
        """Something was settled, or the last that there was to say was an answer, and the caller left with it."""
        left_with_an_answer = self._standing is Signal.ANSWERED and not self._handed_over
        return Signal.RESOLVED in self._signals or left_with_an_answer

    @property
    def _handed_over(self) -> bool:
        return self._ended is not None and self._ended.reason == "transferred"

    @property
    def observed(self) -> tuple[tuple[str, float], ...]:
        """With which probability what only some callers are asked for was asked for; nothing, where it was not."""
        asked = Signal.RATING_ASKED in self._signals or self.rating is not None
        return (("user_rating", 1.0),) if asked else ()

    @property
    def trouble(self) -> Trouble:
        """What went wrong on the technical side and was not told when it happened."""
        assert self._ended is not None
        crashed = self._ended.reason == "failed"
        return Trouble(
            failed=crashed and "error" not in self._told,
            severe=crashed,
            hung_up_early=self._ended.reason in GIVEN_UP and not self._answered,
        )
