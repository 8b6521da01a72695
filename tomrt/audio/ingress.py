"""What a call hears: 20 ms reports for the turn-taking, and the last seconds at 16 kHz for the recogniser."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from tomrt._dsp.front_end import FrontEnd
from tomrt.audio.framing import FRAME_MS
from tomrt.errors import MisuseError

__all__ = ["LISTEN_HZ", "Codec", "FrameReport", "Ingress", "Timbre"]

LISTEN_HZ = 16000

Codec = Literal["pcm16", "ulaw", "alaw"]


@frozen
class FrameReport:
    """What was heard in one frame of 20 ms.

    Args:
        index: Number of the frame; it covers the line's time from ``20 * index`` to ``20 * index + 20`` ms.
        packed: The front end's report, whose bits are laid out in ``tomrt/_dsp/front_end.pyi``.
    """

    index: int
    packed: int

    @property
    def speech(self) -> bool:
        """Whether someone speaks, decided at the frame's end with hysteresis."""
        return bool(self.packed & 1)

    @property
    def onset(self) -> bool:
        """Speech began in this frame."""
        return bool(self.packed & 2)

    @property
    def offset(self) -> bool:
        """Speech ended in this frame."""
        return bool(self.packed & 4)

    @property
    def clipped(self) -> bool:
        """A sample reached the outermost value of mu-law."""
        return bool(self.packed & 8)

    @property
    def probability(self) -> float:
        """How likely the frame is speech, 0 to 1 in steps of 1/255."""
        return (self.packed >> 4 & 255) / 255

    @property
    def level_dbfs(self) -> float:
        """RMS level without direct current, whole dB, -127 to 0; 0 is a full-scale square wave."""
        return -float(self.packed >> 12 & 127)

    @property
    def noise_dbfs(self) -> float:
        """Level of the noise floor between 250 and 3400 Hz, whole dB."""
        return -float(self.packed >> 19 & 127)

    @property
    def evidence(self) -> float:
        """Natural log-odds that someone speaks, -8 to 7.75 in quarters: reached by two hops of 10 ms in a row.

        A hop that is by 2 surer counts by itself.
        """
        return (self.packed >> 26 & 63) / 4 - 8.0

    @property
    def snr_db(self) -> float:
        """How far the frame stands out of the noise floor, whole dB, 0 and up."""
        return max(self.level_dbfs - self.noise_dbfs, 0.0)


@frozen
class Timbre:
    """What 10 ms of a line are like.

    Args:
        bands_db: Levels against their mean, smoothed over 30 ms, between 250, 500, 750, 1125, 1562, 2125 and 2938 Hz.
        periodicity: 0 for noise, 1 for a perfect vowel.
        pitch_change: By how much of itself the pitch period changed in 10 ms, 0 to 1.
    """

    bands_db: tuple[float, ...]
    periodicity: float
    pitch_change: float


class Ingress:
    """Takes what the line says in pieces of any size; the results do not depend on the pieces.

    Args:
        rate_hz: The line's rate, 8000 or 16000.
        ring_s: Seconds of line audio that :meth:`utterance` can reach back, 0.1 to 3600. Older audio is overwritten.
        codec: What the line's bytes are: ``"pcm16"`` (signed 16-bit little-endian), ``"ulaw"`` or ``"alaw"``.

    Raises:
        MisuseError: an argument is outside these limits.
    """

    def __init__(self, rate_hz: int, ring_s: float = 40.0, codec: Codec = "pcm16") -> None:
        try:
            self._front_end = FrontEnd(rate_hz, ring_s, codec)
        except ValueError as error:
            raise MisuseError(str(error)) from error
        self.rate_hz = rate_hz

    @property
    def received_ms(self) -> float:
        """Milliseconds of line audio received."""
        return self._front_end.received * 1000 / self.rate_hz

    @property
    def oldest_ms(self) -> float:
        """The earliest line time that :meth:`utterance` can still return."""
        return self._front_end.oldest * 1000 / LISTEN_HZ

    @property
    def timbre(self) -> Timbre:
        """What the latest 10 ms of the line are like."""
        *bands_db, periodicity, pitch_change = self._front_end.timbre
        return Timbre(tuple(bands_db), periodicity, pitch_change)

    def push(self, data: bytes) -> list[FrameReport]:
        """Take the line's next bytes in its codec; return a report for each frame they complete.

        Raises:
            MisuseError: *data* is not bytes, or half a sample is left over; nothing of it was taken.
        """
        index = self._front_end.frames
        try:
            reports = self._front_end.push(data)
        except (TypeError, ValueError) as error:
            raise MisuseError(str(error)) from error
        return [FrameReport(number, packed) for number, packed in enumerate(reports, index)]

    def utterance(self, start_ms: float, stop_ms: float) -> bytes:
        """Return the line's audio between two times as 16 kHz mono PCM.

        Clamped to what the ring still holds; the last 3 ms received on an 8 kHz line are not there yet.

        Raises:
            MisuseError: *stop_ms* is before *start_ms*.
        """
        return bytes(self.view(start_ms, stop_ms))

    def view(self, start_ms: float, stop_ms: float) -> memoryview[int]:
        """Return the same as :meth:`utterance` without copying it: the ring's own 16-bit samples, read-only.

        The view keeps the memory, not the audio: its samples are overwritten once the line has gone on for so long that
        :attr:`oldest_ms` has passed *start_ms*.

        Raises:
            MisuseError: *stop_ms* is before *start_ms*.
        """
        if not start_ms <= stop_ms:
            raise MisuseError(f"An utterance does not end before it begins: {start_ms} to {stop_ms} ms.")
        limit_ms = self.received_ms + FRAME_MS
        start, stop = (round(min(max(ms, 0.0), limit_ms) * LISTEN_HZ / 1000) for ms in (start_ms, stop_ms))
        return self._front_end.view(start, stop)[1]
