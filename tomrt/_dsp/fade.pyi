"""Raised-cosine fades and gains, to begin, end and change a voice without a click."""

from typing_extensions import Buffer

def fade_in(pcm: Buffer, samples: int, /) -> bytes:
    """Return *pcm* with its first *samples* samples rising from silence.

    Args:
        pcm: 16-bit PCM.
        samples: Length of the fade; where *pcm* is shorter, only the beginning of the fade is in the result.

    Raises:
        ValueError: *pcm* has an odd number of bytes, or *samples* is negative.
    """

def fade_out(pcm: Buffer, samples: int, /) -> bytes:
    """Return *pcm* with its first *samples* samples falling to silence, and nothing but silence after them.

    Args:
        pcm: 16-bit PCM.
        samples: Length of the fade; 0 silences all of *pcm*. Where *pcm* is shorter, the result ends within the fade.

    Raises:
        ValueError: *pcm* has an odd number of bytes, or *samples* is negative.
    """

def gain(pcm: Buffer, samples: int, start: float, stop: float, /) -> bytes:
    """Return *pcm* amplified by *start*, changing to *stop* within its first *samples* samples.

    Args:
        pcm: 16-bit PCM.
        samples: Length of the change, a raised cosine; 0 amplifies all of *pcm* by *stop*.
        start: Factor at the first sample, 0 to 16 (24 dB).
        stop: Factor behind the change, 0 to 16. What does not fit 16 bits is clipped.

    Raises:
        ValueError: *pcm* has an odd number of bytes, *samples* is negative, or a factor is out of range or no number.
    """
