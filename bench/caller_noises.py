"""Sounds of a caller that are not speech: noise of any length, and what is over in a moment. All at 8 kHz."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bench.caller_sounds import RATE_HZ, Said, Sound, line_band

__all__ = ["KNOCKS", "STEADY", "hum", "knock", "steady"]

Random = np.random.Generator


def _spectrum(random: Random, count: int, gain: Callable[[Sound], Sound]) -> Sound:
    """Return noise of a shape: *gain* of the frequency in Hz."""
    spectrum = np.fft.rfft(random.normal(size=count))
    return np.asarray(np.fft.irfft(spectrum * gain(np.asarray(np.fft.rfftfreq(count, 1 / RATE_HZ), float)), count))


def _white(random: Random, count: int) -> Sound:
    return random.normal(size=count)


def _car(random: Random, count: int) -> Sound:
    """Return road, wind and motor: noise that falls by 12 dB per octave, a weak hiss, and a low hum that pulls."""
    time = np.arange(count) / RATE_HZ
    corner = random.uniform(90, 200)
    road = _spectrum(random, count, lambda hz: 1 / (1 + (hz / corner) ** 2))
    wind = _spectrum(random, count, lambda hz: 1 / (1 + hz / 800.0))
    motor_hz = random.uniform(28, 42) * (1.0 + 0.1 * np.sin(2 * np.pi * time / random.uniform(5.0, 11.0)))
    phase = 2 * np.pi * np.cumsum(motor_hz) / RATE_HZ
    motor = np.asarray(sum(np.sin(k * phase + random.uniform(0, 6.3)) / k**1.5 for k in range(1, 7)))
    swell = 1 + 0.25 * np.sin(2 * np.pi * random.uniform(0.1, 0.4) * time)
    wind_db = random.uniform(-22, -12)
    return np.asarray(swell * (road / road.std() + 10 ** (wind_db / 20) * wind / wind.std()) + 0.3 * motor)


def _music(random: Random, count: int) -> Sound:
    """Return something like music: a bass, chords with vibrato, and a drum on the beat."""
    time = np.arange(count) / RATE_HZ
    beat = 60 / random.uniform(85, 135)
    bar = np.floor(time / (4 * beat)).astype(int)
    roots = 110.0 * 2 ** (random.choice([0, 3, 5, 7, 8, 10], size=bar[-1] + 1) / 12)
    total = np.zeros(count)
    since = time % beat
    for ratio, loud in ((0.5, 1.0), (1, 0.7), (1.26, 0.6), (1.5, 0.6), (2, 0.5), (3, 0.25), (5, 0.15)):
        hz = roots[bar] * ratio * (1 + 0.004 * np.sin(2 * np.pi * 5.5 * time))
        tone = np.sin(2 * np.pi * np.cumsum(hz) / RATE_HZ)
        total += loud * (tone + 0.4 * tone**3) * np.exp(-since / random.uniform(0.3, 1.2))
    return total + 0.8 * random.normal(size=count) * np.exp(-since / 0.03)


STEADY: dict[str, Callable[[Random, int], Sound]] = {"white": _white, "car": _car, "music": _music}


def steady(name: str, random: Random, count: int) -> Sound:
    """Return *count* samples of the noise *name* in the telephone's band, with an RMS of 1."""
    sound = line_band(STEADY[name](random, count))
    return sound / max(float(sound.std()), 1e-9)


# --- over in a moment ------------------------------------------------------------------------------------------------


def _decay(count: int, ms: float) -> Sound:
    return np.asarray(np.exp(-np.arange(count) / (ms * RATE_HZ / 1000)))


def _peak(hz: float, width_hz: float) -> Callable[[Sound], Sound]:
    return lambda at: 1 / (1 + ((at - hz) / width_hz) ** 2)


def _cough(random: Random) -> Sound:
    """Return a cough, or two: a burst, breath behind it, and often a hoarse voiced end."""
    coughs = []
    for _ in range(random.integers(1, 3)):
        count = int(random.uniform(0.18, 0.38) * RATE_HZ)
        corner = random.uniform(700, 1600)
        breath = _spectrum(random, count, _peak(corner, 700.0))
        loud = 0.15 * _decay(count, 130) + _decay(count, random.uniform(18, 45))
        sound = breath / breath.std() * loud
        if random.random() < 0.6:
            time = np.arange(count) / RATE_HZ
            voice = np.sign(np.sin(2 * np.pi * random.uniform(120, 260) * time * (1 - 0.2 * time)))
            sound += 0.15 * voice * np.clip(time / 0.08, 0, 1) * _decay(count, 90)
        coughs += [sound, np.zeros(int(random.uniform(0.04, 0.15) * RATE_HZ))]
    return np.concatenate(coughs[:-1])


def _click(random: Random) -> Sound:
    """Return a key, a pen, a contact: one to three clicks of a few milliseconds."""
    sound = np.zeros(int(random.uniform(0.05, 0.3) * RATE_HZ))
    for at in random.integers(0, len(sound) - 40, random.integers(1, 4)):
        sound[at : at + 40] += random.normal(size=40) * _decay(40, random.uniform(0.4, 2.0))
    return sound


def _slam(random: Random) -> Sound:
    """Return a door: a thump with a room behind it."""
    count = int(random.uniform(0.25, 0.5) * RATE_HZ)
    thump = _spectrum(random, count, _peak(0.0, random.uniform(250, 450)))
    crack = random.normal(size=count) * _decay(count, 6)
    return np.asarray(thump / thump.std() * _decay(count, random.uniform(50, 110)) + 0.5 * crack)


KNOCKS: dict[str, Callable[[Random], Sound]] = {"cough": _cough, "click": _click, "door slam": _slam}


def knock(name: str, random: Random) -> Said:
    """Return one *name* of :data:`KNOCKS`, in the telephone's band."""
    return Said(what=name, by="synthesised", sound=line_band(KNOCKS[name](random)))


def hum(parts: tuple[float, ...], random: Random) -> Said:
    """Return an "mm" (one part) or "mhm" (two): nasal tones of so many milliseconds, with a glide each."""
    base = random.uniform(95, 230)
    sounds = []
    for number, ms in enumerate(parts):
        count = int(ms * random.uniform(0.85, 1.15) * RATE_HZ / 1000)
        rise = np.linspace(1.0, random.uniform(0.9, 1.25), count) * (1.12 if number else 1.0)
        phase = 2 * np.pi * np.cumsum(base * rise) / RATE_HZ
        tone = sum(np.sin(k * phase) / k ** random.uniform(1.2, 1.6) for k in range(1, int(3400 / base)))
        ramp = np.minimum(1.0, np.minimum(np.arange(count), np.arange(count)[::-1]) / (0.02 * RATE_HZ))
        sounds += [np.asarray(tone) * ramp + 0.01 * random.normal(size=count)]
        sounds += [0.03 * random.normal(size=int(0.05 * RATE_HZ))]  # the "h" between
    what = "mhm" if len(parts) > 1 else "mm"
    return Said(what=what, by="hummed", sound=line_band(np.concatenate(sounds[:-1])))
