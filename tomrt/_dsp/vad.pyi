"""Speech onset detector for telephone lines, on hops of 10 ms."""

from typing import final

from typing_extensions import Buffer

@final
class Vad:
    """Tells speech from what else is on a line.

    A small recurrent network judges each hop (the first 30 ms of a call are for warming up); one hop that is surely
    speech or two that probably are begin it, so a voice is noticed within 20 to 40 ms, and 80 ms without any end it.
    Direct current, mains hum and stationary noise are not speech; a step in the noise is learnt within 1.5 s. White
    noise that appears on a line that was quiet for 300 ms may pass for an *s*, for 150 ms at most. Other people's talk,
    music and the network's tones may pass for speech: that is for the second stage, ``tomrt.audio.confirm``. Results do
    not depend on the pieces in which the signal comes.

    Args:
        rate_hz: 8000 or 16000.
        plain: Use no vector instructions beyond the architecture's minimum. The results are the same bits, only later.

    Raises:
        ValueError: any other rate.
    """

    def __init__(self, rate_hz: int, *, plain: bool = False) -> None: ...
    @property
    def rate_hz(self) -> int:
        """Samples per second."""

    @property
    def hops(self) -> int:
        """Completed hops of 10 ms."""

    @property
    def probability(self) -> float:
        """How likely the latest hop is speech, 0 to 1."""

    @property
    def speech(self) -> bool:
        """Whether someone speaks, decided with hysteresis."""

    @property
    def noise_dbfs(self) -> float:
        """Level of the noise floor between 250 and 3400 Hz, -67 and up; 0 is the power of a full-scale square wave."""

    def push(self, pcm: Buffer, /) -> list[tuple[float, bool]]:
        """Take the next samples, 16-bit PCM; return ``(probability, speech)`` for each hop they complete.

        Raises:
            ValueError: *pcm* has an odd number of bytes.
        """

    def trace(self, pcm: Buffer, /) -> bytes:
        """Take the next samples as :meth:`push` does; return what the network was given, for training it.

        For each hop that is complete there are 30 float32: 13 bands over the floor in dB, 6 pairs of bands against
        their mean in dB, periodicity times 10, change of the pitch times 10, spread of the pairs in dB, all bands over
        the floor in dB, level and floor in dBFS, the hops that the floor was learnt from, level over
        the means of the last second and of the last four, spread around the latter, and level over the loudest lately,
        in dB.

        Raises:
            ValueError: *pcm* has an odd number of bytes.
        """

    def reset(self) -> None:
        """Forget everything, as for a new call."""
