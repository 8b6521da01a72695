"""Cuts a byte stream into frames of equal length."""

from __future__ import annotations

from tomrt.errors import MisuseError

__all__ = ["FRAME_MS", "Framer", "frame_bytes"]

FRAME_MS = 20


def frame_bytes(rate_hz: int) -> int:
    """Return the length of a 20 ms frame of 16-bit mono PCM in bytes.

    Raises:
        MisuseError: 20 ms are not a whole number of samples at *rate_hz*.
    """
    if rate_hz <= 0 or rate_hz % 50:
        raise MisuseError(
            f"A frame of {FRAME_MS} ms is a whole number of samples at multiples of 50 Hz, not at {rate_hz} Hz."
        )
    return rate_hz // 50 * 2


class Framer:
    """Bytes in any pieces become frames of one length; never holds a whole frame.

    Args:
        frame_bytes: Length of a frame, at least 1.

    Raises:
        MisuseError: *frame_bytes* is less than 1.
    """

    def __init__(self, frame_bytes: int) -> None:
        if frame_bytes < 1:
            raise MisuseError(f"A frame has at least one byte, not {frame_bytes}.")
        self.frame_bytes = frame_bytes
        self._held = b""

    def push(self, data: bytes) -> list[bytes]:
        """Take the next bytes and return the frames they complete."""
        stream = self._held + data
        whole = len(stream) - len(stream) % self.frame_bytes
        self._held = stream[whole:]
        return [stream[start : start + self.frame_bytes] for start in range(0, whole, self.frame_bytes)]

    def rest(self) -> bytes:
        """Take out the unfinished frame, shorter than ``frame_bytes`` and often empty."""
        held, self._held = self._held, b""
        return held
