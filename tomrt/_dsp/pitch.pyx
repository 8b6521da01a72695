# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, auto_pickle=False
"""Where a signal repeats itself: the lag of the greatest normalised correlation.

The search runs on integers scaled to 12 bits, so that the products of a whole window fit 32 bits and the answer is the
same on every processor.

Source: L. R. Rabiner, "On the use of autocorrelation analysis for pitch detection", IEEE Trans. ASSP 25(1), 1977.
"""

from cpython.buffer cimport PyBuffer_Release
from libc.math cimport sqrt
from libc.stdint cimport int16_t

from tomrt._dsp.pcm cimport open_samples

cdef enum:
    HEADROOM = 2047         # a window of 511 samples of this size still fits 31 bits
    WIDEST = 511

cdef double LEAST_ENERGY = 40.0     # keeps the dither of an idle line from looking periodic


cdef void scale(const int16_t *source, int16_t *target, int count) noexcept:
    """Copy *source*, shifted right until nothing in it exceeds 12 bits."""
    cdef int i, magnitude, peak = 0, shift = 0
    for i in range(count):
        magnitude = source[i]
        magnitude = -magnitude if magnitude < 0 else magnitude
        peak = magnitude if magnitude > peak else peak
    while (peak >> shift) > HEADROOM:
        shift += 1
    for i in range(count):
        target[i] = source[i] >> shift


cdef inline int dot(const int16_t *a, const int16_t *b, int count) noexcept:
    cdef int i, total = 0
    for i in range(count):
        total += <int> a[i] * <int> b[i]
    return total


cdef inline double likeness(double product, double energy, double other) noexcept:
    return product / sqrt((energy + LEAST_ENERGY) * (other + LEAST_ENERGY))


cdef Match pitch_before(const int16_t *end, int window, int near, int shortest, int longest) noexcept:
    """Compare the *window* samples before *end* with what came before them.

    The last *near* of them count once more by themselves: what follows resembles them most. Reads ``window + longest``
    samples, at most ``MOST_SAMPLES``; *window* is at most 511.
    """
    cdef int16_t[MOST_SAMPLES] signal
    cdef int16_t *now
    cdef int16_t *then
    cdef int lag, close, far, close_energy, far_energy, then_close, then_far
    cdef int rest = window - near
    cdef double score, whole, best = -2.0
    cdef Match found = Match(0, 0.0)
    scale(end - window - longest, signal, window + longest)
    now = signal + longest
    far_energy = dot(now, now, rest)
    close_energy = dot(now + rest, now + rest, near)
    then = now - shortest
    then_far = dot(then, then, rest)
    then_close = dot(then + rest, then + rest, near)
    for lag in range(shortest, longest + 1):
        then = now - lag
        far = dot(now, then, rest)
        close = dot(now + rest, then + rest, near)
        whole = likeness(<double> far + close, <double> far_energy + close_energy, <double> then_far + then_close)
        score = whole + likeness(close, close_energy, then_close)
        if score > best:
            best = score
            found.lag = lag
            found.likeness = whole
        if lag < longest:           # both windows move one sample back
            then_far += <int> (then - 1)[0] * (then - 1)[0] - <int> then[rest - 1] * then[rest - 1]
            then_close += <int> then[rest - 1] * then[rest - 1] - <int> then[window - 1] * then[window - 1]
    return found


cdef Match match_ahead(const int16_t *start, int window, int shortest, int longest) noexcept:
    """Compare *window* samples from *start* with what comes *shortest* to *longest* samples later.

    Reads ``window + longest`` samples, at most ``MOST_SAMPLES``; *window* is at most 511.
    """
    cdef int16_t[MOST_SAMPLES] signal
    cdef int lag, energy, then_energy
    cdef double score, best = -2.0
    cdef Match found = Match(0, 0.0)
    if window < 1 or longest < shortest:
        return found
    scale(start, signal, window + longest)
    energy = dot(signal, signal, window)
    then_energy = dot(signal + shortest, signal + shortest, window)
    for lag in range(shortest, longest + 1):
        score = likeness(dot(signal, signal + lag, window), energy, then_energy)
        if score > best:
            best = score
            found.lag = lag
            found.likeness = score
        if lag < longest:
            then_energy += <int> signal[lag + window] * signal[lag + window] - <int> signal[lag] * signal[lag]
    return found


def pitch(pcm, int window, int shortest, int longest, /):
    """Return lag and likeness at the end of *pcm*."""
    cdef Py_buffer view
    cdef Match found
    if not (2 <= window <= WIDEST and 1 <= shortest <= longest and window + longest <= MOST_SAMPLES):
        raise ValueError(
            f"A pitch search has a window of 2 to {WIDEST} samples, lags from 1 on, and at most {MOST_SAMPLES} samples "
            f"together, not a window of {window} and lags of {shortest} to {longest}."
        )
    open_samples(pcm, &view)
    try:
        if view.len // 2 < window + longest:
            raise ValueError(f"This pitch search needs {window + longest} samples, not {view.len // 2}.")
        found = pitch_before(<const int16_t *> view.buf + view.len // 2, window, window // 2, shortest, longest)
    finally:
        PyBuffer_Release(&view)
    return found.lag, found.likeness
