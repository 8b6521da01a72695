"""Time stretching by one pitch period with overlap-add, as a jitter buffer needs it."""

from typing_extensions import Buffer

def shorten(pcm: Buffer, rate_hz: int, least_likeness: float = 0.9, most: int = 1024, /) -> bytes:
    """Return *pcm* without one of its periods; as it is where none is alike enough to the next.

    Args:
        pcm: 16-bit PCM; 30 ms or more allow every period from 2.5 to 15 ms, shorter pieces only up to half of them.
        rate_hz: Samples per second, 8000 or 16000.
        least_likeness: Normalised correlation of two periods that allows the cut, -1 to 1. Pieces below -50 dBFS are
            always cut, by as much as is allowed.
        most: The most samples that may go.

    Raises:
        ValueError: *pcm* has an odd number of bytes, or another argument is outside these limits.
    """

def lengthen(pcm: Buffer, rate_hz: int, least_likeness: float = 0.9, most: int = 1024, /) -> bytes:
    """Return *pcm* with one of its periods twice; as it is where none is alike enough to the next.

    Args:
        pcm: As for :func:`shorten`.
        rate_hz: As for :func:`shorten`.
        least_likeness: As for :func:`shorten`.
        most: The most samples that may come in.

    Raises:
        ValueError: as for :func:`shorten`.
    """
