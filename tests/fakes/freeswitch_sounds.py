"""What the fake switch can play: files by their ending, and the streams that need no file."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from attrs import define, field

from tomrt.audio import parse_wav, resample
from tomrt.errors import ProtocolError

__all__ = ["FileLane", "Sound", "open_sound"]

MUSIC_HZ = 440


@define
class Sound:
    """Something that is played, once or for ever.

    Args:
        pcm: Mono at the call's rate.
        endless: Whether it begins anew at its end.
    """

    pcm: bytes = field(repr=False)
    endless: bool = False
    at: int = 0

    @property
    def over(self) -> bool:
        """Whether nothing is left."""
        return self.at >= len(self.pcm)

    def take(self, size: int) -> bytes:
        """Return the next *size* bytes, or what is left."""
        piece = self.pcm[self.at : self.at + size]
        self.at += len(piece)
        while self.endless and self.pcm and len(piece) < size:
            self.at = min(len(self.pcm), size - len(piece))
            piece += self.pcm[: self.at]
        return piece


@define
class FileLane:
    """What is heard of the files of one call: the one that began last, then whatever it interrupted."""

    heard: bytearray = field(factory=bytearray, repr=False)
    sounds: list[Sound] = field(factory=list)

    def advance(self, to: int) -> None:
        """Play until sample *to*, silence where nothing plays."""
        size = 2 * to - len(self.heard)
        if size > 0:
            piece = self.sounds[-1].take(size) if self.sounds else b""
            self.heard += piece + bytes(size - len(piece))


def open_sound(name: str, rate_hz: int) -> Sound | None:
    """Return the sound that FreeSWITCH knows as *name*, or nothing where there is no such file."""
    kind, colon, rest = name.partition("://")
    if colon:
        match kind:
            case "local_stream":
                return Sound(_tone(1.0, rate_hz), endless=True)
            case "tone_stream":
                return Sound(_tone(0.4, rate_hz))
            case "silence_stream":
                length_ms = int(rest.split(",")[0])
                return Sound(bytes(2 * rate_hz * abs(length_ms) // 1000 or 2 * rate_hz), endless=length_ms < 0)
            case _:
                return None
    path = Path(name)
    try:
        content = path.read_bytes()
        if path.suffix == ".wav":
            wav = parse_wav(content, name=name)
            return Sound(resample(wav.pcm, wav.rate_hz, rate_hz))
        return Sound(resample(content, int(path.suffix.removeprefix(".r")) * 1000, rate_hz))
    except (OSError, ValueError, ProtocolError):
        return None


def _tone(seconds: float, rate_hz: int) -> bytes:
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    return np.round(3000 * np.sin(2 * math.pi * MUSIC_HZ * time)).astype("<i2").tobytes()
