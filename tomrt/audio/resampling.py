"""From one sample rate to another, as a stream or all at once."""

from __future__ import annotations

from tomrt._dsp.resample import Resampler as _Kernel
from tomrt.errors import MisuseError

__all__ = ["MAX_RATE_HZ", "MIN_RATE_HZ", "Resampler", "resample"]

MIN_RATE_HZ = 8000
MAX_RATE_HZ = 48000


class Resampler:
    """A stream of 16-bit mono PCM at one rate becomes a stream at another.

    Output sample m stands at input time ``m * rate_in / rate_out`` exactly; the stream is late by :attr:`delay_s` and
    not shifted. A stream of n samples gives ``ceil(n * rate_out / rate_in)`` of them, the last from :meth:`flush`. The
    result does not depend on the pieces in which the stream comes. Images and aliases are at least 90 dB down, and up
    to 0.4375 of the lower rate (3.5 kHz for telephone speech, 7 kHz for wideband) levels stay within 0.01 dB.

    Args:
        rate_in: Samples per second that come in, 8000 to 48000.
        rate_out: Samples per second that go out, 8000 to 48000.

    Raises:
        MisuseError: a rate is outside these limits, or the ratio is too odd (more than 2048 parts in lowest terms).
    """

    def __init__(self, rate_in: int, rate_out: int) -> None:
        for rate_hz in (rate_in, rate_out):
            if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
                raise MisuseError(f"Sample rates are {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz, not {rate_hz}.")
        try:
            self._kernel = _Kernel(rate_in, rate_out)
        except ValueError as error:
            raise MisuseError(str(error)) from error
        self.rate_in = rate_in
        self.rate_out = rate_out

    @property
    def delay_s(self) -> float:
        """Seconds of input that an output sample waits for: 0.003 where the lower rate is 8000, 0 for equal rates."""
        return self._kernel.delay

    @property
    def delay_samples(self) -> int:
        """The same in input samples: 24 for 8 to 16 kHz, 72 for 24 to 8 kHz."""
        return self._kernel.delay_samples

    def process(self, pcm: bytes) -> bytes:
        """Take the next samples and return those that are complete.

        Raises:
            MisuseError: *pcm* has an odd number of bytes; the stream is as before.
        """
        try:
            return self._kernel.process(pcm)
        except ValueError as error:
            raise MisuseError(str(error)) from error

    def flush(self) -> bytes:
        """End the stream: return what is still due, as if silence followed, and begin a new stream."""
        return self._kernel.flush()

    def reset(self) -> None:
        """Forget the stream, with what is still due of it, and begin a new one."""
        self._kernel.reset()


def resample(pcm: bytes, rate_in: int, rate_out: int) -> bytes:
    """Return a whole signal at another rate: ``ceil(n * rate_out / rate_in)`` samples for n.

    Raises:
        MisuseError: as for :class:`Resampler`.
    """
    stream = Resampler(rate_in, rate_out)
    return stream.process(pcm) + stream.flush()
