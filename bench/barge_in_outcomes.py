"""What came of each trial on a line, and where a pause was taken back: pure reading of what the line saw."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypedDict

import numpy as np
from attrs import frozen

from bench.barge_in_clocks import (
    FRAME,
    FRAME_S,
    TRAIL_S,
    Event,
    Heard,
    Stretch,
    content_loss,
    decided_to_silent,
    first_audible,
    frames_between,
    overlap_loss,
    stop_of,
)
from bench.call_load import LineRecord
from bench.call_script import Kind, Played, Trial

__all__ = ["Outcome", "Pause", "Resumes", "outcomes", "pauses", "quiet", "reference", "resumes"]

JUST_BEFORE_S = 0.06
NEVER_TALKED = "the assistant did not talk for a second in the noise"
AFTER_NOISE_S = 0.6
"""A pause so soon after a noise is the noise's."""
AROUND = 20
"""Frames that are compared on each side of a pause."""


@frozen(kw_only=True)
class Outcome:
    """What came of one trial.

    Args:
        trial: The trial.
        line: The number of the call.
        void: Why it says nothing of the clocks; ``""`` when it does.
        engine_ms: Engine clock: onset sent to last audible frame of a reply that was then cut.
        paused_itself: The assistant was in a pause of its own when it held; the clock runs to its message.
        held: Pauses of the assistant from the onset on.
        held_early: Pauses before it, by the noise around it.
        early_s: How long the assistant spoke in that time.
        first_hold_ms: Onset sent to the first pause announced.
        committed: The reply was cut.
        commit_ms: Onset to that message.
        resumed: How often it went on.
        judged: What the service said of its verdicts, where it does.
        response_ms: End of the caller's sound to the first audible frame of the next reply.
        bot_s: How long the assistant spoke from the onset to the end.
    """

    trial: Trial
    line: int
    void: str = ""
    engine_ms: float | None = None
    paused_itself: bool = False
    held: int = 0
    held_early: int = 0
    early_s: float = 0.0
    first_hold_ms: float | None = None
    committed: bool = False
    commit_ms: float | None = None
    resumed: int = 0
    judged: tuple[str, ...] = ()
    response_ms: float | None = None
    bot_s: float = 0.0


@frozen(kw_only=True)
class Pause:
    """One hold of the assistant.

    Args:
        decision_ms: Message of the hold to the last audible frame.
        silent_ms: How long nothing was heard, where it went on; else ``None``.
    """

    decision_ms: float
    silent_ms: float | None


def outcomes(line: LineRecord, number: int) -> list[Outcome]:
    """Return what came of the trials of *line* that took place to their end."""
    made = []
    for at, played in enumerate(line.played):
        if np.isnan(played.done_at) or played.done_at > line.ended_at:
            continue
        until = line.played[at + 1].begun_at if at + 1 < len(line.played) else line.ended_at
        made.append(_outcome(line.heard, line.trials[played.trial], played, until, number))
    return made


def _cut(heard: Heard, begin: float, until: float) -> float | None:
    """Return when the service said that a reply was cut."""
    said = heard.between(begin, until, "flush", "answered")
    return next((event.at for event in said if event.type == "flush" or event.outcome == "cut"), None)


def _outcome(heard: Heard, trial: Trial, played: Played, until: float, line: int) -> Outcome:
    if np.isnan(played.onset_at):
        return Outcome(trial=trial, line=line, void=NEVER_TALKED, **_early(heard, played.begun_at, played.done_at))
    onset, end = played.onset_at, played.end_at
    hold_until = min(until, end + AFTER_NOISE_S) if trial.kind is Kind.NOISE else until
    cut_at = _cut(heard, onset, until)
    held = heard.between(onset, hold_until, "hold")
    stop = None if cut_at is None else stop_of(heard, onset, cut_at)
    after = None if cut_at is None else first_audible(heard, max(cut_at + TRAIL_S, end), until + 10.0)
    spoke = frames_between(heard, onset, end)
    return Outcome(
        trial=trial,
        line=line,
        void=_void(heard, played, cut_at, until),
        engine_ms=None if stop is None else (stop.at - onset) * 1000,
        paused_itself=stop is not None and stop.paused,
        held=len(held),
        **_early(heard, played.begun_at, onset),
        first_hold_ms=(held[0].at - onset) * 1000 if held else None,
        committed=cut_at is not None,
        commit_ms=None if cut_at is None else (cut_at - onset) * 1000,
        resumed=len(heard.between(onset, until, "resume")),
        judged=tuple(event.outcome for event in heard.between(onset, until, "judged")),
        response_ms=None if after is None else (after - end) * 1000,
        bot_s=(spoke.stop - spoke.start) * FRAME_S,
    )


class _Early(TypedDict):
    held_early: int
    early_s: float


def _early(heard: Heard, begin: float, onset: float) -> _Early:
    spoke = frames_between(heard, begin, onset)
    return {"held_early": len(heard.between(begin, onset, "hold")), "early_s": (spoke.stop - spoke.start) * FRAME_S}


def _void(heard: Heard, played: Played, cut_at: float | None, until: float) -> str:
    onset = played.onset_at
    released = onset if np.isnan(played.released_at) else played.released_at
    if heard.between(released, onset, "hold", "flush"):
        return "silenced just before the onset"
    ended = [
        event.at
        for event in heard.between(released, until, "answered")
        if event.outcome != "cut" and (cut_at is None or event.at < cut_at)
    ]
    if ended:
        return "the reply ended by itself"
    if first_audible(heard, onset - JUST_BEFORE_S, onset + FRAME_S) is None:
        return "the assistant was silent at the onset"
    return ""


def pauses(heard: Heard) -> list[Pause]:
    """Return all holds of a line."""
    made = []
    turns = [event for event in heard.events if event.type in {"hold", "resume", "flush"}]
    for event, after in zip(turns, [*turns[1:], None], strict=False):
        if event.type != "hold":
            continue
        until = float("inf") if after is None else after.at
        decision_s = decided_to_silent(heard, event.at, until)
        silent_s = None
        if after is not None and after.type == "resume":
            last, first = _around(heard, event, after)
            silent_s = heard.times[first] - heard.times[last] if first < len(heard.times) and last >= 0 else None
        made.append(
            Pause(decision_ms=decision_s * 1000, silent_ms=None if silent_s is None else float(silent_s) * 1000)
        )
    return made


def _around(heard: Heard, hold: Event, resume: Event) -> tuple[int, int]:
    """Return the numbers of the last frame before the silence of a hold and the first one after it.

    Messages may be a frame late, so it is the longest gap between them that counts.
    """
    inside = frames_between(heard, hold.at - TRAIL_S, resume.at + TRAIL_S)
    first = max(0, inside.start - 1)
    times = heard.times[first : inside.stop + 1]
    if len(times) < 2:
        return hold.frame - 1, hold.frame
    gap = first + int(np.argmax(np.diff(times)))
    return gap, gap + 1


def quiet(line: LineRecord) -> tuple[int, float]:
    """Return how often the assistant paused while no trial was under way, and how long it spoke then, in seconds."""
    begins = [*(played.begun_at for played in line.played), line.ended_at]
    busy = [
        (played.begun_at, min(_known(played.done_at, line.ended_at) + AFTER_NOISE_S, after))
        for played, after in zip(line.played, begins[1:], strict=True)
    ]
    holds = [event.at for event in line.heard.events if event.type == "hold"]
    spoke = len(line.heard.times) - sum(
        len(range(*frames_between(line.heard, begin, end).indices(len(line.heard.times)))) for begin, end in busy
    )
    outside = sum(not any(begin <= at < end for begin, end in busy) for at in holds)
    return outside, spoke * FRAME_S


def _known(at: float, otherwise: float) -> float:
    return otherwise if np.isnan(at) else at


# --- resume ----------------------------------------------------------------------------------------------------------


def _replies(heard: Heard) -> dict[int, int]:
    """Return the number of each reply's first frame; it left just before its message."""
    return {event.reply: max(0, event.frame - 1) for event in heard.events if event.type == "audible"}


def reference(lines: Sequence[LineRecord]) -> bytes:
    """Return the longest reply that was heard without a pause, from its beginning on; all replies are alike."""
    longest = b""
    for line in lines:
        for reply, start in _replies(line.heard).items() if line.voice else ():
            ends = [
                event.frame
                for event in line.heard.events
                if event.frame > start and event.type in {"hold", "flush", "answered"}
            ]
            stop = min(ends, default=len(line.heard.times))
            # The first frame may belong to the reply before it: its message is not part of the sound.
            voice = line.voice[2 * FRAME * start : 2 * FRAME * stop]
            longest = max(longest, voice, key=len) if reply else longest
    return longest


def _stretches(line: LineRecord) -> list[Stretch]:
    starts, made = _replies(line.heard), []
    turns = [event for event in line.heard.events if event.type in {"hold", "resume", "flush"}]
    bounds = [0]
    for event, after in pairwise(turns):
        if event.type == "hold" and after.type == "resume" and event.reply in starts:
            last, first = _around(line.heard, event, after)
            begin = max(starts[event.reply], bounds[-1], last + 1 - AROUND)
            earlier = sum(1 for bound in bounds[1:] if bound > starts[event.reply])
            next_hold = next((turn.frame for turn in turns if turn.at > after.at), len(line.heard.times))
            made.append(
                Stretch(
                    before=line.voice[2 * FRAME * begin : 2 * FRAME * (last + 1)],
                    after=line.voice[2 * FRAME * first : 2 * FRAME * min(first + AROUND, next_hold)],
                    position=FRAME * (begin - starts[event.reply] - earlier),
                )
            )
            bounds.append(first + 1)
    return made


@frozen(kw_only=True)
class Resumes:
    """What was lost where the assistant went on; negative where something was repeated.

    Args:
        samples: To the sample, where a fade shows it.
        frames: By what was said, where it could be found.
        unknown: How many resumes could be compared in neither way.
    """

    samples: tuple[int, ...]
    frames: tuple[int, ...]
    unknown: int


def resumes(lines: Sequence[LineRecord]) -> Resumes:
    """Return what was lost at the resumes of all *lines* whose sound was kept."""
    whole = reference(lines)
    found = [
        (overlap_loss(stretch), content_loss(stretch, whole))
        for line in lines
        if line.voice
        for stretch in _stretches(line)
    ]
    return Resumes(
        samples=tuple(exact for exact, _ in found if exact is not None),
        frames=tuple(coarse for _, coarse in found if coarse is not None),
        unknown=found.count((None, None)),
    )
