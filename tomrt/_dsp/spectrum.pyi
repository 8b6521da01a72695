"""Power spectrum of one short window, for the detectors that look at the shape of a sound."""

from typing_extensions import Buffer

def spectrum(pcm: Buffer, /) -> list[float]:
    """Return the power of 128 samples of 16-bit PCM in 64 bins.

    Bin *k* stands at ``k * rate / 128`` Hz. The window is a Hann window; white noise of variance v reads v in every
    bin, on average.

    Raises:
        ValueError: *pcm* is not 128 samples.
    """
