"""The power spectrum against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from signals import samples

from tomrt._dsp.spectrum import spectrum

WINDOW = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(128) + 0.5) / 128)


@given(st.binary(min_size=256, max_size=256))
def test_against_numpy(data):
    """Every bin is what a Fourier transform of the windowed samples says."""
    expected = np.abs(np.fft.rfft(samples(data) * WINDOW)[:64]) ** 2 / np.sum(WINDOW**2)
    assert np.allclose(expected, spectrum(data), rtol=1e-3, atol=1e-6 * expected.sum() + 1e-6)


def test_length():
    """Anything but 128 samples is refused."""
    with pytest.raises(ValueError, match="128 samples, got 80"):
        spectrum(bytes(160))
