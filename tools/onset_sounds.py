"""Sounds that are not one voice: generated noises, and what a telephone line does to a signal. All at 8 kHz."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["NOISES", "RATE_HZ", "Sound", "at_level", "channel", "companded", "noise", "reverberant"]

RATE_HZ = 8000
FULL_SCALE = 32768.0

Sound = NDArray[np.float64]
Random = np.random.Generator


def at_level(sound: Sound, dbfs: float) -> Sound:
    """Return *sound* with an RMS of *dbfs*."""
    return sound * (FULL_SCALE * 10 ** (dbfs / 20) / max(float(np.sqrt(np.mean(sound**2))), 1e-9))


def _shaped(random: Random, count: int, gain: Callable[[Sound], Sound]) -> Sound:
    """Return white noise whose spectrum is multiplied by *gain* of the frequency in Hz."""
    spectrum = np.fft.rfft(random.normal(size=count))
    return np.asarray(np.fft.irfft(spectrum * gain(np.fft.rfftfreq(count, 1 / RATE_HZ)), count))


def white(random: Random, count: int) -> Sound:
    """Return white noise."""
    return random.normal(size=count)


def pink(random: Random, count: int) -> Sound:
    """Return noise that falls by 3 dB per octave above 60 Hz."""
    return _shaped(random, count, lambda hz: 1 / np.sqrt(np.maximum(hz, 60.0)))


def brown(random: Random, count: int) -> Sound:
    """Return noise that falls by 6 dB per octave above 60 Hz."""
    return _shaped(random, count, lambda hz: 1 / np.maximum(hz, 60.0))


def car(random: Random, count: int) -> Sound:
    """Return a moving car: steep low noise, weak wind, an engine that changes speed, slow swells."""
    corner = random.uniform(80, 250)
    road = _shaped(random, count, lambda hz: 1 / (1 + (hz / corner) ** 2))
    wind = _shaped(random, count, lambda hz: 1 / (1 + (hz / 900.0)))
    time = np.arange(count) / RATE_HZ
    speed = random.uniform(25, 45) * (1 + 0.15 * np.sin(2 * np.pi * random.uniform(0.05, 0.2) * time))
    phase = 2 * np.pi * np.cumsum(speed) / RATE_HZ
    engine = sum(np.sin(k * phase + random.uniform(0, 6)) / k for k in range(1, 9))
    swell = 1 + 0.3 * np.sin(2 * np.pi * random.uniform(0.1, 0.4) * time)
    return swell * (road / road.std() + random.uniform(0.1, 0.4) * wind / wind.std()) + random.uniform(0, 0.7) * engine


def keys(random: Random, count: int) -> Sound:
    """Return somebody typing: short bursts of decaying noise over a faint room."""
    sound = 0.02 * white(random, count)
    for at in np.cumsum(random.exponential(0.22, count // 1000)) * RATE_HZ:
        length = int(random.uniform(20, 160))
        if at + length < count:
            burst = np.exp(-np.arange(length) / random.uniform(5, 35)) * random.normal(size=length)
            sound[int(at) : int(at) + length] += random.uniform(0.3, 1.5) * burst
    return sound


def hum(random: Random, count: int) -> Sound:
    """Return mains hum of 50 or 60 Hz with harmonics, switched on somewhere, over a faint hiss."""
    base = random.choice([50.0, 60.0])
    phase = 2 * np.pi * base * np.arange(count) / RATE_HZ
    sound = sum(np.sin(k * phase) * random.uniform(0, 1) / k**1.5 for k in range(1, 12))
    if random.random() < 0.5:
        sound[: int(random.uniform(0, 0.7) * count)] = 0.0
    return np.asarray(sound + 0.01 * white(random, count))


def music(random: Random, count: int) -> Sound:
    """Return chords of plucked and held notes that change a few times a second."""
    sound = 0.01 * white(random, count)
    at, beat = 0, random.uniform(0.15, 0.6)
    while at < count:
        length = min(int(beat * random.choice([0.5, 1, 2]) * RATE_HZ), count - at)
        time = np.arange(length) / RATE_HZ
        decay = np.exp(-time / random.uniform(0.15, 2.0)) * np.minimum(time / 0.01, 1.0)
        for note in random.integers(0, 36, random.integers(2, 5)):
            hz = 110.0 * 2 ** (note / 12)
            for k in range(1, int(min(3600 / hz, 9))):
                sound[at : at + length] += decay * np.sin(2 * np.pi * k * hz * time + random.uniform(0, 6)) / k**1.3
        at += length
    return sound


def tones(random: Random, count: int) -> Sound:
    """Return the tones of the network: dialling, ringing, busy, keys."""
    sound = 0.003 * white(random, count)
    pairs = [(425, 425), (440, 480), (480, 620), (350, 440), (697, 1209), (770, 1336), (852, 1477), (941, 1633)]
    at = int(random.uniform(0, 0.5) * RATE_HZ)
    while at < count:
        length = min(int(random.choice([0.07, 0.1, 0.25, 0.5, 1.0, 4.0]) * RATE_HZ), count - at)
        time = np.arange(length) / RATE_HZ
        low, high = pairs[random.integers(len(pairs))]
        sound[at : at + length] += np.sin(2 * np.pi * low * time) + np.sin(2 * np.pi * high * time)
        at += length + int(random.uniform(0.05, 1.5) * RATE_HZ)
    return sound


def street(random: Random, count: int) -> Sound:
    """Return coloured noise whose level wanders."""
    knots = count // 4000 + 2
    level = np.interp(np.arange(count), 4000 * np.arange(knots), random.normal(0, 4, knots))
    slope = random.uniform(0.2, 1.0)
    return np.asarray(_shaped(random, count, lambda hz: np.maximum(hz, 60.0) ** -slope) * 10 ** (level / 20))


NOISES: dict[str, Callable[[Random, int], Sound]] = {
    "white": white,
    "pink": pink,
    "brown": brown,
    "car": car,
    "keys": keys,
    "hum": hum,
    "music": music,
    "tones": tones,
    "street": street,
}
"""Generators of noise by name: a random generator and a count of samples to a sound of any level."""


def noise(name: str, random: Random, count: int) -> Sound:
    """Return *count* samples of the noise *name*, with an RMS of 1."""
    sound = NOISES[name](random, count)
    return sound / max(float(sound.std()), 1e-9)


def channel(sound: Sound, *, low_hz: float, high_hz: float, tilt_db: float = 0.0) -> Sound:
    """Return *sound* through a telephone channel: band edges of 24 dB per octave, and *tilt_db* per octave."""
    hz = np.maximum(np.fft.rfftfreq(len(sound), 1 / RATE_HZ), 1.0)
    gain = 1 / np.sqrt(1 + (low_hz / hz) ** 8) / np.sqrt(1 + (hz / high_hz) ** 24)
    gain *= 10 ** (tilt_db * np.log2(np.clip(hz, 100, 4000) / 1000) / 20)
    return np.asarray(np.fft.irfft(np.fft.rfft(sound) * gain, len(sound)))


def reverberant(sound: Sound, random: Random) -> Sound:
    """Return *sound* in a room: its tail dies away by 60 dB in 0.1 to 0.8 s, 4 to 18 dB below the direct sound."""
    length = int(0.5 * RATE_HZ)
    tail = random.normal(size=length) * 10 ** (-3 * np.arange(length) / RATE_HZ / random.uniform(0.1, 0.8))
    tail[:20] = 0.0
    tail *= 10 ** (random.uniform(-18, -4) / 20) / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    size = len(sound) + length
    return np.asarray(np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(tail, size), size)[: len(sound)])


def companded(sound: Sound) -> Sound:
    """Return *sound* after mu-law coding and decoding."""
    x = np.clip(sound / FULL_SCALE, -1, 1)
    code = np.round(127 * np.sign(x) * np.log1p(255 * np.abs(x)) / np.log(256)) / 127
    return np.asarray(FULL_SCALE * np.sign(code) * (256 ** np.abs(code) - 1) / 255)
