"""All of a call's ingress in one call: decoding, level, speech detection, resampling, and a ring of what was said."""

from typing import final

from typing_extensions import Buffer

@final
class FrontEnd:
    """A call's ears: takes the line's samples, reports every 20 ms, remembers the last seconds at 16 kHz.

    Results do not depend on the pieces in which the samples come. Ring position p is the line's time p / 16000 s
    exactly; an 8 kHz line's ring is 24 of the line's samples (3 ms, the resampler's look-ahead) behind what was pushed,
    a 16 kHz line's is not. About 4 KB of state besides the ring, which takes 32,000 bytes for each second that it
    holds, and as much again once it is full.

    Args:
        rate_hz: The line's rate, 8000 or 16000.
        ring_s: Seconds that the ring holds, 0.1 to 3600.
        codec: What the line's bytes are: ``"pcm16"`` (signed 16-bit little-endian), ``"ulaw"`` or ``"alaw"`` (G.711).

    Raises:
        ValueError: an argument is outside these limits.
    """

    def __init__(self, rate_hz: int, ring_s: float = 40.0, codec: str = "pcm16") -> None: ...
    @property
    def rate_hz(self) -> int:
        """The line's rate."""

    @property
    def codec(self) -> str:
        """What the line's bytes are."""

    @property
    def received(self) -> int:
        """Samples of the line taken so far."""

    @property
    def speech(self) -> bool:
        """Whether someone speaks, as decided at the latest hop of 10 ms."""

    @property
    def frames(self) -> int:
        """Frames of 20 ms reported so far."""

    @property
    def position(self) -> int:
        """16 kHz samples written to the ring so far."""

    @property
    def capacity(self) -> int:
        """16 kHz samples the ring holds."""

    @property
    def oldest(self) -> int:
        """Position of the first sample that the ring still holds."""

    @property
    def timbre(self) -> tuple[float, float, float, float, float, float, float, float]:
        """What the latest hop of 10 ms is like.

        The levels of six bands (250, 500, 750, 1125, 1562, 2125 to 2938 Hz) against their mean in dB, smoothed over
        30 ms; how periodic the hop is, 0 to 1; and by how much of itself its pitch changed, 0 to 1.
        """

    def push(self, data: Buffer, /) -> list[int]:
        """Take what the line says next, in its codec; return the packed report of each frame it completes.

        A report is, from the least significant bit:

        ======  ====  ======================================================================
        bit     bits  meaning
        ======  ====  ======================================================================
        0       1     speech, as decided at the end of the frame
        1       1     speech began in this frame
        2       1     speech ended in this frame
        3       1     a sample reached ±32124 (mu-law's outermost value): clipped
        4       8     probability of speech, 0 to 255; the larger of the frame's two hops
        12      7     level in whole dB below full scale, 0 to 127; without direct current
        19      7     noise floor (250 to 3400 Hz) in whole dB below full scale, 0 to 127
        26      6     evidence of speech: natural log-odds in quarters from -8, 0 to 63; what two hops in a
                      row reach, or one that is by 2 surer; the larger of the frame's two
        ======  ====  ======================================================================

        Raises:
            TypeError: *data* is no contiguous bytes-like object.
            ValueError: *data* is PCM and has an odd number of bytes; nothing of it was taken.
        """

    def view(self, start: int, stop: int, /) -> tuple[int, memoryview[int]]:
        """Return a look at what the ring still holds of the positions *start* to *stop*, without a copy.

        The view keeps the ring's memory, not its content: the sample at position p is overwritten when ``position``
        goes beyond ``p + capacity``. Who needs it for longer copies it.

        Returns:
            The position of the first sample shown, and a read-only view of 16-bit samples at 16 kHz; empty where
            nothing is held.
        """

    def read(self, start: int, stop: int, /) -> tuple[int, bytes]:
        """Return what the ring still holds of the positions *start* to *stop*.

        Returns:
            The position of the first sample returned, and 16 kHz 16-bit PCM; empty where nothing is held.
        """
