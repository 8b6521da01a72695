"""What counts as audible, and where it begins and ends."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["AUDIBLE", "audible_samples", "is_audible"]

AUDIBLE = 104
"""Least magnitude of an audible sample: -50 dB below the full scale of 32768."""


def is_audible(pcm: bytes | bytearray) -> bool:
    """Whether any sample of mono 16-bit *pcm* is louder than -50 dBFS."""
    return audible_samples(pcm).size > 0


def audible_samples(pcm: bytes | bytearray) -> NDArray[np.intp]:
    """Return the positions of all samples of mono 16-bit *pcm* that are louder than -50 dBFS, in order."""
    samples = np.frombuffer(bytes(pcm), dtype="<i2")
    return np.flatnonzero((samples >= AUDIBLE) | (samples <= -AUDIBLE))
