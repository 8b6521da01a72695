"""Digits from the telephone's keypad: heard in a stream, and made."""

from __future__ import annotations

from attrs import frozen

from tomrt._dsp.dtmf import DtmfDetector as _Kernel
from tomrt._dsp.dtmf import dtmf as _dtmf
from tomrt.errors import MisuseError

__all__ = ["Digit", "DtmfDetector", "dtmf"]


@frozen
class Digit:
    """A key that was pressed.

    Args:
        key: One of ``0123456789ABCD*#``.
        position_ms: Where in the stream its tone began, within about 5 ms.
    """

    key: str
    position_ms: int


class DtmfDetector:
    """Hears DTMF digits in a stream, by the tolerances of ITU-T Q.24.

    Taken: tones within ±1.5 % of their frequencies, 40 ms and longer, each at -40 dBFS or louder, the high one up to
    4 dB above the low one or 8 dB below it, in noise 15 dB below the digit. Refused: ±3.5 % and more, 23 ms and less,
    and voices. A pause of 40 ms ends a digit, an interruption of 10 ms does not. A digit is known 38 to 43 ms after its
    tone began. The results do not depend on the pieces in which the stream comes.

    Args:
        rate_hz: The stream's rate, 8000 or 16000.

    Raises:
        MisuseError: another rate.
    """

    def __init__(self, rate_hz: int) -> None:
        try:
            self._kernel = _Kernel(rate_hz)
        except (TypeError, ValueError, OverflowError) as error:
            raise MisuseError(str(error)) from error
        self.rate_hz = rate_hz

    def push(self, pcm: bytes) -> list[Digit]:
        """Take the stream's next samples, 16-bit mono PCM; return the digits they complete, each once.

        Raises:
            MisuseError: *pcm* is not bytes, or an odd number of them; nothing of it was taken.
        """
        try:
            return [Digit(key, position_ms) for key, position_ms in self._kernel.push(pcm)]
        except (TypeError, ValueError) as error:
            raise MisuseError(str(error)) from error

    def reset(self) -> None:
        """Begin a new stream."""
        self._kernel.reset()


def dtmf(digits: str, rate_hz: int, *, on_ms: float = 80.0, off_ms: float = 80.0, level_dbfs: float = -13.0) -> bytes:
    """Return the tones of *digits* as 16-bit mono PCM, each followed by a pause.

    Args:
        digits: Up to 256 of ``0123456789ABCD*#``.
        rate_hz: Samples per second, 8000 to 48000.
        on_ms: Length of each tone, over 0 to 10000.
        off_ms: Length of each pause, 0 to 10000.
        level_dbfs: RMS level of a digit, -60 to -7; both tones are equally loud, 3 dB below it each.

    Raises:
        MisuseError: an argument is outside these limits.
    """
    try:
        return _dtmf(digits, rate_hz, on_ms, off_ms, level_dbfs)
    except (TypeError, ValueError, OverflowError) as error:
        raise MisuseError(str(error)) from error
