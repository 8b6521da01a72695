"""Packet-loss concealment: what to play for a frame that did not arrive."""

from __future__ import annotations

from tomrt._dsp.conceal import Concealer as _Kernel
from tomrt.errors import MisuseError

__all__ = ["Concealer"]


class Concealer:
    """Makes up for lost frames of a stream of 16-bit mono PCM, without delay.

    The voice goes on through its linear predictor, repeating one and later up to three pitch periods, and fades by 1/e
    in 50 ms.

    Args:
        rate_hz: Samples per second, 8000 or 16000.

    Raises:
        MisuseError: another rate.
    """

    def __init__(self, rate_hz: int) -> None:
        try:
            self._kernel = _Kernel(rate_hz)
        except (TypeError, ValueError, OverflowError) as error:
            raise MisuseError(str(error)) from error
        self.rate_hz = rate_hz

    @property
    def losing(self) -> bool:
        """Whether the last frame was made up."""
        return self._kernel.losing

    def good(self, frame: bytes) -> bytes:
        """Take a frame that arrived and return what to play for it, just as long.

        After a loss its first 3.75 ms are merged with what was made up; otherwise it is the frame itself.

        Args:
            frame: 10 to 120 ms in steps of 10 ms.

        Raises:
            MisuseError: another length, or no bytes; the stream is as before.
        """
        try:
            return self._kernel.good(frame)
        except (TypeError, ValueError) as error:
            raise MisuseError(str(error)) from error

    def lost(self, ms: int = 20) -> bytes:
        """Return what to play for a frame that did not arrive.

        Args:
            ms: Its length, 10 to 120 in steps of 10.

        Raises:
            MisuseError: another length.
        """
        try:
            return self._kernel.lost(ms)
        except (TypeError, ValueError, OverflowError) as error:
            raise MisuseError(str(error)) from error

    def reset(self) -> None:
        """Begin again, with silence behind: another stream follows."""
        self._kernel.reset()
