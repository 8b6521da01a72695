"""What an outsider knows of a call from its record alone: replies, turns, tools and the line.

The invariants are written against this, never against the state of the code under test.
"""

from __future__ import annotations

from typing import Any

from attrs import define, field

from tomrt.simulation.scenario import Scenario

__all__ = ["NEVER", "Reply", "Request", "Seen", "TurnSeen"]

NEVER = float("inf")


@define(eq=False)
class Request:
    """A sentence given to the voice: its place on the tape, its words, and what of it was sent.

    Args:
        number: Of the request.
        text: The sentence.
        reply: The reply it belongs to.
    """

    number: int
    text: str
    reply: Reply | None
    start: int = 0
    stop: int = 0
    word: int = 0
    words: int = 0
    voiced: int = 0
    sent_to: int = 0
    played: list[tuple[float, int, int]] = field(factory=list)
    """When each piece sent begins to be heard, and its samples."""

    @property
    def sounded(self) -> bool:
        """Whether the voice had sound for it: a piece it is still handing over may be on the line by then."""
        return self.voiced > 0 or self.sent_to > self.start


@define(eq=False)
class Reply:
    """A reply."""

    number: int
    turn: int
    started: float
    draft: bool = False
    confirmed: bool = False
    audible_at: float | None = None
    yielded_at: float | None = None
    yields: int = 0
    resumed_at: float | None = None
    judged_at: float | None = None
    ended_at: float | None = None
    outcome: str = ""
    text: str = ""
    heard: str = ""
    doomed_at: float | None = None
    """When a newer turn was committed while it was alive."""
    prompt: str = ""
    """What it was told to say, where it was unasked."""
    requests: list[Request] = field(factory=list)
    confirmed_at: float | None = None
    announced_at: float | None = None
    used_tools: bool = False
    keyed_at: float | None = None
    """When a key was pressed over it."""

    @property
    def secret(self) -> bool:
        """Whether nothing of it may be heard yet."""
        return self.draft and not self.confirmed


@define(eq=False)
class TurnSeen:
    """A turn of the caller's."""

    number: int
    opened_at: float | None = None
    ended_at: float | None = None
    start_ms: float | None = None
    end_ms: float | None = None
    reason: str = ""
    withdrawn: str = ""
    withdrawn_at: float | None = None
    answered_seconds: float | None = None
    understanding: bool = False
    """The recogniser was asked about it before its end was known."""


@define(eq=False)
class Seen:
    """One call as seen from outside.

    Args:
        scenario: What was planned.
    """

    scenario: Scenario
    now: float = 0.0
    replies: dict[int, Reply] = field(factory=dict)
    live: list[Reply] = field(factory=list)
    turns: dict[int, TurnSeen] = field(factory=dict)
    open_turn: TurnSeen | None = None
    newest_committed: int = 0
    requests: dict[int, Request] = field(factory=dict)
    tools: dict[int, str] = field(factory=dict)
    tool_uses: dict[tuple[int, int], str] = field(factory=dict)
    tool_ends: int = 0
    working: dict[str, int] = field(factory=dict)
    """Requests under way, by what they are asked of."""
    phase: str = ""
    closing_at: float = NEVER
    """When the call began to end."""
    closed_at: float | None = None
    close_reason: str = ""
    ended: Any = None
    ended_at: float | None = None
    hung_up: int = 0
    returned_at: float | None = None
    happenings: list[tuple[str, float]] = field(factory=list)
    interruptions: int = 0
    """How often what was said over the assistant was judged to be one."""
    noticed: list[tuple[Any, float]] = field(factory=list)
    """The dialogue's signals."""
    told: int = 0
    faults: set[str] = field(factory=set)
    onset_at: float = NEVER
    """When clean speech of the caller began over the assistant's."""
    spoke_until: float = 0.0
    racket_until: float = 0.0
    last_words_at: float = NEVER
    answered_at: float | None = None
    flushed_at: float = float("-inf")
    sounds_until: float = float("-inf")
    """Until when the ear hears what was sent."""
    idle_since: float = 0.0
    """Since when nobody did anything."""
    flush_sample: int | None = None
    _holds: int = 0
    _holds_told: int = 0

    def is_moment(self, name: str) -> bool:
        """Whether the call is in the state a caller waits for."""
        match name:
            case "tool":
                return bool(self.tools)
            case "held":
                return any(self.is_held(reply) for reply in self.live)
            case "draft":
                return any(reply.secret for reply in self.live)
            case "resumed":
                return any(reply.resumed_at is not None and reply.resumed_at > self.now - 0.5 for reply in self.live)
            case "thinking":
                return any(reply.audible_at is None and not reply.secret and reply.turn for reply in self.live)
            case "answered":
                return self.answered_at is not None or self.ended is not None
        return False

    def count_hold(self) -> None:
        """Take note of a hold."""
        self._holds += 1

    def newly_held(self) -> bool:
        """Whether a reply was held since this was asked last."""
        before, self._holds_told = self._holds_told, self._holds
        return self._holds > before

    @staticmethod
    def is_held(reply: Reply) -> bool:
        """Whether it yielded and nothing came of it yet."""
        return reply.yielded_at is not None and reply.ended_at is None and reply.judged_at is None

    def request_at(self, sample: int) -> Request | None:
        """Return the sentence to which a sample of the tape belongs."""
        for request in reversed(self.requests.values()):
            if request.start <= sample < request.stop:
                return request
        return None
