"""Places frames by their RTP numbers, which wrap around, on a line that does not."""

from __future__ import annotations

__all__ = ["StreamOrder"]

MOST_AHEAD = 3000
MOST_BEHIND = 500
"""Sequence numbers this far from the newest belong to another stream, as in RFC 3550, appendix A.1."""

REMEMBERED = 1024
CLOCK_BREAK_S = 3.0
"""A timestamp that disagrees with the time of arrival by so much belongs to another stream."""


class StreamOrder:
    """Unwraps sequence numbers and timestamps of one stream, and knows which frames have come.

    Args:
        rate_hz: Ticks per second of the timestamps.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._seen = [-1] * REMEMBERED
        self.empty = True
        self.number = 0
        """The newest frame's."""
        self.stamp = 0
        """The newest frame's."""
        self.at = 0.0
        """When the newest frame came."""

    def place(self, sequence: int, timestamp: int, now: float) -> tuple[int, int] | None:
        """Return a frame's number and timestamp without wrap-around, ``None`` where it is of another stream.

        Args:
            sequence: 16 bits.
            timestamp: 32 bits.
            now: When it came.
        """
        if self.empty:
            return sequence, timestamp
        ahead = ((sequence - self.number + 0x8000) & 0xFFFF) - 0x8000
        later = ((timestamp - self.stamp + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        same_way = ahead * later > 0 or ahead == later == 0
        disagreement = later / self._rate_hz - (now - self.at)
        if same_way and -MOST_BEHIND <= ahead <= MOST_AHEAD and abs(disagreement) <= CLOCK_BREAK_S:
            return self.number + ahead, self.stamp + later
        return None

    def note(self, number: int, stamp: int, now: float) -> bool:
        """Take note of a frame that came; return whether it is the first with its number."""
        if self._seen[number % REMEMBERED] == number:
            return False
        self._seen[number % REMEMBERED] = number
        if self.empty or number > self.number:
            self.empty, self.number, self.stamp, self.at = False, number, stamp, now
        return True
