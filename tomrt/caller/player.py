"""What a switch does with the audio it is sent: models of its play-out, sample by sample.

Each takes what arrives and when, and gives the lane that the caller hears. Positions are samples since the call began;
nothing here knows a clock.
"""

from __future__ import annotations

from collections import deque

from attrs import Factory, define, frozen

from tomrt.errors import ProtocolError

__all__ = ["MAX_QUEUED_S", "MarkReport", "Player", "SteppedPlayer", "file_player", "fork_player"]

MAX_QUEUED_S = 600
"""What a player holds at most; the modules have no bound here, and no answer is ten minutes long."""
MAX_MARKS = 30
FILE_START_MS = 20
"""From the event that names a file to its first sample: one packet."""


@frozen
class MarkReport:
    """What became of a mark: played (``"playout"``) or thrown away (``"cleared"``)."""

    name: str
    event: str


@define(kw_only=True)
class Player:
    """Plays what arrives, when it arrives, one piece after the other.

    Args:
        rate_hz: Sample rate of the line.
        start_ms: Silence before a piece that finds nothing playing.
    """

    rate_hz: int
    start_ms: int = 0
    heard: bytearray = Factory(bytearray)
    """What the caller heard so far, from sample 0."""
    dropped_samples: int = 0
    _queue: deque[bytearray] = Factory(deque)
    _half_sample: bytes = b""

    @property
    def position(self) -> int:
        """Samples played so far."""
        return len(self.heard) // 2

    @property
    def queued_samples(self) -> int:
        """Samples that will still be played if nothing stops them."""
        return sum(map(len, self._queue)) // 2

    def play(self, pcm: bytes, at: int) -> None:
        """Take *pcm*, any number of bytes, which arrives at sample *at*."""
        self.advance(at)
        whole = self._half_sample + pcm
        cut = len(whole) & ~1
        self._half_sample = whole[cut:]
        self._take(whole[:cut])

    def kill(self, at: int) -> None:
        """Throw away, at sample *at*, what has not been played."""
        self.advance(at)
        self._queue.clear()

    def kill_current(self, at: int) -> None:
        """Break, at sample *at*, the piece that is playing; the one behind it begins."""
        self.advance(at)
        if self._queue:
            self._queue.popleft()

    def advance(self, to: int) -> None:
        """Play until sample *to*, silence where there is nothing."""
        missing = 2 * (to - self.position)
        while missing > 0 and self._queue:
            piece = self._queue[0]
            self.heard += piece[:missing]
            taken = min(missing, len(piece))
            missing -= taken
            del piece[:taken]
            if not piece:
                self._queue.popleft()
        self.heard += bytes(max(0, missing))

    def drain(self) -> None:
        """Play what is left, in no time."""
        self.advance(self.position + self.queued_samples)

    def _take(self, pcm: bytes) -> None:
        """Queue whole samples as one piece."""
        room = 2 * (MAX_QUEUED_S * self.rate_hz - self.queued_samples)
        self.dropped_samples += max(0, len(pcm) - room) // 2
        if pcm := pcm[:room]:
            lead = bytes(2 * self.rate_hz * self.start_ms // 1000 if not self._queue else 0)
            self._queue.append(bytearray(lead + pcm))


@define(kw_only=True)
class SteppedPlayer(Player):
    """``mod_audio_fork`` with its stream on: a pre-buffer, then steps, and marks.

    Nothing plays until ``first_ms`` have come; from then on audio is released in steps of ``step_ms``, and what does
    not fill a step waits for the next audio (observed: FREESWITCH.md, B).

    Args:
        first_ms: The pre-buffer.
        step_ms: Size of a step.
    """

    first_ms: int = 160
    step_ms: int = 80
    _held: bytearray = Factory(bytearray)
    _released: bool = False
    _taken: int = 0
    _to_play: int = 0
    _marks: deque[tuple[int, str]] = Factory(deque)
    _cleared: list[MarkReport] = Factory(list)

    def mark(self, name: str) -> None:
        """Set a mark in front of the audio that comes next.

        Raises:
            ProtocolError: 30 are outstanding; the module keeps no more.
        """
        if len(self._marks) >= MAX_MARKS:
            raise ProtocolError(f"more than {MAX_MARKS} marks are outstanding")
        self._marks.append((self._taken, name))

    def clear_marks(self) -> None:
        """Forget all marks without a report."""
        self._marks.clear()

    def reports(self) -> list[MarkReport]:
        """Return what became of marks since the last call."""
        played = self._to_play - self.queued_samples
        found, self._cleared = self._cleared, []
        while self._marks and self._marks[0][0] < played:
            found.append(MarkReport(self._marks.popleft()[1], "playout"))
        return found

    def kill(self, at: int) -> None:
        """Throw away what was released and not played, and report the marks; the pre-buffer stays, as in the module."""
        self.advance(at)
        self._cleared = [*self.reports(), *(MarkReport(name, "cleared") for _, name in self._marks)]
        self._marks.clear()
        self._queue.clear()

    def _take(self, pcm: bytes) -> None:
        self._held += pcm
        self._taken += len(pcm) // 2
        step = 2 * self.rate_hz * self.step_ms // 1000
        wanted = step if self._released else 2 * self.rate_hz * self.first_ms // 1000
        if len(self._held) < wanted:
            return
        self._released = True
        cut = len(self._held) // step * step
        super()._take(bytes(self._held[:cut]))
        self._to_play += cut // 2
        del self._held[:cut]


def fork_player(rate_hz: int) -> SteppedPlayer:
    """Return the player of the bidirectional ``mod_audio_fork``; its buffers hold half as long at 16 kHz."""
    return SteppedPlayer(rate_hz=rate_hz, first_ms=1_280_000 // rate_hz, step_ms=640_000 // rate_hz)


def file_player(rate_hz: int) -> Player:
    """Return the player of an operator's script that plays the files which the one-way modules write, in order."""
    return Player(rate_hz=rate_hz, start_ms=FILE_START_MS)
