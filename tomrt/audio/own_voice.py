"""Our own voice, given back by the line: known by its shape, and where noise hides that, by its level."""

from __future__ import annotations

from collections import deque

from attrs import define, field

from tomrt._dsp.meter import measure
from tomrt.audio.echo import EchoReference
from tomrt.audio.framing import FRAME_MS

__all__ = ["OwnVoice"]

KNOWN_ECHO = 0.6
"""A similarity that nothing but an echo has; its level is learnt."""

LOUDEST_ECHO_DB = -6.0
"""What is louder than this, against what was sent, is no echo, or not only that: someone speaks."""

UNLEARNT_DB = -43.0
"""The level of an echo of which nothing was heard yet."""

MARGIN_DB, TWICE_MARGIN_DB = 9.0, 18.0
"""What is not so much louder than the echo should be is the echo; what is like it may be louder by twice that."""

LOUDER_WEIGHT, FAINTER_WEIGHT = 0.3, 0.1
ENOUGH_FRAMES = 5
"""An echo of so many frames in a row at one delay is there to stay; speech is like ours for one or two by chance."""

SENT_FRAMES = 22
"""So long an echo may take, 440 ms, in frames."""

SILENT_DBFS = -80.0


@define
class OwnVoice:
    """What we sent, and how it sounds when it comes back.

    Args:
        rate_hz: The line's rate, 8000 or 16000.
        threshold: Similarity from which a frame is ours whatever its level, 0 to 1.

    Raises:
        MisuseError: another rate.
    """

    rate_hz: int
    threshold: float
    _reference: EchoReference = field(init=False)
    _sent_dbfs: deque[float] = field(factory=lambda: deque([-127.0], SENT_FRAMES), init=False)
    _gain_db: float = field(default=UNLEARNT_DB, init=False)
    _lag: int = field(default=0, init=False)
    _seen: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._reference = EchoReference(self.rate_hz)

    def sent(self, pcm: bytes) -> None:
        """Note the next frame that went out, 16-bit mono PCM; pauses are silence.

        Raises:
            MisuseError: *pcm* is not bytes, or an odd number of them.
        """
        self._reference.sent(pcm)
        self._sent_dbfs.append(measure(pcm).rms_dbfs if pcm else -127.0)

    def heard(self, pcm: bytes, level_dbfs: float) -> tuple[float, bool]:
        """Return how like what was sent the caller's next frame is, 0 to 1, and whether it is that.

        Raises:
            MisuseError: *pcm* is not 20 ms of 16-bit PCM.
        """
        found = self._reference.similarity(pcm)
        if found.score >= KNOWN_ECHO:
            self._learn(level_dbfs, found.lag_ms)
        most_db = self._gain_db + TWICE_MARGIN_DB if self.known else LOUDEST_ECHO_DB
        alike = found.score >= self.threshold and level_dbfs <= self._around(round(found.lag_ms / FRAME_MS)) + most_db
        expected_dbfs = self._around(self._lag) + self._gain_db if self.known else max(self._sent_dbfs) + UNLEARNT_DB
        hidden = expected_dbfs > SILENT_DBFS and level_dbfs <= expected_dbfs + MARGIN_DB
        return found.score, alike or hidden

    @property
    def known(self) -> bool:
        """Whether the line is known to give our voice back."""
        return self._seen >= ENOUGH_FRAMES

    def _learn(self, level_dbfs: float, lag_ms: float) -> None:
        """Take the delay and the loss of an echo from a frame that is one."""
        lag = round(lag_ms / FRAME_MS)
        gain_db = level_dbfs - self._around(lag)
        if gain_db <= LOUDEST_ECHO_DB:
            same = abs(lag - self._lag) <= 1
            self._seen = self._seen + 1 if same else 1
            if not same:
                self._gain_db = gain_db
            self._lag = lag
            self._gain_db += (LOUDER_WEIGHT if gain_db > self._gain_db else FAINTER_WEIGHT) * (gain_db - self._gain_db)

    def _around(self, lag: int) -> float:
        """Return the level of what was sent *lag* frames ago, or a frame before or after that."""
        newest = len(self._sent_dbfs) - 1
        return max(self._sent_dbfs[max(newest - lag + step, 0)] for step in (-1, 0, 1) if step <= lag)
