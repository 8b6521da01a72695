"""Is it an interruption?  Decided from what was heard since the bot yielded."""

from __future__ import annotations

from enum import Enum

from attrs import evolve, frozen

ANSWER_SPEECH_MS = 160.0
"""Less speech than this does not answer even a question that was nearly out: a click or a breath."""

__all__ = ["ANSWER_SPEECH_MS", "BargeIn", "Evidence", "Verdict", "decide", "weigh"]


@frozen(kw_only=True)
class BargeIn:
    """Thresholds of the decision.

    Args:
        enabled: Whether the caller may interrupt at all.
        commit_speech_ms: This much speech is an interruption; a backchannel ("mhm", "yes") is shorter.
        resume_silence_ms: This much silence in a row before that, and it was a backchannel, a cough or noise.
        decide_ms: Decided at the latest this long after the yield.
        nearly_done_ms: With less than this left to say, any speech is an answer rather than a backchannel.
    """

    enabled: bool = True
    commit_speech_ms: float = 450.0
    resume_silence_ms: float = 240.0
    decide_ms: float = 500.0
    nearly_done_ms: float = 800.0


@frozen(kw_only=True)
class Evidence:
    """What was heard since the yield.

    Args:
        since: Clock time of the yield, seconds.
        remaining_ms: What the bot had left to say then.
        speech_ms: Speech heard since its onset.
        silence_ms: Silence since the last speech.
    """

    since: float
    remaining_ms: float
    speech_ms: float = 0.0
    silence_ms: float = 0.0


class Verdict(Enum):
    """What to do with the held reply."""

    WAIT = "wait"
    COMMIT = "commit"
    RESUME = "resume"


def weigh(evidence: Evidence, speech: bool, frame_ms: float) -> Evidence:
    """Add one frame."""
    if speech:
        return evolve(evidence, speech_ms=evidence.speech_ms + frame_ms, silence_ms=0.0)
    return evolve(evidence, silence_ms=evidence.silence_ms + frame_ms)


def decide(evidence: Evidence, now: float, knobs: BargeIn) -> Verdict:
    """Return the verdict on *evidence* at clock time *now* (seconds)."""
    if evidence.speech_ms >= knobs.commit_speech_ms:
        return Verdict.COMMIT
    overdue = (now - evidence.since) * 1000.0 >= knobs.decide_ms - 1e-6  # the clock is a float
    if evidence.silence_ms < knobs.resume_silence_ms and not overdue:
        return Verdict.WAIT
    if overdue and evidence.silence_ms == 0.0:
        return Verdict.COMMIT  # still speaking when time is up
    answers_early = evidence.remaining_ms < knobs.nearly_done_ms and evidence.speech_ms >= ANSWER_SPEECH_MS
    return Verdict.COMMIT if answers_early else Verdict.RESUME
