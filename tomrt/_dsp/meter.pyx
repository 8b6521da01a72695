# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, auto_pickle=False
"""Level meter: RMS, peak, clipping and direct current in one pass.

The sums are integers, so a reading does not depend on the pieces in which the signal arrived.
"""

cimport cython
from cpython.buffer cimport PyBuffer_Release
from libc.math cimport log10
from libc.stdint cimport int16_t, int64_t

from tomrt._dsp.pcm cimport open_samples

cdef enum:
    FULL_SCALE = 32768
    CLIPPED = 32124         # the outermost value of mu-law: nothing that came over a G.711 line reaches further

cdef double SILENCE_DBFS = -127.0


cdef void tally(Tally *sums, const int16_t *samples, Py_ssize_t count) noexcept:
    """Add *count* samples to *sums*."""
    cdef Py_ssize_t i
    cdef int sample, magnitude
    cdef int peak = sums.peak
    cdef int64_t total = 0, squares = 0, clipped = 0
    for i in range(count):
        sample = samples[i]
        magnitude = -sample if sample < 0 else sample
        total += sample
        squares += sample * sample
        clipped += magnitude >= CLIPPED
        peak = magnitude if magnitude > peak else peak
    sums.count += count
    sums.total += total
    sums.squares += squares
    sums.clipped += clipped
    sums.peak = peak


cdef double level_dbfs(const Tally *sums) noexcept:
    """Return the RMS level without its direct current, in dB of full scale; never below -127."""
    if sums.count == 0:
        return SILENCE_DBFS
    cdef double mean = sums.total / <double> sums.count
    cdef double power = (sums.squares / <double> sums.count - mean * mean) / (<double> FULL_SCALE * FULL_SCALE)
    return max(10.0 * log10(power), SILENCE_DBFS) if power > 1e-13 else SILENCE_DBFS


@cython.final
cdef class Level:
    """One reading of a meter."""

    cdef readonly int64_t samples
    cdef readonly double rms_dbfs
    cdef readonly int peak
    cdef readonly int64_t clipped
    cdef readonly double dc

    def __init__(self):
        raise TypeError("A Level is read from a Meter, not made.")

    def __repr__(self):
        return (
            f"Level(samples={self.samples}, rms_dbfs={self.rms_dbfs:.2f}, peak={self.peak}, "
            f"clipped={self.clipped}, dc={self.dc:.2f})"
        )


cdef Level reading(const Tally *sums):
    cdef Level level = Level.__new__(Level)
    level.samples = sums.count
    level.rms_dbfs = level_dbfs(sums)
    level.peak = sums.peak
    level.clipped = sums.clipped
    level.dc = sums.total / <double> sums.count if sums.count else 0.0
    return level


@cython.final
cdef class Meter:
    """Adds up samples until it is read."""

    cdef Tally sums

    def push(self, pcm, /):
        """Add the next samples."""
        cdef Py_buffer view
        open_samples(pcm, &view)
        tally(&self.sums, <const int16_t *> view.buf, view.len // 2)
        PyBuffer_Release(&view)

    def read(self):
        """Return the level of everything pushed since the beginning or the last reset."""
        return reading(&self.sums)

    def reset(self):
        """Begin again with no samples."""
        self.sums = Tally(0, 0, 0, 0, 0)


def measure(pcm, /):
    """Return the level of one buffer."""
    meter = Meter()
    meter.push(pcm)
    return meter.read()
