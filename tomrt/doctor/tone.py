"""A tone that is sent, and found again in what comes back."""

from __future__ import annotations

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

__all__ = ["TONE_HZ", "TONE_MS", "Found", "find", "tone"]

TONE_HZ, TONE_MS = 440, 200
AMPLITUDE = 8_000
"""About -12 dBFS: loud enough for every line, and far from clipping."""
EDGE_MS = 10
LEAST_LIKENESS = 0.6
"""Normalised correlation from which on it is our tone: G.711 there and back leaves 0.999."""

_Samples = NDArray[np.float64]


@frozen
class Found:
    """Where the tone begins, in samples, and how like it what was heard there is, from 0 to 1."""

    at: int
    likeness: float


def tone(rate_hz: int) -> bytes:
    """Return 200 ms of 440 Hz as mono 16-bit PCM, with soft edges so that it has one beginning only."""
    return np.asarray(np.round(_wave(rate_hz) * AMPLITUDE), dtype="<i2").tobytes()


def find(heard: bytes, rate_hz: int) -> Found | None:
    """Return where in *heard*, mono 16-bit PCM, the tone is; ``None`` when it is not there.

    The greatest normalised cross-correlation decides, over every position at which the whole tone fits.
    """
    samples = np.frombuffer(heard, dtype="<i2").astype(np.float64)
    wave = _wave(rate_hz)
    if len(samples) < len(wave):
        return None
    matched = np.correlate(samples, wave, mode="valid")
    sums = np.concatenate(([0.0], np.cumsum(samples**2)))
    energy = sums[len(wave) :] - sums[: -len(wave)]
    # Below a tenth of the tone's own loudness there is nothing that could be it.
    floor = (AMPLITUDE / 10) ** 2 * float(np.sum(wave**2))
    likeness = matched / np.sqrt(np.maximum(energy, floor) * np.sum(wave**2))
    at = int(np.argmax(likeness))
    return Found(at, float(likeness[at])) if likeness[at] >= LEAST_LIKENESS else None


def _wave(rate_hz: int) -> _Samples:
    count, edge = rate_hz * TONE_MS // 1000, rate_hz * EDGE_MS // 1000
    wave: _Samples = np.sin(2 * np.pi * TONE_HZ * np.arange(count) / rate_hz)
    ramp = (1 - np.cos(np.pi * np.arange(edge) / edge)) / 2
    wave[:edge] *= ramp
    wave[-edge:] *= ramp[::-1]
    return wave
