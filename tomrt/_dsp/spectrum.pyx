# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Power spectrum of one short window, for the detectors that look at the shape of a sound.

A real transform of 128 samples is done as a complex one of 64 (even samples real, odd ones imaginary), radix 2, in
place.
"""

from cpython.buffer cimport PyBuffer_Release
from libc.math cimport M_PI, cos, sin
from libc.stdint cimport int16_t

from tomrt._dsp.pcm cimport open_samples

cdef float hann[128]
cdef float wave_re[64]      # exp(-2 pi i k / 128)
cdef float wave_im[64]
cdef int swapped[64]        # bit-reversed order
cdef float scale            # makes white noise of power 1 read 1 in every bin


cdef void fill_tables() noexcept:
    cdef int i, bit
    cdef double energy = 0.0, value
    global scale
    for i in range(WINDOW):
        value = 0.5 - 0.5 * cos(2.0 * M_PI * (i + 0.5) / WINDOW)
        hann[i] = <float> value
        energy += value * value
    scale = <float> (1.0 / energy)
    for i in range(BINS):
        wave_re[i] = <float> cos(M_PI * i / BINS)
        wave_im[i] = <float> -sin(M_PI * i / BINS)
        swapped[i] = 0
        for bit in range(6):
            swapped[i] |= ((i >> bit) & 1) << (5 - bit)


fill_tables()


cdef void transform(float *re, float *im) noexcept:
    """Transform 64 complex values that stand in bit-reversed order."""
    cdef int half = 1, stride, start, k, low, high
    cdef float turned_re, turned_im
    while half < BINS:
        stride = BINS // half
        for start in range(0, BINS, 2 * half):
            for k in range(half):
                low = start + k
                high = low + half
                turned_re = re[high] * wave_re[k * stride] - im[high] * wave_im[k * stride]
                turned_im = re[high] * wave_im[k * stride] + im[high] * wave_re[k * stride]
                re[high] = re[low] - turned_re
                im[high] = im[low] - turned_im
                re[low] += turned_re
                im[low] += turned_im
        half *= 2


cdef void power_spectrum(const float *samples, float *power) noexcept:
    """Write the power in each of 64 bins of 128 windowed *samples*; bin 0 is the direct current."""
    cdef float re[64]
    cdef float im[64]
    cdef float sum_re, sum_im, odd_re, odd_im
    cdef int k, mirror
    for k in range(BINS):
        re[swapped[k]] = samples[2 * k] * hann[2 * k]
        im[swapped[k]] = samples[2 * k + 1] * hann[2 * k + 1]
    transform(re, im)
    for k in range(BINS):
        mirror = (BINS - k) % BINS
        sum_re = re[k] + re[mirror]
        sum_im = im[k] - im[mirror]
        odd_re = im[k] + im[mirror]
        odd_im = re[mirror] - re[k]
        sum_re += odd_re * wave_re[k] - odd_im * wave_im[k]
        sum_im += odd_re * wave_im[k] + odd_im * wave_re[k]
        power[k] = scale * 0.25 * (sum_re * sum_re + sum_im * sum_im)


def spectrum(pcm, /):
    """Return the power of 128 samples in 64 bins."""
    cdef Py_buffer view
    cdef float samples[128]
    cdef float power[64]
    cdef int i
    open_samples(pcm, &view)
    try:
        if view.len != 2 * WINDOW:
            raise ValueError(f"A spectrum is taken of 128 samples, got {view.len // 2}.")
        for i in range(WINDOW):
            samples[i] = (<const int16_t *> view.buf)[i]
    finally:
        PyBuffer_Release(&view)
    power_spectrum(samples, power)
    return [power[i] for i in range(BINS)]
