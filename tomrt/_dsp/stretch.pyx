# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, auto_pickle=False
"""Time stretching by one pitch period with overlap-add, as a jitter buffer needs it.

Both functions look for the lag of 2.5 to 15 ms at which the piece is most alike itself and cross-fade over one such
period at its beginning: first and last sample stay, so the piece fits where it was.

Source: W. Verhelst and M. Roelands, "An overlap-add technique based on waveform similarity (WSOLA) for high quality
time-scale modification of speech", ICASSP 1993.
"""

from cpython.buffer cimport PyBuffer_Release
from libc.stdint cimport int16_t
from libc.string cimport memcpy

from tomrt._dsp.pcm cimport new_bytes, open_samples, samples_of, to_sample
from tomrt._dsp.pitch cimport MOST_SAMPLES, Match, match_ahead

cdef enum:
    WIDEST_WINDOW_MS = 10
    QUIET = 100             # an RMS of -50 dBFS: at such a level any seam passes

cdef bint is_quiet(const int16_t *samples, Py_ssize_t count) noexcept:
    cdef double total = 0.0
    cdef Py_ssize_t i
    for i in range(count):
        total += <double> (<int> samples[i] * <int> samples[i])
    return total < <double> QUIET * QUIET * count


cdef int seam(const int16_t *samples, Py_ssize_t count, int rate_hz, double least_likeness, int most) noexcept:
    """Return the period by which the piece can be stretched, 0 for none."""
    cdef int shortest = rate_hz // 400
    cdef int longest = min(most, 15 * rate_hz // 1000)
    cdef int window = WIDEST_WINDOW_MS * rate_hz // 1000
    cdef Match found
    longest = <int> min(longest, count // 2)
    if longest < shortest:
        return 0
    window = <int> min(window, count - longest)
    if is_quiet(samples, window + longest):
        return longest
    found = match_ahead(samples, window, shortest, longest)
    return found.lag if found.likeness >= least_likeness else 0


cdef void crossfade(const int16_t *old, const int16_t *new, int16_t *target, int count) noexcept:
    cdef int i
    cdef float rise
    for i in range(count):
        rise = (i + <float> 0.5) / count
        target[i] = to_sample(old[i] * (1 - rise) + new[i] * rise)


cdef bytes stretched(object pcm, int rate_hz, double least_likeness, Py_ssize_t most, bint longer):
    cdef Py_buffer view
    cdef const int16_t *source
    cdef int16_t *target
    cdef Py_ssize_t count
    cdef int period
    if rate_hz not in (8000, 16000):
        raise ValueError(f"Pieces are stretched at 8000 and 16000 Hz, not at {rate_hz} Hz.")
    if not -1.0 <= least_likeness <= 1.0 or most < 0:
        raise ValueError(f"A likeness of {least_likeness} or a change of {most} samples cannot be.")
    open_samples(pcm, &view)
    try:
        source = <const int16_t *> view.buf
        count = view.len // 2
        period = seam(source, count, rate_hz, least_likeness, <int> min(most, MOST_SAMPLES))
        if longer:
            result = new_bytes(view.len + 2 * period)
            target = samples_of(result)
            memcpy(target, source, period * sizeof(int16_t))
            crossfade(source + period, source, target + period, period)
            memcpy(target + 2 * period, source + period, (count - period) * sizeof(int16_t))
        else:
            result = new_bytes(view.len - 2 * period)
            target = samples_of(result)
            crossfade(source, source + period, target, period)
            memcpy(target + period, source + 2 * period, (count - 2 * period) * sizeof(int16_t))
    finally:
        PyBuffer_Release(&view)
    return result


def shorten(pcm, int rate_hz, double least_likeness=0.9, Py_ssize_t most=1024, /):
    """Return *pcm* without one of its periods, or as it is."""
    return stretched(pcm, rate_hz, least_likeness, most, False)


def lengthen(pcm, int rate_hz, double least_likeness=0.9, Py_ssize_t most=1024, /):
    """Return *pcm* with one of its periods twice, or as it is."""
    return stretched(pcm, rate_hz, least_likeness, most, True)
