"""How soon and how surely a voice detector hears speech: labelled calls, onset latency, false triggers, ROC area.

A trial is a row of utterances with pauses, through a telephone channel, with one noise; labels come from the clean
signal. A detector is any function from 16-bit PCM at 8 kHz to a score per 10 ms of it: what it knew at the end of that
time. Triggers are judged on scores over a threshold, or on decisions.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from attrs import frozen

from tools.onset_sounds import RATE_HZ, Sound, at_level, channel, companded, noise
from tools.onset_voices import babble, labels

__all__ = ["Figures", "Labelled", "area_under_roc", "figures", "mixture", "noise_only"]

HOP = RATE_HZ // 100
PAUSE_HOPS = 20
"""An onset has at least so much silence before it; shorter pauses belong to the speech around them."""

LATEST_HOPS = 100
"""An onset that is not noticed within this time, or before its speech ends, is missed."""

MARGIN_HOPS = 10

Detector = Callable[[bytes], np.ndarray]


@frozen
class Labelled:
    """A signal, 16-bit PCM at 8 kHz, and whether each 10 ms of it is speech."""

    pcm: bytes
    speech: np.ndarray

    @property
    def minutes(self) -> float:
        """Its length."""
        return len(self.speech) / 6000

    @property
    def joined(self) -> np.ndarray:
        """The labels without what is shorter than 30 ms, and with short pauses filled."""
        two = self.speech & np.append(self.speech[1:], False)
        three = two & np.append(two[1:], False)
        filled = three | np.append(False, three[:-1]) | np.append([False, False], three[:-2])
        last = -PAUSE_HOPS
        for hop in np.flatnonzero(filled):
            if hop - last <= PAUSE_HOPS:
                filled[last:hop] = True
            last = hop
        return filled


@frozen(kw_only=True)
class Figures:
    """What a detector does on one trial.

    Args:
        p50_ms: Median time from the labelled onset to the end of the hop that triggers.
        p95_ms: The same for the slowest twentieth; missed onsets count as 1000 ms.
        missed: Onsets never noticed.
        onsets: Onsets that could be noticed.
        held: Further onsets, before which it had been on for 100 ms already, so that they tell nothing.
        false_share: How much of the time further than 200 ms from speech it is on, 0 to 1.
        false_per_minute: Triggers in the pauses, per minute of pause.
    """

    p50_ms: float
    p95_ms: float
    missed: int
    onsets: int
    held: int
    false_share: float
    false_per_minute: float


def _pcm(sound: Sound) -> bytes:
    return np.clip(np.round(sound), -32768, 32767).astype("<i2").tobytes()


def mixture(
    spoken: list[Sound], name: str, snr_db: float, random: np.random.Generator, *, dbfs: float = -22.0
) -> Labelled:
    """Return utterances with pauses of 0.4 to 1.2 s over noise; *name* may be ``"clean"``, or ``"babble"``.

    The speech has *dbfs* where it is active; the noise is *snr_db* below that, from 1.5 s before the first utterance.
    """
    pieces, speech = [np.zeros(150 * HOP)], [np.zeros(150, bool)]
    for utterance in spoken:
        voice = channel(utterance[: len(utterance) // HOP * HOP], low_hz=300.0, high_hz=3400.0)
        active = labels(voice)
        loud = float(np.sqrt(np.mean(voice.reshape(-1, HOP)[active] ** 2)))
        pause = int(random.integers(40, 120))
        pieces += [voice * (32768 * 10 ** (dbfs / 20) / loud), np.zeros(pause * HOP)]
        speech += [active, np.zeros(pause, bool)]
    sound, truth = np.concatenate(pieces), np.concatenate(speech)
    if name != "clean":
        made = babble(spoken, 8, len(sound), random) if name == "babble" else noise(name, random, len(sound))
        sound += at_level(channel(made, low_hz=300.0, high_hz=3400.0), dbfs - snr_db)
    return Labelled(_pcm(companded(sound)), truth)


def noise_only(name: str, seconds: float, random: np.random.Generator, *, dbfs: float = -32.0) -> Labelled:
    """Return so much of a noise in which nobody speaks."""
    sound = noise(name, random, int(seconds * RATE_HZ))
    pcm = _pcm(companded(at_level(channel(sound, low_hz=300.0, high_hz=3400.0), dbfs)))
    return Labelled(pcm, np.zeros(len(pcm) // (2 * HOP), bool))


def figures(trial: Labelled, heard: np.ndarray) -> Figures:
    """Return how soon and how falsely *heard*, a decision per hop, follows the labels."""
    truth, count = trial.joined, min(len(trial.speech), len(heard))
    truth, heard = truth[:count], np.asarray(heard[:count], bool)
    edges = np.diff(truth.astype(int), prepend=0, append=0)
    starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    waits = []
    for start, stop in zip(starts, stops, strict=True):
        if heard[max(start - MARGIN_HOPS, 0) : start + 1].all():
            continue  # it never let go of what was before: no answer to this onset at all
        hits = np.flatnonzero(heard[start : min(stop + 10, start + LATEST_HOPS)])
        waits.append(10.0 * (hits[0] + 1) if len(hits) else 1000.0)
    # A trigger within 100 ms of speech belongs to it: to its faint beginning or end, which the labels leave out.
    rises = np.flatnonzero(np.diff(heard.astype(int), prepend=0) == 1)
    false = sum(not truth[max(rise - MARGIN_HOPS, 0) : rise + MARGIN_HOPS + 1].any() for rise in rises)
    quiet = float((~truth).sum()) / 6000
    apart = ~np.convolve(truth, np.ones(2 * PAUSE_HOPS + 1), "same").astype(bool)
    return Figures(
        p50_ms=float(np.percentile(waits, 50)) if waits else 0.0,
        p95_ms=float(np.percentile(waits, 95)) if waits else 0.0,
        missed=sum(wait >= 1000 for wait in waits),
        onsets=len(waits),
        held=len(starts) - len(waits),
        false_share=float(heard[apart].mean()) if apart.any() else 0.0,
        false_per_minute=false / quiet if quiet else 0.0,
    )


def area_under_roc(trial: Labelled, scores: np.ndarray) -> float:
    """Return how likely a hop with speech scores higher than one without; ties count half."""
    count = min(len(scores), len(trial.speech))
    scores, truth = np.asarray(scores[:count]), trial.speech[:count]
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    positive = int(truth.sum())
    negative = len(truth) - positive
    return float((ranks[places][truth].sum() - positive * (positive + 1) / 2) / (positive * negative))
