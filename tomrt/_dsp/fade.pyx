# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Raised-cosine fades and gains, to begin, end and change a voice without a click.

Over n samples the gain goes from one value to the other with the weight (1 - cos(pi * (i + 1/2) / n)) / 2, so a
fade-out and a fade-in of the same signal add up to it.
"""

from cpython.buffer cimport PyBuffer_Release
from libc.math cimport M_PI, cos, isfinite
from libc.stdint cimport int16_t
from libc.string cimport memcpy, memset

from tomrt._dsp.pcm cimport new_bytes, open_samples, samples_of, to_sample


cdef double MOST_GAIN = 16.0


cdef bytes scaled(object pcm, Py_ssize_t samples, double start, double stop):
    cdef Py_buffer view
    cdef const int16_t *source
    cdef int16_t *target
    cdef Py_ssize_t count, ramp, i
    if samples < 0:
        raise ValueError(f"A fade has zero or more samples, got {samples}.")
    open_samples(pcm, &view)
    try:
        result = new_bytes(view.len)
        source = <const int16_t *> view.buf
        target = samples_of(result)
        count = view.len // 2
        ramp = min(samples, count)
        for i in range(ramp):
            target[i] = to_sample(<float> (
                source[i] * (start + (stop - start) * (0.5 - 0.5 * cos(M_PI * (i + 0.5) / samples)))
            ))
        if stop == 1.0:
            memcpy(target + ramp, source + ramp, (count - ramp) * sizeof(int16_t))
        elif stop == 0.0:
            memset(target + ramp, 0, (count - ramp) * sizeof(int16_t))
        else:
            for i in range(ramp, count):
                target[i] = to_sample(<float> (source[i] * stop))
    finally:
        PyBuffer_Release(&view)
    return result


def fade_in(pcm, Py_ssize_t samples, /):
    """Return *pcm* with its first *samples* samples rising from silence."""
    return scaled(pcm, samples, 0.0, 1.0)


def fade_out(pcm, Py_ssize_t samples, /):
    """Return *pcm* with its first *samples* samples falling to silence, and nothing but silence after them."""
    return scaled(pcm, samples, 1.0, 0.0)


def gain(pcm, Py_ssize_t samples, double start, double stop, /):
    """Return *pcm* amplified by *start*, changing to *stop* within its first *samples* samples."""
    if not (isfinite(start) and isfinite(stop) and 0.0 <= start <= MOST_GAIN and 0.0 <= stop <= MOST_GAIN):
        raise ValueError(f"A gain is a factor from 0 to {MOST_GAIN:.0f}, got {start} and {stop}.")
    return scaled(pcm, samples, start, stop)
