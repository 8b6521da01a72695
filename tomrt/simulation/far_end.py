"""What a line does with the assistant's audio: when each sample is heard, and which are thrown away."""

from __future__ import annotations

from collections import deque

from attrs import define, field

from tomrt.simulation.tape import Spots

__all__ = ["FarEnd", "Played"]


@define
class Played:
    """A chunk on its way to the caller's ear.

    Args:
        starts: Clock time of its first sample.
        stops: Clock time behind its last.
        audible: Whether it holds any sound.
        spots: Where on the tape it is from.
        mark: The mark in front of it.
    """

    starts: float
    stops: float
    audible: bool
    spots: Spots
    mark: str | None


@define(eq=False)
class FarEnd:
    """Plays one chunk after the other.

    Args:
        rate_hz: The line's rate.
        start_delay_s: From the arrival of audio at an empty line to its first audible sample.
    """

    rate_hz: int
    start_delay_s: float
    last_audible: float = field(default=float("-inf"), init=False)
    _chunks: deque[Played] = field(factory=deque, init=False)
    _free_at: float = field(default=float("-inf"), init=False)

    def arrive(self, now: float, samples: int, *, audible: bool, spots: Spots, mark: str | None) -> Played:
        """Take a chunk; return when it will be played."""
        starts = self._free_at if self._free_at > now + 1e-9 else now + self.start_delay_s
        self._free_at = starts + samples / self.rate_hz
        chunk = Played(starts, self._free_at, audible, spots, mark)
        self._chunks.append(chunk)
        return chunk

    def flush(self, now: float) -> tuple[list[str], int | None]:
        """Throw away what was not played; return the marks that will not be reached, and the tape's next sample."""
        self._pass(now)
        cut_at = None
        cleared = []
        for chunk in self._chunks:
            if cut_at is None and chunk.spots:
                cut_at = chunk.spots[0][0] + max(0, round((now - chunk.starts) * self.rate_hz))
            if chunk.mark is not None and chunk.starts > now:
                cleared.append(chunk.mark)
            if chunk.audible and chunk.starts < now:
                self.last_audible = now
        self._chunks.clear()
        self._free_at = now
        return cleared, cut_at

    def sounding(self, now: float) -> bool:
        """Whether the caller hears the assistant right now."""
        self._pass(now)
        return any(chunk.audible and chunk.starts <= now for chunk in self._chunks)

    def ahead_s(self, now: float) -> float:
        """Seconds of audio that wait to be played."""
        return max(0.0, self._free_at - now)

    def quiet_for(self, now: float) -> float:
        """Seconds since the caller last heard the assistant."""
        return 0.0 if self.sounding(now) else now - self.last_audible

    def _pass(self, now: float) -> None:
        chunks = self._chunks
        while chunks and chunks[0].stops <= now + 1e-9:
            chunk = chunks.popleft()
            if chunk.audible:
                self.last_audible = chunk.stops
