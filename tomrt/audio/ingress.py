"""What a call hears: 20 ms reports for the turn-taking, and the last seconds at 16 kHz for the recogniser."""

from __future__ import annotations

from attrs import frozen

from tomrt._dsp.front_end import FrontEnd
from tomrt.audio.framing import FRAME_MS
from tomrt.errors import MisuseError

__all__ = ["LISTEN_HZ", "FrameReport", "Ingress"]

LISTEN_HZ = 16000


@frozen(kw_only=True)
class FrameReport:
    """What was heard in one frame of 20 ms.

    Args:
        index: Number of the frame; it covers the line's time from ``20 * index`` to ``20 * index + 20`` ms.
        speech: Whether someone speaks, decided at the frame's end with hysteresis: about 30 ms of evidence begin
            speech, 80 ms without any end it.
        onset: Speech began in this frame.
        offset: Speech ended in this frame.
        probability: How likely the frame is speech, 0 to 1 in steps of 1/255.
        level_dbfs: RMS level without direct current, whole dB, -127 to 0; 0 is a full-scale square wave.
        noise_dbfs: Level of the noise floor between 250 and 3400 Hz, whole dB.
        clipped: A sample reached the outermost value of mu-law.
    """

    index: int
    speech: bool
    onset: bool
    offset: bool
    probability: float
    level_dbfs: float
    noise_dbfs: float
    clipped: bool


def _unpack(index: int, report: int) -> FrameReport:
    """Spread a packed report of the front end; its bits are laid out in ``tomrt/_dsp/front_end.pyi``."""
    return FrameReport(
        index=index,
        speech=bool(report & 1),
        onset=bool(report & 2),
        offset=bool(report & 4),
        clipped=bool(report & 8),
        probability=(report >> 4 & 255) / 255,
        level_dbfs=-float(report >> 12 & 127),
        noise_dbfs=-float(report >> 19 & 127),
    )


class Ingress:
    """Takes the line's samples in pieces of any size; the results do not depend on the pieces.

    Args:
        rate_hz: The line's rate, 8000 or 16000.
        ring_s: Seconds of line audio that :meth:`utterance` can reach back, 0.1 to 3600. Older audio is overwritten.

    Raises:
        MisuseError: an argument is outside these limits.
    """

    def __init__(self, rate_hz: int, ring_s: float = 40.0) -> None:
        try:
            self._front_end = FrontEnd(rate_hz, ring_s)
        except ValueError as error:
            raise MisuseError(str(error)) from error
        self.rate_hz = rate_hz
        self._samples = 0

    @property
    def received_ms(self) -> float:
        """Milliseconds of line audio received."""
        return self._samples * 1000 / self.rate_hz

    @property
    def oldest_ms(self) -> float:
        """The earliest line time that :meth:`utterance` can still return."""
        return self._front_end.oldest * 1000 / LISTEN_HZ

    def push(self, pcm: bytes) -> list[FrameReport]:
        """Take the line's next samples, 16-bit mono PCM; return a report for each frame they complete.

        Raises:
            MisuseError: *pcm* is not bytes, or an odd number of them; nothing of it was taken.
        """
        try:
            index = self._front_end.frames
            reports = self._front_end.push(pcm)
        except (TypeError, ValueError) as error:
            raise MisuseError(str(error)) from error
        self._samples += len(pcm) // 2
        return [_unpack(number, report) for number, report in enumerate(reports, index)]

    def utterance(self, start_ms: float, stop_ms: float) -> bytes:
        """Return the line's audio between two times as 16 kHz mono PCM.

        Clamped to what the ring still holds; the last 3 ms received on an 8 kHz line are not there yet.

        Raises:
            MisuseError: *stop_ms* is before *start_ms*.
        """
        if not start_ms <= stop_ms:
            raise MisuseError(f"An utterance does not end before it begins: {start_ms} to {stop_ms} ms.")
        limit_ms = self.received_ms + FRAME_MS
        start, stop = (round(min(max(ms, 0.0), limit_ms) * LISTEN_HZ / 1000) for ms in (start_ms, stop_ms))
        return self._front_end.read(start, stop)[1]
