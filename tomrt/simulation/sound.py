"""Sound without recordings: what voice-activity detectors take for speech, and what they should not.

Made once for each rate and cut into pieces, so that a call costs no arithmetic.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

__all__ = ["cough", "hum", "quiet", "racket", "talk"]

MASTER_S = 12.0
"""Longest piece that there is."""
VOICES = 3
PITCH_HZ = (110.0, 140.0, 170.0)
VOWELS_HZ = ((700, 1200, 2500), (400, 2000, 2600), (300, 900, 2300), (500, 1700, 2500), (600, 1000, 2400))
"""First three formants."""
SYLLABLE_S = (0.12, 0.20)
CLOSURE_S = 0.03
BANDWIDTH_HZ = 90.0

_Floats = npt.NDArray[np.float64]


def talk(seconds: float, rate_hz: int, *, voice: int) -> bytes:
    """Return up to 12 s of speech of one of a few voices, mono 16-bit PCM as all of these."""
    return _talk(rate_hz, voice % VOICES)[: 2 * round(seconds * rate_hz)]


def hum(seconds: float, rate_hz: int) -> bytes:
    """Return a hummed "mhm" of up to 1 s: one low pitch that glides, soft at both ends."""
    whole = np.frombuffer(_hum(rate_hz), "<i2")[: round(seconds * rate_hz)].astype(np.float64)
    return _pcm(whole * np.hanning(len(whole) + 2)[1:-1])


def cough(seconds: float, rate_hz: int) -> bytes:
    """Return a burst of loud noise of up to 1 s that dies away."""
    whole = np.frombuffer(_noise(rate_hz, -16.0), "<i2")[: round(seconds * rate_hz)].astype(np.float64)
    return _pcm(whole * np.exp(-4.0 * np.arange(len(whole)) / max(1, len(whole))))


def racket(seconds: float, rate_hz: int) -> bytes:
    """Return up to 12 s of steady noise, loud enough to hide soft speech."""
    return _noise(rate_hz, -30.0)[: 2 * round(seconds * rate_hz)]


def quiet(seconds: float, rate_hz: int, *, start_s: float) -> bytes:
    """Return up to 12 s of a silent caller's line noise, as it is *start_s* into an endless one."""
    start = round(start_s * rate_hz) % round(MASTER_S * rate_hz)
    return _noise(rate_hz, -60.0)[2 * start : 2 * (start + round(seconds * rate_hz))]


def _pcm(wave: _Floats) -> bytes:
    return np.clip(wave, -32768, 32767).astype("<i2").tobytes()


@cache
def _noise(rate_hz: int, dbfs: float) -> bytes:
    wave = np.random.default_rng(3).normal(0.0, 32767 * 10 ** (dbfs / 20), round(MASTER_S * rate_hz))
    return 2 * _pcm(wave)


@cache
def _hum(rate_hz: int) -> bytes:
    time = np.arange(rate_hz) / rate_hz
    phase = 2 * np.pi * np.cumsum(150.0 - 30.0 * time) / rate_hz
    return _pcm(5_000.0 * (np.sin(phase) + 0.5 * np.sin(2 * phase) + 0.25 * np.sin(3 * phase)))


@cache
def _talk(rate_hz: int, voice: int) -> bytes:
    """Syllables of gliding vowels, with some breath, parted by short closures."""
    chance = np.random.default_rng(voice)
    wave = np.zeros(round(MASTER_S * rate_hz))
    at = 0.0
    while at < MASTER_S:
        length_s = chance.uniform(*SYLLABLE_S)
        start = round(at * rate_hz)
        stop = min(len(wave), round((at + length_s) * rate_hz))
        wave[start:stop] = _syllable(stop - start, rate_hz, PITCH_HZ[voice] * chance.uniform(0.9, 1.2), chance)
        at += length_s + CLOSURE_S
    wave *= (0.12 + 0.03 * voice) * 32767 / np.sqrt(np.mean(wave**2))
    return _pcm(wave)


def _syllable(samples: int, rate_hz: int, pitch_hz: float, chance: np.random.Generator) -> _Floats:
    time = np.arange(samples) / rate_hz
    glide = np.linspace(0.0, 1.0, samples)
    pitch = pitch_hz * (1.0 + (chance.uniform(0.85, 1.05) - 1.0) * glide)
    phase = 2 * np.pi * np.cumsum(pitch * (1.0 + 0.01 * chance.normal(size=samples))) / rate_hz
    first, second = (VOWELS_HZ[index] for index in chance.integers(len(VOWELS_HZ), size=2))
    wave = np.zeros(samples)
    for harmonic in range(1, int(3_600 / pitch_hz)):
        gain: _Floats = np.full(samples, 0.02)
        for one, other, weight in zip(first, second, (1.0, 0.6, 0.3), strict=True):
            gain += weight / (1.0 + ((harmonic * pitch - (one + (other - one) * glide)) / BANDWIDTH_HZ) ** 2)
        wave += gain / np.sqrt(harmonic) * np.sin(harmonic * phase)
    wave += 0.01 * chance.normal(size=samples)
    wave *= np.clip(np.minimum(time / 0.02, (samples / rate_hz - time) / 0.04), 0.0, 1.0)
    return wave
