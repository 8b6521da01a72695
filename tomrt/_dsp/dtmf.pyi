"""DTMF: digits heard in a stream, and digits made."""

from typing import final

from typing_extensions import Buffer

@final
class DtmfDetector:
    """Hears DTMF digits in a stream, by the tolerances of ITU-T Q.24.

    Tones within ±1.5 % of their frequency are taken, from ±3.5 % on they are refused; the high tone may be 4 dB
    stronger than the low one, the low one 8 dB stronger than the high one; 40 ms are a digit, 23 ms are none; a pause
    of 40 ms ends a digit, an interruption of 10 ms does not. Each tone is at least at -40 dBFS. Voices are told from
    digits by second harmonics, by energy beside the two tones and by tones that do not keep their frequency. Results
    do not depend on the pieces in which the stream comes.

    Args:
        rate_hz: 8000 or 16000.

    Raises:
        ValueError: another rate.
    """

    def __init__(self, rate_hz: int) -> None: ...
    @property
    def rate_hz(self) -> int:
        """The stream's samples per second."""

    def push(self, pcm: Buffer, /) -> list[tuple[str, int]]:
        """Take the next samples, 16-bit PCM, and return the digits that they complete, each once.

        Returns:
            ``(digit, position_ms)``: one of ``0123456789ABCD*#``, and where in the stream its tone began, within about
            5 ms. A digit is returned 38 to 43 ms after that.

        Raises:
            ValueError: *pcm* has an odd number of bytes; nothing of it was taken.
        """

    def reset(self) -> None:
        """Begin again, as if nothing had been pushed."""

def dtmf(digits: str, rate_hz: int, on_ms: float, off_ms: float, level_dbfs: float, /) -> bytes:
    """Return the tones of *digits* as 16-bit PCM, each followed by a pause.

    Args:
        digits: Up to 256 of ``0123456789ABCD*#``.
        rate_hz: 8000 to 48000.
        on_ms: Length of each tone, over 0 to 10000; Q.24 asks receivers for 40.
        off_ms: Length of each pause, 0 to 10000.
        level_dbfs: RMS level of a tone pair, -60 to -7 (above that the peaks would clip); both tones are equally loud,
            3 dB below it each.

    Raises:
        ValueError: an argument is outside these limits.
    """
