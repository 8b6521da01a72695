"""What the line plays at any moment, for the comparison with what the caller sends back."""

from __future__ import annotations

from collections import deque

from attrs import define, field

__all__ = ["Said"]

FRAME_S = 0.020
LATE_S = 0.080
"""Audio that should have played longer ago than this is let go: the comparison tolerates no more."""
ECHO_S = 0.4
"""After our last sound, its echo may still come back for so long."""


@define
class Said:
    """Our audio on its way to the caller's ear.

    Args:
        rate_hz: Rate of the line.
    """

    rate_hz: int
    _chunks: deque[tuple[float, bytes]] = field(factory=deque, init=False)
    _last_sound: float = field(default=float("-inf"), init=False)

    def sent(self, pcm: bytes, plays_at: float) -> None:
        """Note *pcm*, which the line plays from clock time *plays_at* on."""
        self._chunks.append((plays_at, pcm))

    def flushed(self) -> None:
        """What was not played yet never will be."""
        self._chunks.clear()

    def frame(self, now: float) -> bytes:
        """Return the 20 ms that play now; silence where nothing does."""
        size = round(self.rate_hz * FRAME_S) * 2
        while self._chunks and self._chunks[0][0] <= now:
            plays_at, pcm = self._chunks.popleft()
            if len(pcm) > size:
                self._chunks.appendleft((plays_at + FRAME_S, pcm[size:]))
            if plays_at >= now - LATE_S:
                self._last_sound = now
                return pcm[:size].ljust(size, b"\0")
        return bytes(size)

    def may_echo(self, now: float) -> bool:
        """Whether what is heard now may be our own voice coming back."""
        return now - self._last_sound <= ECHO_S
