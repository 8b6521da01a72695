"""The clocks of a barge-in, computed from what a caller's line saw: frames with their arrival, and messages.

All of it is plain code over lists, so that it can be tried on calls made up by hand. Times are seconds of
CLOCK_MONOTONIC, which all processes of a machine share.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

__all__ = [
    "AUDIBLE", "FRAME", "FRAME_S", "RATE_HZ", "Event", "Heard", "Stop", "Stretch", "audible", "content_loss",
    "decided_to_silent", "first_audible", "frames_between", "is_fade", "locate", "overlap_loss", "percentile",
    "stop_of",
]  # fmt: skip

RATE_HZ = 8000
FRAME = 160
FRAME_S = 0.02
AUDIBLE = 32
"""A frame with a sample beyond this, -60 dB below the full scale of 32768, is audible."""

PAUSE_S = 0.045
"""No audible frame for longer than two frame times: the assistant paused by itself."""

NEAR_S = 0.15
"""Sound so shortly before the onset counts as being there to be stopped."""

TRAIL_S = 0.1
"""A message overtakes the frame that was due next, and the fade in it, but no more than that."""

MATCH = 0.5
REACH = 4 * FRAME
FEWEST_FRAMES = 5
FADE = 64
"""Samples of a fade, 8 ms."""
FEWEST = 24
"""So many samples must be in both fades for them to be compared."""
OVERLAP_RESIDUAL = 0.002
"""Rounding to whole samples leaves a quarter of this; a voice one period on is far off."""


@frozen
class Event:
    """A message of the service.

    Args:
        at: When it arrived.
        frame: How many audio frames had arrived before it.
        type: Its type.
        reply: The reply it is about; 0 where it does not say.
        outcome: How a reply ended, or the reason it gives.
        said: Any other figure that is of use, by key.
    """

    at: float
    frame: int
    type: str
    reply: int = 0
    outcome: str = ""
    said: tuple[tuple[str, float], ...] = ()


@frozen
class Heard:
    """What one line heard: for each frame its arrival and whether it is audible, and all messages."""

    times: NDArray[np.float64]
    audible: NDArray[np.bool_]
    events: tuple[Event, ...]

    def between(self, begin: float, end: float, *types: str) -> list[Event]:
        """Return the messages of *types* that arrived from *begin* on and before *end*."""
        return [event for event in self.events if begin <= event.at < end and event.type in types]


@frozen(kw_only=True)
class Stop:
    """How the assistant fell silent.

    Args:
        at: When the last of it that was audible arrived; where it had paused by itself, when it said that it held.
        hold_at: When it said that it held, if it did.
        paused: It was in a pause of its own by then, or before the onset: ``at`` is the message, not the sound.
    """

    at: float
    hold_at: float | None
    paused: bool


def audible(pcm: bytes) -> bool:
    """Whether a frame of mono 16-bit *pcm* is audible; its RMS is over -60 dBFS only where a sample is."""
    samples = np.frombuffer(pcm, "<i2")
    return bool(samples.size and (samples.max() > AUDIBLE or samples.min() < -AUDIBLE))


def percentile(values: Sequence[float] | NDArray[np.float64], share: float) -> float:
    """Return the *share* percentile (0 to 100) of *values*, the next larger value where it lies between two.

    Interpolation would report a p99 that is better than any of the worst trials. Of nothing it is not a number.
    """
    return float(np.percentile(values, share, method="higher")) if len(values) else float("nan")


def frames_between(heard: Heard, begin: float, end: float) -> slice:
    """Return which frames arrived from *begin* on and before *end*."""
    first, last = np.searchsorted(heard.times, (begin, end))
    return slice(int(first), int(last))


def first_audible(heard: Heard, begin: float, end: float) -> float | None:
    """Return when the first audible frame from *begin* on and before *end* arrived."""
    inside = frames_between(heard, begin, end)
    found = np.flatnonzero(heard.audible[inside])
    return float(heard.times[inside][found[0]]) if found.size else None


def stop_of(heard: Heard, begin: float, cut_at: float) -> Stop | None:
    """Return how the assistant fell silent before its reply was cut.

    Args:
        heard: The line.
        begin: The caller's onset.
        cut_at: When the service said that the reply was cut. The last hold before it is the one that held; an earlier
            one was taken back, and what was audible after it counts.

    Returns:
        ``None`` when nothing was audible just before the onset either: there was nothing to stop.
    """
    inside = frames_between(heard, begin - NEAR_S, cut_at + TRAIL_S)
    loud = np.flatnonzero(heard.audible[inside])
    if not loud.size:
        return None
    last = float(heard.times[inside][loud[-1]])
    holds = heard.between(begin, cut_at + 1e-9, "hold")
    hold_at = holds[-1].at if holds else None
    said = cut_at if hold_at is None else hold_at
    paused = said - last > PAUSE_S or last < begin
    return Stop(at=said if paused else last, hold_at=hold_at, paused=paused)


def decided_to_silent(heard: Heard, hold_at: float, until: float) -> float:
    """Return the seconds from the message of a hold to the last audible frame; 0 where none came after it.

    Args:
        heard: The line.
        hold_at: When the message arrived.
        until: When the hold ended, if that was within 0.1 s: what is heard then is no longer the fade.
    """
    inside = frames_between(heard, hold_at, min(hold_at + TRAIL_S, until))
    loud = np.flatnonzero(heard.audible[inside])
    return float(heard.times[inside][loud[-1]]) - hold_at if loud.size else 0.0


# --- resume: not one sample lost or repeated -------------------------------------------------------------------------


@frozen(kw_only=True)
class Stretch:
    """The sound around a hold that was taken back.

    Args:
        before: Samples up to and with the last frame before the silence, which may be a fade.
        after: Samples from the first frame after it, which may be faded in.
        position: Where in its reply the first sample of ``before`` should be, counting frames.
    """

    before: bytes
    after: bytes
    position: int


def _samples(pcm: bytes) -> NDArray[np.float64]:
    return np.frombuffer(pcm, "<i2").astype(float)


def overlap_loss(stretch: Stretch) -> int | None:
    """Return how many samples a resume lost, to the sample; negative where it repeated some beyond the fade.

    Before the silence the first samples of a frame are faded out, and they come again faded in, as raised cosines of
    8 ms. Multiplied by the gain that the other one has, both are the same, if they are the same samples.

    Returns:
        ``None`` where that cannot be seen: there was no fade, or it was one of nothing.
    """
    faded, after = _samples(stretch.before)[-FRAME:], _samples(stretch.after)
    if not is_fade(faded) or len(after) < 3 * FRAME:
        return None
    falling = 0.5 * (1 + np.cos(np.pi * (np.arange(FADE) + 0.5) / FADE))
    rising = np.concatenate([1 - falling, np.ones(FRAME)])
    least, best = OVERLAP_RESIDUAL, None
    for lost in range(-FRAME, FADE - FEWEST + 1):
        first, again = max(0, lost), max(0, -lost)
        count = FADE - first
        said = faded[first:FADE] * rising[again : again + count]
        repeated = after[again : again + count] * falling[first:]
        energy = float(np.sum(said**2))
        residual = float(np.sum((said - repeated) ** 2)) / energy if energy > count * AUDIBLE**2 else 1.0
        if residual < least:
            least, best = residual, lost
    return best


def is_fade(frame: NDArray[np.float64]) -> bool:
    """Whether *frame* ends in nothing at all after a sound: the assistant was faded out in it."""
    return len(frame) == FRAME and bool(np.any(frame)) and not np.any(frame[FADE + 2 :])


def locate(piece: NDArray[np.float64], whole: NDArray[np.float64], near: int) -> int | None:
    """Return where *piece* begins in *whole*, within four frames of *near*; ``None`` when it is nowhere there.

    It is the place of the largest normalised cross-correlation, if that is 0.5 or more. eSpeak does not say the same
    text twice with the same samples: the phase of its pitch runs on. So this is right to a period of the pitch.
    """
    low = max(0, near - REACH)
    part = whole[low : near + REACH + len(piece)]
    if len(part) < len(piece) or not np.any(piece):
        return None
    energy = np.convolve(part**2, np.ones(len(piece)), "valid")
    likeness = np.correlate(part, piece, "valid") / np.sqrt(np.maximum(energy, 1.0) * np.sum(piece**2))
    best = int(np.argmax(likeness))
    return low + best if likeness[best] >= MATCH else None


def content_loss(stretch: Stretch, whole: bytes) -> int | None:
    """Return how many frames a resume lost, by what is said before and after it; negative where it repeated some.

    Args:
        stretch: The sound around the hold.
        whole: The same reply, heard undisturbed.

    Returns:
        ``None`` where the sound cannot be found in *whole* (it is longer, or was in a pause).
    """
    before, after, reply = _samples(stretch.before), _samples(stretch.after), _samples(whole)
    if is_fade(before[-FRAME:]):
        before = before[:-FRAME]  # what it covers is said again
    tail = after[FRAME:]
    if len(before) < FEWEST_FRAMES * FRAME or len(tail) < FEWEST_FRAMES * FRAME:
        return None
    begins = locate(before, reply, stretch.position)
    if begins is None:
        return None
    due = begins + len(before) + FRAME
    goes_on = locate(tail, reply, due)
    return None if goes_on is None else round((goes_on - due) / FRAME)
