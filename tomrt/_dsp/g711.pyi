"""G.711 companding, bit for bit as in the software tool library of ITU-T G.191.

PCM is signed 16-bit little-endian; every argument is any contiguous bytes-like object.
"""

from typing_extensions import Buffer

def ulaw_decode(codes: Buffer, /) -> bytes:
    """Return the 16-bit PCM of mu-law codes, two bytes for each; values are ±32124 at most."""

def ulaw_encode(pcm: Buffer, /) -> bytes:
    """Return the mu-law codes of 16-bit PCM, one byte for each sample.

    Raises:
        ValueError: *pcm* has an odd number of bytes.
    """

def alaw_decode(codes: Buffer, /) -> bytes:
    """Return the 16-bit PCM of A-law codes, two bytes for each; values are ±32256 at most."""

def alaw_encode(pcm: Buffer, /) -> bytes:
    """Return the A-law codes of 16-bit PCM, one byte for each sample.

    Raises:
        ValueError: *pcm* has an odd number of bytes.
    """

def _use_baseline(only: bool, /) -> bool:
    """Do without AVX2, or use it again where there is any; return whether it is in use. Results are the same bits."""
