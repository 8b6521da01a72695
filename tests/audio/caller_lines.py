"""Lines on which a caller speaks, and what the bot's ears make of them."""

from __future__ import annotations

from functools import cache

import numpy as np
from attrs import define
from spoken_sentences import THEIRS, spoken

from tomrt.audio import Ingress, Overhearing, sensitivity, ulaw_decode, ulaw_encode
from tomrt.events import Sound

LEAD_S = 2.0


def samples(pcm: bytes, dbfs: float) -> np.ndarray:
    """Return a sentence with that level where it is loud."""
    sound = np.frombuffer(pcm, "<i2").astype(float)
    return sound * (32768 * 10 ** (dbfs / 20) / np.sqrt(np.mean(sound[np.abs(sound) > 500] ** 2)))


def noise(dbfs: float, seconds: float, seed: int = 3) -> np.ndarray:
    """Return white noise at 8 kHz."""
    return np.random.default_rng(seed).normal(0, 32768 * 10 ** (dbfs / 20), int(8000 * seconds))


def after(sound: np.ndarray, seconds: float, total_s: float) -> np.ndarray:
    """Return *sound* after so much silence, in a line of so many seconds."""
    line = np.zeros(int(8000 * total_s))
    at = int(8000 * seconds)
    sound = sound[: len(line) - at]
    line[at : at + len(sound)] = sound
    return line


def sixteen_bits(sound: np.ndarray) -> bytes:
    """Return *sound* as a mu-law line gives it."""
    return ulaw_decode(ulaw_encode(np.clip(np.round(sound), -32768, 32767).astype("<i2").tobytes()))


@define
class Heard:
    """What a line sounded like, frame by frame."""

    sounds: list[Sound]

    def first_ms(self, onset_s: float) -> float:
        """Return how long after the frame of *onset_s* speech is found, in whole frames."""
        frame = int(onset_s * 50)
        return 20.0 * next(n for n, sound in enumerate(self.sounds[frame:]) if sound.speech)

    @property
    def yields(self) -> int:
        """How often speech begins."""
        speech = [sound.speech for sound in self.sounds]
        return sum(now and not before for before, now in zip([False, *speech], speech, strict=False))


def listen(
    caller: bytes, ours: bytes = b"", *, word: str = "mittel", silero: bool = False, rate_hz: int = 8000
) -> Heard:
    """Return what is heard of *caller* while the bot says *ours*."""
    ingress = Ingress(rate_hz)
    overhearing = Overhearing(ingress, sensitivity=sensitivity(word), silero=silero)
    size = rate_hz // 25
    ours = ours.ljust(len(caller), b"\0")
    sounds = []
    for at in range(0, len(caller) - size + 1, size):
        (report,) = ingress.push(caller[at : at + size])
        overhearing.sent(ours[at : at + size])
        sounds.append(overhearing.frame(report, caller[at : at + size], bot_audible=True))
    return Heard(sounds)


@cache
def caller(dbfs: float = -22.0, floor_dbfs: float = -60.0) -> bytes:
    """Return two seconds of a line, and then a sentence."""
    line = after(samples(spoken(THEIRS), dbfs), LEAD_S, 5.0)
    return sixteen_bits(line + noise(floor_dbfs, 5.0))
