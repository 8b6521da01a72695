"""Counts the WebSocket frames in a byte stream without decoding them.

A limit on messages does not bound what a peer can make the loop do: empty fragments, pings and pongs are frames that
never become a message. So frames of every kind are counted below the library, in a token bucket.
"""

from __future__ import annotations

__all__ = ["FrameMeter"]


class FrameMeter:
    """A token bucket over the frames of one peer (RFC 6455 §5.2 framing, read only as far as the lengths).

    Args:
        frames_per_s: Frames allowed per second in the long run.
        burst: Frames allowed at once; a switch that was stalled sends several hundred in a row.
        now: Seconds on any clock that does not jump.
    """

    def __init__(self, *, frames_per_s: float, burst: int, now: float) -> None:
        self._rate = frames_per_s
        self._burst = float(burst)
        self._tokens = float(burst)
        self._filled_at = now
        self._header = bytearray()
        self._skip = 0

    def feed(self, data: bytes, now: float) -> int | None:
        """Account for *data*, which arrived at *now*.

        Returns:
            ``None`` while the peer keeps within its limit, else the offset in *data* where the first frame too many
            begins (0 also when it began earlier). Do not feed any further after that.
        """
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        position = 0
        while position < len(data):
            if self._skip:
                step = min(self._skip, len(data) - position)
                self._skip -= step
                position += step
                continue
            if not self._header and not self._take():
                return position
            position += self._read_header(data, position)
        return None

    def _take(self) -> bool:
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _read_header(self, data: bytes, position: int) -> int:
        """Add to the header under way what *data* has of it, and return how many bytes that took."""
        wanted = _header_size(self._header)
        taken = data[position : position + wanted - len(self._header)]
        self._header += taken
        if len(self._header) == _header_size(self._header) >= 2:
            self._skip = _payload_size(self._header)
            self._header.clear()
        return len(taken)


def _header_size(header: bytearray) -> int:
    if len(header) < 2:
        return 2
    extended = {126: 2, 127: 8}.get(header[1] & 0x7F, 0)
    return 2 + extended + (4 if header[1] & 0x80 else 0)


def _payload_size(header: bytearray) -> int:
    short = header[1] & 0x7F
    if short < 126:
        return short
    return int.from_bytes(header[2 : 4 if short == 126 else 10], "big")
