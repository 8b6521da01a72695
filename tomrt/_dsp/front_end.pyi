"""All of a call's ingress in one call: level, speech detection, resampling to 16 kHz, and a ring of what was heard."""

from typing import final

from typing_extensions import Buffer

@final
class FrontEnd:
    """A call's ears: takes the line's samples, reports every 20 ms, remembers the last seconds at 16 kHz.

    Results do not depend on the pieces in which the samples come. Ring position p is the line's time p / 16000 s
    exactly; an 8 kHz line's ring is 3 ms behind what was pushed (the resampler's look-ahead), a 16 kHz line's is not.

    Args:
        rate_hz: The line's rate, 8000 or 16000.
        ring_s: Seconds that the ring holds, 0.1 to 3600.

    Raises:
        ValueError: an argument is outside these limits.
    """

    def __init__(self, rate_hz: int, ring_s: float = 40.0) -> None: ...
    @property
    def rate_hz(self) -> int:
        """The line's rate."""

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

    def push(self, pcm: Buffer, /) -> list[int]:
        """Take the next samples, 16-bit PCM; return the packed report of each frame they complete.

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
        ======  ====  ======================================================================

        Raises:
            TypeError: *pcm* is no contiguous bytes-like object.
            ValueError: *pcm* has an odd number of bytes; nothing of it was taken.
        """

    def read(self, start: int, stop: int, /) -> tuple[int, bytes]:
        """Return what the ring still holds of the positions *start* to *stop*.

        Returns:
            The position of the first sample returned, and 16 kHz 16-bit PCM; empty where nothing is held.
        """
