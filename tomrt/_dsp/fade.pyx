# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Raised-cosine fades, to begin and end a voice without a click.

Sample i of n is weighed by (1 -/+ cos(pi * (i + 1/2) / n)) / 2, so a fade-out and a fade-in of the same signal add up
to it.
"""

from cpython.buffer cimport PyBuffer_Release
from libc.math cimport M_PI, cos
from libc.stdint cimport int16_t
from libc.string cimport memcpy, memset

from tomrt._dsp.pcm cimport new_bytes, open_samples, samples_of, to_sample


cdef bytes faded(object pcm, Py_ssize_t samples, bint rising):
    cdef Py_buffer view
    cdef const int16_t *source
    cdef int16_t *target
    cdef Py_ssize_t count, ramp, i
    cdef double swing
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
            swing = cos(M_PI * (i + 0.5) / samples)
            target[i] = to_sample(<float> (source[i] * (0.5 - 0.5 * swing if rising else 0.5 + 0.5 * swing)))
        if rising:
            memcpy(target + ramp, source + ramp, (count - ramp) * sizeof(int16_t))
        else:
            memset(target + ramp, 0, (count - ramp) * sizeof(int16_t))
    finally:
        PyBuffer_Release(&view)
    return result


def fade_in(pcm, Py_ssize_t samples, /):
    """Return *pcm* with its first *samples* samples rising from silence."""
    return faded(pcm, samples, True)


def fade_out(pcm, Py_ssize_t samples, /):
    """Return *pcm* with its first *samples* samples falling to silence, and nothing but silence after them."""
    return faded(pcm, samples, False)
