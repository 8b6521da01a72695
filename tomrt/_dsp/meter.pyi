"""Level meter: RMS, peak, clipping, direct current, noise floor and signal-to-noise ratio in one pass."""

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

    @property
    def noise_dbfs(self) -> float:
        """Level of the meter's noise floor at that time, -127 and up.

        It is the quietest complete 20 ms of the last 2.5 to 3 s, without direct current, and 1.5 dB more: as much as
        the quietest frame of stationary noise is below its mean.
        """

    @property
    def snr_db(self) -> float:
        """How far the mean of all complete frames at least 6 dB above the floor stands out of it; 0 without any."""

@final
class Meter:
    """Adds up samples until it is read; a reading does not depend on the pieces in which the samples came.

    Args:
        rate_hz: Samples per second, 8000 to 48000; it says how many are a frame of 20 ms for the noise floor.

    Raises:
        ValueError: a rate outside these limits.
    """

    def __init__(self, rate_hz: int = 8000) -> None: ...
    def push(self, pcm: Buffer, /) -> Level:
        """Add the next samples, 16-bit PCM; return the level of these alone, beside the floor as it is then.

        Raises:
            ValueError: *pcm* has an odd number of bytes.
        """

    def read(self) -> Level:
        """Return the level of everything pushed since the beginning or the last reset."""

    def reset(self) -> None:
        """Begin again with no samples."""

def measure(pcm: Buffer, rate_hz: int = 8000, /) -> Level:
    """Return the level of one buffer of 16-bit PCM.

    Raises:
        ValueError: *pcm* has an odd number of bytes, or the rate is not 8000 to 48000.
    """

def _use_baseline(only: bool, /) -> bool:
    """Do without AVX2, or use it again where there is any; return whether it is in use. Results are the same bits."""
