"""Where the caller's utterances begin, pause and end, from one :class:`~tomrt.events.Sound` for each 20 ms frame.

Everything here is in *line time* (milliseconds of audio received), not clock time: a switch that delivers a second
of audio late and in one burst must not change where an utterance ends.

How long a silence must be depends on what was said (``worded``) and on this caller's own pauses (``tomrt.turns.pace``).
"""

from __future__ import annotations

from attrs import evolve, field, frozen

from tomrt.events import Completeness, Sound
from tomrt.turns.pace import Pace

__all__ = [
    "GOES_ON_MS",
    "IGNORE_MS",
    "PRE_ROLL_MS",
    "Effect",
    "Ended",
    "Endpointer",
    "Endpointing",
    "Fragment",
    "Ignored",
    "Open",
    "Opened",
    "Paused",
    "Silent",
    "WentOn",
    "hangover_ms",
    "heard",
    "ignore",
    "reset",
    "resumed_after",
    "stalled",
    "start",
    "worded",
]

PRE_ROLL_MS = 240.0
"""Audio kept in front of the onset: voice activity is decided 20–60 ms late and soft consonants come before it."""

IGNORE_MS = 700.0
"""What was judged not to be a turn and still goes on after this long is one after all."""

GOES_ON_MS = 160.0
"""The same for what was just silent when it was judged: if it sounds for so long after all, it has only begun."""

OVER_MS = 60.0
"""A sound that is being ignored is over after so much without it."""

RELEASE_MS = 120.0
"""The end of speech is at most this far before the end of the voice-activity flag (which has some 80 ms of release):
where ``sounding`` stays false for longer while speech is flagged, it is not to be believed."""


@frozen(kw_only=True)
class Endpointing:
    """Limits of an utterance.

    Args:
        silence_ms: Silence that ends an utterance while nobody knows whether what was said is complete.
        complete_ms: The same when it is complete; at most *silence_ms*.
        incomplete_ms: The same when it breaks off; at least *silence_ms*.
        adapt: Whether the silence waited for follows the caller's own pauses.
        pause_ms: Silence that is reported as a pause.
        min_speech_ms: Less speech than this in all is a click, not an utterance.
        max_ms: Longest utterance; a longer one is ended there.
    """

    silence_ms: float = 600.0
    complete_ms: float = 250.0
    incomplete_ms: float = 1_100.0
    adapt: bool = True
    pause_ms: float = 160.0
    min_speech_ms: float = 160.0
    max_ms: float = 30_000.0


# --- state -----------------------------------------------------------------------------------------------------------


@frozen
class Silent:
    """The caller is silent."""


@frozen(kw_only=True)
class Open:
    """An utterance is under way.

    Args:
        start_ms: Where the speech began.
        last_ms: Where speech was last heard to end.
        speech_ms: Speech in it so far; pauses longer than ``RELEASE_MS`` are not counted.
        sounded: ``sounding`` was seen, so it can be believed.
        paused: The pause under way was reported.
        completeness: What is known of the words up to the pause under way.
        alone: The pause under way was silent on our side too.
    """

    start_ms: float
    last_ms: float
    speech_ms: float
    sounded: bool
    paused: bool = False
    completeness: Completeness = Completeness.UNKNOWN
    alone: bool = True


@frozen(kw_only=True)
class Ignored:
    """What sounds now is no turn.

    Args:
        since_ms: Line time since when it is ignored.
        until_ms: Line time from which it counts after all.
        quiet_ms: How long it has been quiet.
        sounded: ``sounding`` was seen, so it can be believed.
    """

    since_ms: float
    until_ms: float
    sounded: bool
    quiet_ms: float = 0.0


@frozen(kw_only=True)
class Endpointer:
    """What is heard of the caller now, and what was learned of the caller's pauses in this call.

    Args:
        now: What is heard.
        pace: What was learned.
        ended_as: What was known of the words of the last utterance that ended.
        cut_short_ms: The pause after which the caller went on with that one, learned once this is sure to be speech.
    """

    now: Silent | Open | Ignored = Silent()
    pace: Pace = field(factory=Pace)
    ended_as: Completeness = Completeness.UNKNOWN
    cut_short_ms: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether an utterance is under way."""
        return isinstance(self.now, Open)


# --- effects ---------------------------------------------------------------------------------------------------------


@frozen
class Opened:
    """The caller began to speak at ``start_ms``."""

    start_ms: float


@frozen(kw_only=True)
class Paused:
    """The utterance from ``start_ms`` pauses since ``end_ms``: it may be complete."""

    start_ms: float
    end_ms: float


@frozen
class WentOn:
    """It was not: the caller goes on after the pause that was reported."""

    start_ms: float


@frozen(kw_only=True)
class Ended:
    """The utterance from ``start_ms`` to ``end_ms`` is complete.

    Args:
        start_ms: Where its speech begins.
        end_ms: Where it ends: the end of the last pause reported, if there was one and nothing came after it.
        reason: ``silence``, ``too_long`` or ``stalled``.
        hangover_ms: Silence there was, ``None`` where it was not silence that ended it.
    """

    start_ms: float
    end_ms: float
    reason: str
    hangover_ms: float | None = None


@frozen
class Fragment:
    """What began at ``start_ms`` was too short to be an utterance."""

    start_ms: float


Effect = Opened | Paused | WentOn | Ended | Fragment
Outcome = tuple[Endpointer, tuple[Effect, ...]]


# --- what happens ----------------------------------------------------------------------------------------------------


def start() -> Endpointer:
    """Return the state at the beginning of a call."""
    return Endpointer()


def reset(state: Endpointer) -> Endpointer:
    """Forget what is under way; what was learned stays."""
    return evolve(state, now=Silent(), cut_short_ms=None)


def ignore(state: Endpointer, end_ms: float) -> Endpointer:
    """Be deaf from *end_ms* on to the utterance under way, until it is over; without one there is nothing to ignore."""
    now = state.now
    if not isinstance(now, Open):
        return state
    quiet_ms = max(0.0, end_ms - now.last_ms)
    until_ms = end_ms + (GOES_ON_MS if quiet_ms else IGNORE_MS)
    ignored = Ignored(since_ms=end_ms, until_ms=until_ms, sounded=now.sounded, quiet_ms=quiet_ms)
    return evolve(state, now=ignored, cut_short_ms=None)


def resumed_after(state: Endpointer, gap_ms: float) -> Endpointer:
    """Take note that the utterance that ended last had not: the caller went on after *gap_ms* of silence.

    What was just opened goes on with it. It is learned from unless that turns out to be a click, or forgotten.
    """
    return evolve(state, cut_short_ms=gap_ms)


def hangover_ms(state: Endpointer, limits: Endpointing) -> float:
    """Return how much silence would end the utterance as things are."""
    completeness = state.now.completeness if isinstance(state.now, Open) else Completeness.UNKNOWN
    pace = state.pace if limits.adapt else Pace()
    return pace.hangover_ms(
        completeness,
        complete_ms=limits.complete_ms,
        silence_ms=limits.silence_ms,
        incomplete_ms=limits.incomplete_ms,
    )


def heard(
    state: Endpointer, sound: Sound, end_ms: float, frame_ms: float, limits: Endpointing, *, alone: bool = True
) -> Outcome:
    """Take the frame that ends at *end_ms* of line time.

    Args:
        state: Before it.
        sound: What it sounds like.
        end_ms: Line time of its end.
        frame_ms: Its length.
        limits: What the operator set.
        alone: Nothing of ours is audible or held back: only then a pause says something about the caller.
    """
    match state.now:
        case Silent():
            return _open(state, sound, end_ms - frame_ms, end_ms) if sound.speech else (state, ())
        case Ignored():
            return _ignoring(state, state.now, sound, end_ms, frame_ms)
        case Open():
            if sound.speech:
                return _speaking(state, state.now, sound, end_ms=end_ms, frame_ms=frame_ms, limits=limits, alone=alone)
            state = evolve(state, now=evolve(state.now, alone=state.now.alone and alone))
            return _silence(state, end_ms, limits)


def worded(
    state: Endpointer, completeness: Completeness, pause_end_ms: float, now_ms: float, limits: Endpointing
) -> Outcome:
    """Take what is known of the words up to the pause that began at *pause_end_ms*; words of another pause are stale.

    Args:
        state: Before it.
        completeness: Whether the words can stand as they are.
        pause_end_ms: ``Paused.end_ms`` of the pause they lead up to.
        now_ms: Line time now.
        limits: What the operator set.
    """
    now = state.now
    if not (isinstance(now, Open) and now.paused and now.last_ms == pause_end_ms):
        return state, ()
    return _silence(evolve(state, now=evolve(now, completeness=completeness)), now_ms, limits)


def stalled(state: Endpointer, limits: Endpointing) -> Outcome:
    """Take note that the line has stopped delivering audio: silence that was never sent."""
    if not isinstance(state.now, Open):
        return reset(state), ()
    return _close(state, state.now, limits, "stalled", None)


# --- how -------------------------------------------------------------------------------------------------------------


def _open(state: Endpointer, sound: Sound, start_ms: float, end_ms: float) -> Outcome:
    now = Open(start_ms=start_ms, last_ms=end_ms, speech_ms=end_ms - start_ms, sounded=sound.sounding)
    return evolve(state, now=now), (Opened(start_ms),)


def _ignoring(state: Endpointer, now: Ignored, sound: Sound, end_ms: float, frame_ms: float) -> Outcome:
    sounded = now.sounded or sound.sounding
    quiet_ms = 0.0 if sound.speech and (sound.sounding or not sounded) else now.quiet_ms + frame_ms
    if not sound.speech:
        over = quiet_ms >= OVER_MS
        return evolve(state, now=Silent() if over else evolve(now, quiet_ms=quiet_ms, sounded=sounded)), ()
    if not quiet_ms and now.quiet_ms >= OVER_MS:  # over, and something new began within the flag's release
        return _open(state, sound, end_ms - frame_ms, end_ms)
    if end_ms >= now.until_ms:
        return _open(state, sound, now.since_ms, end_ms)
    return evolve(state, now=evolve(now, quiet_ms=quiet_ms, sounded=sounded)), ()


def _speaking(
    state: Endpointer, now: Open, sound: Sound, *, end_ms: float, frame_ms: float, limits: Endpointing, alone: bool
) -> Outcome:
    sounded = now.sounded or sound.sounding
    believed = sound.sounding or not sounded
    last_ms = max(now.last_ms, end_ms if believed else end_ms - RELEASE_MS)
    gained_ms = last_ms - now.last_ms
    went_on: tuple[Effect, ...] = ()
    if gained_ms and now.paused:
        gap_ms = gained_ms - frame_ms
        went_on = (WentOn(last_ms - frame_ms),)
        if now.alone and alone:
            state = evolve(state, pace=state.pace.paused(gap_ms, now.completeness))
    if gained_ms:
        speech_ms = now.speech_ms + (gained_ms if gained_ms <= RELEASE_MS else frame_ms)
        now = Open(start_ms=now.start_ms, last_ms=last_ms, speech_ms=speech_ms, sounded=sounded, alone=alone)
    state = evolve(state, now=now)
    if end_ms - now.start_ms >= limits.max_ms:
        state, effects = _close(state, now, limits, "too_long", None)
        return state, went_on + effects
    return state, went_on


def _silence(state: Endpointer, now_ms: float, limits: Endpointing) -> Outcome:
    now = state.now
    assert isinstance(now, Open)
    silence_ms = now_ms - now.last_ms
    if silence_ms >= hangover_ms(state, limits):
        return _close(state, now, limits, "silence", silence_ms)
    if now_ms - now.start_ms >= limits.max_ms:
        return _close(state, now, limits, "too_long", None)
    if silence_ms >= limits.pause_ms and not now.paused and now.speech_ms >= limits.min_speech_ms:
        state = evolve(_learned(state), now=evolve(now, paused=True))
        return state, (Paused(start_ms=now.start_ms, end_ms=now.last_ms),)
    return state, ()


def _close(state: Endpointer, now: Open, limits: Endpointing, reason: str, hangover: float | None) -> Outcome:
    if now.speech_ms < limits.min_speech_ms:
        return reset(state), (Fragment(now.start_ms),)
    ended = Ended(start_ms=now.start_ms, end_ms=now.last_ms, reason=reason, hangover_ms=hangover)
    return evolve(_learned(state), now=Silent(), ended_as=now.completeness), (ended,)


def _learned(state: Endpointer) -> Endpointer:
    """Learn from the turn that was ended too early: what came after it was speech."""
    if state.cut_short_ms is None:
        return state
    return evolve(state, pace=state.pace.cut_short(state.cut_short_ms, state.ended_as), cut_short_ms=None)
