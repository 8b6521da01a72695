"""Is it the caller we hear, or ourselves?"""

from __future__ import annotations

from attrs import frozen

from tomrt._dsp.echo import EchoReference as _Kernel
from tomrt.errors import MisuseError

__all__ = ["EchoReference", "Similarity"]


@frozen
class Similarity:
    """How like what was sent a frame of the caller's is.

    Args:
        score: The greatest normalised cross-correlation at any lag, 0 to 1. An echo through a telephone scores 0.6 and
            more, mostly over 0.8; other speech below 0.6, mostly below 0.3; both at once in between.
        lag_ms: Where it is greatest: how long before the frame its like was sent, 0 to 399.75.
    """

    score: float
    lag_ms: float


class EchoReference:
    """Keeps the last 500 ms of what was sent, and compares the caller's frames with it.

    The last sample sent, when a frame is compared, and the frame's last sample are taken for simultaneous. After that
    samples are counted, so that frames may come up to 80 ms early or late. Pauses must be sent as silence. Gains to
    -40 dB, either polarity, G.711 and a telephone's band-pass do not matter.

    Args:
        rate_hz: The line's rate, 8000 or 16000.

    Raises:
        MisuseError: another rate.
    """

    def __init__(self, rate_hz: int) -> None:
        try:
            self._kernel = _Kernel(rate_hz)
        except (TypeError, ValueError, OverflowError) as error:
            raise MisuseError(str(error)) from error
        self.rate_hz = rate_hz

    def sent(self, pcm: bytes) -> None:
        """Note the next samples that went out, 16-bit mono PCM in pieces of any size.

        Raises:
            MisuseError: *pcm* is not bytes, or an odd number of them; nothing of it was taken.
        """
        try:
            self._kernel.sent(pcm)
        except (TypeError, ValueError) as error:
            raise MisuseError(str(error)) from error

    def similarity(self, frame: bytes) -> Similarity:
        """Compare the caller's next frame of 20 ms with what was sent up to 400 ms before.

        The score is over the last 100 ms or so, in which earlier frames count less. It is 0 where the frame is silent
        (below -75 dBFS) or nothing was sent.

        Raises:
            MisuseError: *frame* is not 20 ms of 16-bit mono PCM; nothing of it was taken.
        """
        try:
            return Similarity(*self._kernel.similarity(frame))
        except (TypeError, ValueError) as error:
            raise MisuseError(str(error)) from error

    def reset(self) -> None:
        """Forget both streams."""
        self._kernel.reset()
