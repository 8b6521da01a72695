"""Streaming polyphase resampler for any rational ratio."""

from typing import final

from typing_extensions import Buffer

@final
class Resampler:
    """A stream of samples at one rate becomes a stream at another.

    The filter is linear-phase, flat within 0.01 dB up to 0.4375 of the lower rate (7 kHz at 16 kHz), and at least 90 dB
    down from 0.5625 of it. Output sample *m* stands at input time ``m * rate_in / rate_out`` exactly: :meth:`process`
    gives it as soon as ``delay`` seconds of input after that time are in. A stream of n samples gives
    ``ceil(n * rate_out / rate_in)`` samples, the last of them from :meth:`flush`. The same stream gives the same bits
    whatever its pieces were.
    Samples are rounded to the nearest and saturate. Equal rates pass through untouched.

    Args:
        rate_in: Samples per second that come in.
        rate_out: Samples per second that go out.

    Raises:
        ValueError: a rate is not positive, or the ratio in lowest terms has more than 2048 parts (44,100 to 48,000
            has 160).
    """

    def __init__(self, rate_in: int, rate_out: int) -> None: ...
    @property
    def rate_in(self) -> int:
        """Samples per second that come in."""

    @property
    def rate_out(self) -> int:
        """Samples per second that go out."""

    @property
    def delay(self) -> float:
        """Seconds of input that an output sample waits for: 24 periods of the lower rate, 3 ms at 8 kHz; 0 if equal."""

    @property
    def delay_samples(self) -> int:
        """The same in input samples: ``ceil(24 * max(1, rate_in / rate_out))``, 24 for 8 to 16 kHz, 72 for 24 to 8 kHz.

        Output sample m is given as soon as input sample ``floor(m * rate_in / rate_out) + delay_samples`` is in.
        """

    def process(self, pcm: Buffer, /) -> bytes:
        """Take the next samples, 16-bit PCM, and return those that are complete.

        Raises:
            ValueError: *pcm* has an odd number of bytes; the stream is as before.
        """

    def flush(self) -> bytes:
        """End the stream: return what is still due, as if silence followed, and begin a new stream."""

    def reset(self) -> None:
        """Forget the stream, with what is still due of it, and begin a new one."""

def _use_baseline(only: bool, /) -> bool:
    """Do without AVX2, or use it again where there is any; return whether it is in use. Results are the same bits."""
