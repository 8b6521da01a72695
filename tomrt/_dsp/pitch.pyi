"""Where a signal repeats itself: the lag of the greatest normalised correlation."""

from typing_extensions import Buffer

def pitch(pcm: Buffer, window: int, shortest: int, longest: int, /) -> tuple[int, float]:
    """Return the lag at which the end of *pcm* repeats what came before it, and how alike the two are (-1 to 1).

    Args:
        pcm: 16-bit PCM, at least ``window + longest`` samples.
        window: Samples that are compared, 2 to 511; the later half of them counts twice.
        shortest: The shortest lag in samples, at least 1.
        longest: The longest lag in samples; ``window + longest`` is at most 1024.

    Raises:
        ValueError: *pcm* has an odd number of bytes or is too short, or a number is outside these limits.
    """
