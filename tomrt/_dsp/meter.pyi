"""Level meter: RMS, peak, clipping and direct current in one pass."""

from typing import final

from typing_extensions import Buffer

@final
class Level:
    """One reading of a meter; made by :class:`Meter` and :func:`measure` only."""

    @property
    def samples(self) -> int:
        """Samples that were measured."""

    @property
    def rms_dbfs(self) -> float:
        """RMS level without direct current, -127 to 0; a full-scale square wave reads 0, a full-scale sine -3.01."""

    @property
    def peak(self) -> int:
        """The largest magnitude, 0 to 32768."""

    @property
    def clipped(self) -> int:
        """Samples at or beyond ±32124, mu-law's outermost value, so that clipping on a G.711 line shows."""

    @property
    def dc(self) -> float:
        """The mean sample, -32768 to 32767."""

@final
class Meter:
    """Adds up samples until it is read; a reading does not depend on the pieces in which the samples came."""

    def __init__(self) -> None: ...
    def push(self, pcm: Buffer, /) -> None:
        """Add the next samples, 16-bit PCM.

        Raises:
            ValueError: *pcm* has an odd number of bytes.
        """

    def read(self) -> Level:
        """Return the level of everything pushed since the beginning or the last reset."""

    def reset(self) -> None:
        """Begin again with no samples."""

def measure(pcm: Buffer, /) -> Level:
    """Return the level of one buffer of 16-bit PCM.

    Raises:
        ValueError: *pcm* has an odd number of bytes.
    """
