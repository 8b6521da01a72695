"""Raised-cosine fades, to begin and end a voice without a click."""

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
