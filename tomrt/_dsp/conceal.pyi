"""Packet-loss concealment without delay: the voice goes on through its linear predictor, and fades."""

from typing import final

from typing_extensions import Buffer

@final
class Concealer:
    """Makes up for lost frames of a stream of 16-bit PCM.

    Args:
        rate_hz: Samples per second, 8000 or 16000.

    Raises:
        ValueError: another rate.
    """

    def __init__(self, rate_hz: int) -> None: ...
    @property
    def rate_hz(self) -> int:
        """Samples per second."""

    @property
    def losing(self) -> bool:
        """Whether the last frame was made up."""

    def good(self, frame: Buffer, /) -> bytes:
        """Take a frame that arrived and return what to play for it, just as long and without delay.

        After a loss the first 3.75 ms are merged with what was made up; otherwise it is the frame itself.

        Args:
            frame: 10 to 120 ms in steps of 10 ms.

        Raises:
            ValueError: another length, or an odd number of bytes; the stream is as before.
        """

    def lost(self, ms: int = 20, /) -> bytes:
        """Return what to play for a frame that did not arrive.

        Args:
            ms: Its length, 10 to 120 in steps of 10.

        Raises:
            ValueError: another length.
        """

    def reset(self) -> None:
        """Begin again, with silence behind."""
