"""Where the caller's utterances begin and end, from one voice-activity decision for each 20 ms frame.

Everything here is in *line time* (milliseconds of audio received), not clock time: a switch that delivers a second
of audio late and in one burst must not change where an utterance ends.
"""

from __future__ import annotations

from attrs import evolve, frozen

__all__ = ["PRE_ROLL_MS", "Ended", "Endpointing", "Fragment", "Open", "Opened", "Silent", "heard", "stalled"]

PRE_ROLL_MS = 240.0
"""Audio kept in front of the onset: voice activity is decided 20–60 ms late and soft consonants come before it."""


@frozen(kw_only=True)
class Endpointing:
    """Limits of an utterance.

    Args:
        silence_ms: Silence that ends an utterance.
        min_speech_ms: Less speech than this in all is a click, not an utterance.
        max_ms: Longest utterance; a longer one is ended there.
    """

    silence_ms: float = 600.0
    min_speech_ms: float = 160.0
    max_ms: float = 30_000.0


@frozen
class Silent:
    """The caller is silent."""


@frozen(kw_only=True)
class Open:
    """An utterance is under way.

    Args:
        start_ms: Where the speech began.
        last_ms: Where speech was last heard to end.
        speech_ms: Speech in it so far, pauses not counted.
    """

    start_ms: float
    last_ms: float
    speech_ms: float


State = Silent | Open


@frozen
class Opened:
    """The caller began to speak at ``start_ms``."""

    start_ms: float


@frozen(kw_only=True)
class Ended:
    """The utterance from ``start_ms`` to ``end_ms`` is complete; ``reason`` is silence, too_long or stalled."""

    start_ms: float
    end_ms: float
    reason: str


@frozen
class Fragment:
    """What began was too short to be an utterance."""

    start_ms: float


Effect = Opened | Ended | Fragment


def heard(
    state: State, speech: bool, end_ms: float, frame_ms: float, limits: Endpointing
) -> tuple[State, Effect | None]:
    """Take the frame that ends at *end_ms* of line time and is *frame_ms* long."""
    if isinstance(state, Silent):
        if not speech:
            return state, None
        start_ms = end_ms - frame_ms
        return Open(start_ms=start_ms, last_ms=end_ms, speech_ms=frame_ms), Opened(start_ms)
    if speech:
        state = evolve(state, last_ms=end_ms, speech_ms=state.speech_ms + frame_ms)
        if end_ms - state.start_ms >= limits.max_ms:
            return Silent(), Ended(start_ms=state.start_ms, end_ms=end_ms, reason="too_long")
        return state, None
    if end_ms - state.last_ms >= limits.silence_ms:
        return _close(state, limits, "silence")
    return state, None


def stalled(state: State, limits: Endpointing) -> tuple[State, Effect | None]:
    """Take note that the line has stopped delivering audio: silence that was never sent."""
    if isinstance(state, Silent):
        return state, None
    return _close(state, limits, "stalled")


def _close(state: Open, limits: Endpointing, reason: str) -> tuple[Silent, Effect]:
    if state.speech_ms < limits.min_speech_ms:
        return Silent(), Fragment(state.start_ms)
    return Silent(), Ended(start_ms=state.start_ms, end_ms=state.last_ms, reason=reason)
