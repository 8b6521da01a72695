"""Frames that carry neither number nor time, heard as they come, on a line whose time is the clock's."""

from __future__ import annotations

from math import inf

from tomrt.audio.concealment import Concealer
from tomrt.audio.framing import FRAME_MS

__all__ = ["Timeline"]

FRAME_S = FRAME_MS / 1000
BEHIND_S = 0.060
"""A frame may be so late: what lies between two frames of a telephone network is rarely more."""
AHEAD_S = 0.040
"""What came late may come in a burst; beyond this its place was taken by what had to be made up."""
MOST_MADE_UP = 25
"""Frames made up in a row; after half a second it is a pause of the sender, and time goes on with the next frame."""


class Timeline:
    """Gives every frame on at once, and keeps the line's time within 60 ms of the clock's.

    A listener needs no jitter buffer: it does not play, and sound that comes unevenly is understood as well. It needs
    the line's time to be right, though, so what is missing for longer is made up, and what comes in excess is dropped.
    Nothing is held back, so nothing is delayed.

    Args:
        rate_hz: Samples per second, 8000 or 16000.

    Attributes:
        received: Frames that came.
        made_up: Frames that had to be made up.
        dropped: Frames that came when their place had been taken.
    """

    def __init__(self, rate_hz: int) -> None:
        self._concealer = Concealer(rate_hz)
        self._end = inf  # the clock's time at which what was given on so far has been heard
        self._in_a_row = 0
        self.received = 0
        self.made_up = 0
        self.dropped = 0

    @property
    def due(self) -> float:
        """Clock time at which :meth:`wait` has something to make up; infinity before the first frame and in pauses."""
        return self._end + BEHIND_S if self._in_a_row < MOST_MADE_UP else inf

    def push(self, frame: bytes, now: float) -> list[bytes]:
        """Return what is heard now that *frame* (20 ms of 16-bit PCM) came: what was missing before it, and itself.

        Args:
            frame: The samples.
            now: When it came; never goes back.
        """
        self.received += 1
        heard = self.wait(now)
        if self._end == inf or self._in_a_row >= MOST_MADE_UP:
            self._end = now
        self._in_a_row = 0
        if self._end > now + AHEAD_S:
            self.dropped += 1
            return heard
        self._end += FRAME_S
        return [*heard, self._concealer.good(frame)]

    def wait(self, now: float) -> list[bytes]:
        """Return what is heard although nothing came."""
        heard = []
        while self.due <= now:
            self._in_a_row += 1
            self.made_up += 1
            self._end += FRAME_S
            heard.append(self._concealer.lost())
        return heard
