"""Sound that a voice-activity detector takes for speech, without any recording: voiced harmonics in syllables."""

import numpy as np

__all__ = ["BOT_PITCH_HZ", "noise", "silence", "speech"]

PITCH_HZ = 130.0
VOWELS_HZ = ((700, 1200, 2500), (400, 2000, 2600), (300, 900, 2300), (500, 1700, 2500))
"""One after the other: a vowel that is held is a hum."""
SYLLABLE_S = 0.24


BOT_PITCH_HZ = 210.0
"""Another voice: one like the caller's would be the caller's echo."""


def speech(
    seconds: float, rate_hz: int = 8000, *, seed: int = 0, level: float = 0.2, pitch_hz: float = PITCH_HZ
) -> bytes:
    """Return *seconds* of voiced syllables as mono 16-bit PCM."""
    count = round(seconds * rate_hz)
    time = np.arange(count) / rate_hz
    drift = 1.0 + 0.06 * np.sin(2 * np.pi * (0.7 + 0.1 * (seed % 5)) * time)
    phase = 2 * np.pi * np.cumsum(pitch_hz * drift) / rate_hz
    which = (time / SYLLABLE_S * 2).astype(int) % len(VOWELS_HZ)
    wave = np.zeros(count)
    for harmonic in range(2, int(3400 / pitch_hz)):
        hz = harmonic * pitch_hz
        gains = [sum(1.0 / (1.0 + ((hz - formant) / 90.0) ** 2) for formant in vowel) for vowel in VOWELS_HZ]
        wave += np.array(gains)[which] * np.sin(harmonic * phase)
    envelope = 0.35 + 0.65 * np.abs(np.sin(np.pi * time / SYLLABLE_S))
    wave *= envelope
    wave *= level * 32767 / max(1e-9, float(np.sqrt(np.mean(wave**2))))
    return np.clip(wave, -32768, 32767).astype("<i2").tobytes()


def silence(seconds: float, rate_hz: int = 8000) -> bytes:
    """Return *seconds* of what a switch sends before RTP flows: samples of -1."""
    return b"\xff\xff" * round(seconds * rate_hz)


def noise(seconds: float, rate_hz: int = 8000, *, dbfs: float = -50.0, seed: int = 0) -> bytes:
    """Return *seconds* of white noise at *dbfs* RMS."""
    generator = np.random.default_rng(seed)
    samples = generator.normal(0.0, 32767 * 10 ** (dbfs / 20), round(seconds * rate_hz))
    return np.clip(samples, -32768, 32767).astype("<i2").tobytes()
