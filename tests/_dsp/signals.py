"""Signals that the kernels' tests are fed with."""

from __future__ import annotations

import wave
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

SHARED = Path(__file__).parents[2].parent / "shared"


def pcm(samples):
    """Return float samples as 16-bit PCM."""
    return np.clip(np.round(samples), -32768, 32767).astype("<i2").tobytes()


def samples(data):
    """Return 16-bit PCM as an array of floats."""
    return np.frombuffer(data, "<i2").astype(float)


def sine(hz, rate_hz, seconds, peak=16000.0):
    """Return a sine that begins at phase 0."""
    return peak * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate_hz)) / rate_hz)


def white(dbfs, rate_hz, seconds, seed):
    """Return white Gaussian noise of an RMS level."""
    return np.random.default_rng(seed).normal(0, 32768 * 10 ** (dbfs / 20), int(seconds * rate_hz))


def vowel(rate_hz, seconds, dbfs=-22.0, pitch_hz=120.0):
    """Return something like a sustained vowel: harmonics under three formants, with a little vibrato."""
    time = np.arange(int(seconds * rate_hz)) / rate_hz
    phase = 2 * np.pi * (pitch_hz * time + 0.6 * np.sin(2 * np.pi * 5 * time))
    voice = np.zeros(len(time))
    for harmonic in range(1, int(3600 / pitch_hz)):
        hz = harmonic * pitch_hz
        weight = sum(1 / (1 + ((hz - formant) / 90) ** 2) for formant in (650, 1100, 2500)) + 0.01
        voice += weight * np.sin(harmonic * phase)
    return voice * 32768 * 10 ** (dbfs / 20) / np.sqrt(np.mean(voice**2))


def recorded_speech(rate_hz):
    """Return a recording of real speech, or skip."""
    path = SHARED / "speech" / f"jfk_{rate_hz // 1000}k.wav"
    if not path.exists():
        pytest.skip(f"needs the recording {path.name} in the folder shared/speech beside the checkout")
    with wave.open(str(path)) as file:
        return samples(file.readframes(file.getnframes()))


def pieces(data, cuts):
    """Cut PCM at sample positions, each taken modulo the length."""
    count = len(data) // 2
    edges = [0, *sorted(cut % (count + 1) for cut in cuts), count]
    return [data[2 * start : 2 * stop] for start, stop in pairwise(edges)]


pcm_strategy = st.lists(st.integers(-32768, 32767), max_size=700).map(lambda values: pcm(np.array(values)))
cuts_strategy = st.lists(st.integers(0, 1_000_000), max_size=12)
