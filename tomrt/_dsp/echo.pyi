"""Echo reference: how like what we sent is to what we hear."""

from typing import final

from typing_extensions import Buffer

@final
class EchoReference:
    """Keeps the last 500 ms of what was sent, and compares the caller's frames with it.

    The two streams are taken for simultaneous: the last sample sent, when a frame is compared, and the frame's last
    sample. After that their samples are counted, so that frames may come up to 80 ms early or late; beyond that the
    streams are laid side by side anew. Pauses must be sent as silence.

    About 31 kB of state.

    Args:
        rate_hz: Of both streams, 8000 or 16000.

    Raises:
        ValueError: another rate.
    """

    def __init__(self, rate_hz: int) -> None: ...
    @property
    def rate_hz(self) -> int:
        """Samples per second of both streams."""

    def sent(self, pcm: Buffer, /) -> None:
        """Note the next samples that went out, 16-bit PCM in pieces of any size.

        Raises:
            ValueError: *pcm* has an odd number of bytes; nothing of it was taken.
        """

    def similarity(self, frame: Buffer, /) -> tuple[float, float]:
        """Compare the caller's next 20 ms with what was sent up to 400 ms before.

        Args:
            frame: 20 ms of 16-bit PCM.

        Returns:
            ``(score, lag_ms)``: the greatest normalised cross-correlation at any lag, 0 to 1, whatever the echo's gain
            and polarity, over the last 100 ms or so (a frame's weight falls by 0.8 with every later one); and that lag,
            0 to 399.75. Both are 0 where the frame is silent (below -75 dBFS) or nothing was sent.

        Raises:
            ValueError: *frame* is not 20 ms long; nothing of it was taken.
        """

    def reset(self) -> None:
        """Forget both streams."""

def _use_baseline(only: bool, /) -> bool:
    """Do without AVX2, or use it again where there is any; return whether it is in use. Results are the same bits."""
