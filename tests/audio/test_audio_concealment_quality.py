"""How near to the truth concealed speech is, beside the simple ways, on synthetic and on recorded speech."""

from __future__ import annotations

import importlib
import wave
from pathlib import Path

import numpy as np
import pytest
from spoken_sentences import OURS, THEIRS, spoken

from tomrt.audio.concealment import Concealer

RECORDING = Path(__file__).parents[2].parent / "shared" / "speech" / "jfk_8k.wav"


def recording():
    """Return a recording of real speech, or skip."""
    if not RECORDING.exists():
        pytest.skip(f"needs the recording {RECORDING.name} in the folder shared/speech beside the checkout")
    with wave.open(str(RECORDING)) as file:
        return file.readframes(file.getnframes())


SPEECH = {"synthetic": lambda: spoken(OURS) + spoken(THEIRS, "en-us+f3"), "recorded": recording}
CASES = [
    pytest.param(make, share, burst, id=f"{name}, {share:.0%}, bursts of {burst}")
    for name, make in SPEECH.items()
    for share, burst in [(0.05, 1.0), (0.10, 1.0), (0.05, 2.5)]
]


def frames_of(pcm):
    """Return whole frames of 20 ms at 8 kHz as floats."""
    signal = np.frombuffer(pcm, "<i2").astype(float)
    return signal[: len(signal) // 160 * 160].reshape(-1, 160)


def losses(count, share, mean_burst, seed):
    """Return which of *count* frames are lost; the first five are not."""
    rng, lost, bad = np.random.default_rng(seed), np.zeros(count, dtype=bool), False
    into_burst = share / mean_burst / (1 - share)
    for index in range(5, count):
        bad = rng.random() >= 1 / mean_burst if bad else rng.random() < into_burst
        lost[index] = bad
    return lost


def concealed(frames, lost):
    """Return the frames as the concealer plays them."""
    concealer = Concealer(8000)
    played = [
        concealer.lost() if gone else concealer.good(frame.astype("<i2").tobytes())
        for frame, gone in zip(frames, lost, strict=True)
    ]
    return frames_of(b"".join(played))


def repeated(frames, lost, fade):
    """Return the frames with each lost one replaced by the one before, faded; 0 for silence."""
    out = frames.copy()
    for index in np.flatnonzero(lost):
        out[index] = fade * out[index - 1]
    return out


def log_spectral_distance(clean, played, lost):
    """Return the mean distance in dB of the log spectra (250 to 3500 Hz) of 20 ms around the losses' seams."""
    seams = lost[:-1] | lost[1:]
    spectra = [
        np.abs(np.fft.rfft(frames.ravel()[80:-80].reshape(-1, 160) * np.hanning(160), axis=1))[:, 5:70] ** 2 + 1e4
        for frames in (clean, played)
    ]
    decibels = 10 * np.log10(spectra[0] / spectra[1])[seams]
    return float(np.mean(np.sqrt(np.mean(decibels**2, axis=1))))


def segmental_snr(clean, played, lost):
    """Return the mean SNR in dB of the lost frames, each between -10 and 35 dB."""
    error = (clean - played)[lost]
    ratio = (np.sum(clean[lost] ** 2, axis=1) + 1e4) / (np.sum(error**2, axis=1) + 1e4)
    return float(np.mean(np.clip(10 * np.log10(ratio), -10, 35)))


@pytest.mark.parametrize(("make", "share", "burst"), CASES)
def test_nearer_than_simple_ways(make, share, burst):
    """It is nearer to the truth than repeated and faded frames, with better seams (in bursts, than silence's)."""
    clean = frames_of(make())
    distance, snr = np.zeros(3), np.zeros(3)
    for seed in range(6):
        lost = losses(len(clean), share, burst, seed)
        ways = (concealed(clean, lost), repeated(clean, lost, 0.7), repeated(clean, lost, 0.0))
        distance += [log_spectral_distance(clean, way, lost) for way in ways]
        snr += [segmental_snr(clean, way, lost) for way in ways]
    assert snr[0] > snr[1] + 6
    assert distance[0] < (distance[1] if burst == 1.0 else distance[2])


@pytest.mark.parametrize(("make", "share", "burst"), CASES)
def test_pesq(make, share, burst):
    """PESQ (ITU-T P.862), where installed, puts it above repeated frames; in bursts not below, within PESQ's noise."""
    try:
        pesq = importlib.import_module("pesq").pesq
    except ImportError:
        pytest.skip("needs the package pesq")
    clean = frames_of(make())
    scores, seeds = np.zeros(3), 3
    for seed in range(seeds):
        lost = losses(len(clean), share, burst, seed)
        ways = (concealed(clean, lost), repeated(clean, lost, 0.7), repeated(clean, lost, 0.0))
        scores += [pesq(8000, *(np.round(way).astype(np.int16).ravel() for way in (clean, way)), "nb") for way in ways]
    noise = 0.05 * seeds if burst > 1 else 0.0
    assert scores[0] > scores[1] - noise
    assert scores[0] > scores[2]
