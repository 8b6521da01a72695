"""Debian's libspeexdsp1 through ctypes: the resampler that telephone software uses most."""

from __future__ import annotations

import ctypes
import ctypes.util

__all__ = ["SpeexResampler", "available"]

_ROOM = 8192


def available() -> bool:
    """Return whether the library is installed."""
    return _library() is not None


def _library() -> ctypes.CDLL | None:
    name = ctypes.util.find_library("speexdsp")
    if name is None:
        return None
    library = ctypes.CDLL(name)
    library.speex_resampler_init.restype = ctypes.c_void_p
    library.speex_resampler_init.argtypes = [ctypes.c_uint32] * 3 + [ctypes.c_int, ctypes.c_void_p]
    library.speex_resampler_destroy.argtypes = [ctypes.c_void_p]
    library.speex_resampler_process_int.argtypes = [
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_char_p,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_void_p,
    ]
    return library


class SpeexResampler:
    """A stream of 16-bit samples at another rate.

    Args:
        rate_in: Samples per second that come in.
        rate_out: Samples per second that go out.
        quality: 0 to 10.
    """

    def __init__(self, rate_in: int, rate_out: int, quality: int) -> None:
        library = _library()
        if library is None:
            raise ImportError("needs Debian's libspeexdsp1")
        self._destroy = library.speex_resampler_destroy
        self._process = library.speex_resampler_process_int
        self._state = library.speex_resampler_init(1, rate_in, rate_out, quality, None)
        self._taken, self._made = ctypes.c_uint32(), ctypes.c_uint32()
        self._taken_at, self._made_at = ctypes.byref(self._taken), ctypes.byref(self._made)
        self._samples = ctypes.create_string_buffer(_ROOM)

    def __del__(self) -> None:
        if getattr(self, "_state", None):
            self._destroy(self._state)

    def run(self, pcm: bytes) -> None:
        """Resample into the object's own room: the least that a call through ctypes can do, for timing."""
        self._taken.value = len(pcm) // 2
        self._made.value = _ROOM // 2
        self._process(self._state, 0, pcm, self._taken_at, self._samples, self._made_at)

    def process(self, pcm: bytes) -> bytes:
        """Take the next samples and return those that are complete."""
        self.run(pcm)
        return self._samples.raw[: 2 * self._made.value]
