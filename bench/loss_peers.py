"""Ways to play a stream with lost frames: ours, simple ones, G.711 Appendix I, and Debian's libspandsp2."""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bench.g711_appendix1 import AppendixOne
from bench.loss_corpus import FRAME, Signal
from tomrt.audio.concealment import Concealer

__all__ = ["Spandsp", "Way", "ways"]

Lost = NDArray[np.bool_]
Way = Callable[[Signal, Lost], Signal]


def _ours(signal: Signal, lost: Lost) -> Signal:
    concealer = Concealer(8000)
    frames = signal.astype("<i2").reshape(-1, FRAME)
    played = [
        concealer.lost() if gone else concealer.good(frame.tobytes()) for frame, gone in zip(frames, lost, strict=True)
    ]
    return np.frombuffer(b"".join(played), "<i2").astype(np.float64)


def _repeat_with_fade(signal: Signal, lost: Lost) -> Signal:
    frames = signal.reshape(-1, FRAME).copy()
    for index in np.flatnonzero(lost):
        frames[index] = 0.7 * frames[index - 1]
    return frames.ravel()


def _zero(signal: Signal, lost: Lost) -> Signal:
    return (signal.reshape(-1, FRAME) * ~lost[:, None]).ravel()


def _appendix_one(signal: Signal, lost: Lost) -> Signal:
    concealer = AppendixOne()
    played = [
        concealer.lost() if lost[index // 2] else concealer.good(half)
        for index, half in enumerate(signal.reshape(-1, FRAME // 2))
    ]
    return np.concatenate(played)


class Spandsp:
    """spandsp's ``plc`` through ctypes; works on a frame in place.

    Raises:
        ImportError: Debian's libspandsp2 is not installed.
    """

    def __init__(self) -> None:
        name = ctypes.util.find_library("spandsp")
        if name is None:
            raise ImportError("needs Debian's libspandsp2")
        library = ctypes.CDLL(name)
        library.plc_init.restype = ctypes.c_void_p
        library.plc_init.argtypes = [ctypes.c_void_p]
        library.plc_rx.argtypes = library.plc_fillin.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]
        library.plc_free.argtypes = [ctypes.c_void_p]
        self._free = library.plc_free
        self.good, self.lost = library.plc_rx, library.plc_fillin
        self.state = library.plc_init(None)

    def __del__(self) -> None:
        if getattr(self, "state", None):
            self._free(self.state)


def _spandsp(signal: Signal, lost: Lost) -> Signal:
    plc, frames = Spandsp(), signal.astype("<i2").reshape(-1, FRAME).copy()
    for frame, gone in zip(frames, lost, strict=True):
        (plc.lost if gone else plc.good)(plc.state, frame.ctypes.data, FRAME)
    return frames.ravel().astype(np.float64)


def ways() -> dict[str, Way]:
    """Return what is there to compare, by name; ours is ``"tomrt"``."""
    found: dict[str, Way] = {
        "tomrt": _ours,
        "repeat with fade .7": _repeat_with_fade,
        "silence": _zero,
        "G.711 App. I": _appendix_one,
    }
    if ctypes.util.find_library("spandsp"):
        found["spandsp"] = _spandsp
    return found
