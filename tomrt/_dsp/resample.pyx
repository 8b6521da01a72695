# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, auto_pickle=False
"""Streaming polyphase resampler for any rational ratio.

Design:
1. One windowed-sinc low-pass (Kaiser window, about 95 dB of stop band), 24 periods of the lower rate to either side,
   cut at half the lower rate. So 8 kHz speech waits 3 ms for its right half of the filter, 16 kHz speech 1.5 ms, and
   nothing else.
2. For up/down in lowest terms there are ``up`` phases of that filter; each is scaled to a sum of one, so a constant
   stays that constant in every phase.
3. Output sample m stands at input time m * down / up exactly: the stream is not shifted, it is only late.
4. Every output is the same eight partial sums over the same window, whatever the chunk it arrived in; with contraction
   to fused multiply-add switched off (see setup.py) the bits do not depend on chunking nor on the processor.

Source of the formulas: J. F. Kaiser, "Nonrecursive digital filter design using the I0-sinh window function", 1974;
R. E. Crochiere and L. R. Rabiner, "Multirate Digital Signal Processing", 1983, section 3.3 (polyphase structure).
"""

cimport cython
from cpython.buffer cimport PyBuffer_Release
from libc.math cimport M_PI, ceil, sin, sqrt
from libc.stdint cimport int16_t, int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memmove, memset
from math import gcd

from tomrt._dsp.pcm cimport new_bytes, open_samples, samples_of, to_sample

cdef enum:
    HALF_WIDTH = 24         # periods of the lower rate on either side of the filter's centre
    SLICE = 1024            # input samples converted at a time
    MAX_PHASES = 2048       # keeps the table of an odd pair of rates within about a megabyte

cdef double KAISER_BETA = 9.5


cdef double bessel_i0(double x) noexcept:
    """Return the modified Bessel function of order zero, by its power series."""
    cdef double total = 1.0, term = 1.0
    cdef int k = 1
    while term > 1e-18 * total:
        term *= (x / (2 * k)) * (x / (2 * k))
        total += term
        k += 1
    return total


cdef double low_pass(double t) noexcept:
    """Return the filter's weight *t* periods of the lower rate away from its centre."""
    cdef double edge = t / HALF_WIDTH
    if edge <= -1.0 or edge >= 1.0:
        return 0.0
    cdef double sinc = 1.0 if t == 0.0 else sin(M_PI * t) / (M_PI * t)
    return sinc * bessel_i0(KAISER_BETA * sqrt(1.0 - edge * edge))


cdef inline float dot(const float *weights, const float *samples, int count) noexcept nogil:
    """Return the sum of products, in eight interleaved partial sums."""
    cdef float part[8]
    cdef int i, lane
    for lane in range(8):
        part[lane] = 0.0
    for i in range(0, count, 8):
        for lane in range(8):
            part[lane] += weights[i + lane] * samples[i + lane]
    return ((part[0] + part[4]) + (part[2] + part[6])) + ((part[1] + part[5]) + (part[3] + part[7]))


@cython.final
cdef class Resampler:
    """A stream of samples at one rate becomes a stream at another."""

    def __cinit__(self, int rate_in, int rate_out):
        if rate_in <= 0 or rate_out <= 0:
            raise ValueError(f"Sample rates are positive, got {rate_in} and {rate_out} Hz.")
        self.rate_in = rate_in
        self.rate_out = rate_out
        divisor = gcd(rate_in, rate_out)
        self.up = rate_out // divisor
        self.down = rate_in // divisor
        if self.up == self.down:
            return
        if self.up > MAX_PHASES or self.down > 64 * self.up:
            raise ValueError(f"{rate_in} to {rate_out} Hz is {self.up}/{self.down}: too odd a ratio to resample by.")
        cdef double slower = min(rate_in, rate_out) / <double> rate_in
        self.reach = <int> ceil(HALF_WIDTH / slower)
        self.taps = (2 * self.reach + 7) // 8 * 8
        self.bank = <float *> calloc(self.up * self.taps, sizeof(float))
        self.window = <float *> calloc(self.taps + SLICE + 64, sizeof(float))
        if self.bank == NULL or self.window == NULL:
            raise MemoryError
        self.design(slower)
        self.rewind()

    def __dealloc__(self):
        free(self.bank)
        free(self.window)

    cdef void design(self, double slower) noexcept:
        """Fill the bank: row *p* weighs the window for an output *p*/up of an input period after a sample."""
        cdef int phase, tap
        cdef double total, distance, weight
        cdef float *row
        for phase in range(self.up):
            row = self.bank + phase * self.taps
            total = 0.0
            for tap in range(self.taps):
                distance = tap - (self.taps - 1 - self.reach) - phase / <double> self.up
                weight = low_pass(distance * slower)
                row[tap] = <float> weight
                total += weight
            for tap in range(self.taps):
                row[tap] = <float> (row[tap] / total)

    cdef void rewind(self) noexcept:
        """Go back to the beginning of a stream: silence before it, nothing taken or given."""
        self.taken = 0
        self.given = 0
        self.phase = 0
        if self.taps:
            memset(self.window, 0, self.taps * sizeof(float))
            self.filled = self.taps - 1 - self.reach
            self.newest = self.taps - 1

    cdef int64_t due(self, int64_t taken) noexcept:
        """Return how many output samples can be given once *taken* input samples are in."""
        cdef int64_t complete = taken - self.reach
        return (complete * self.up + self.down - 1) // self.down if complete > 0 else 0

    cdef Py_ssize_t feed(self, const int16_t *source, Py_ssize_t count, int16_t *target) noexcept:
        """Take *count* samples (zeros where *source* is NULL), write what is due, return how many were written."""
        cdef int64_t before = self.given
        cdef Py_ssize_t piece, i, keep
        if self.up == self.down:
            memcpy(target, source, count * sizeof(int16_t))
            self.taken += count
            self.given += count
            return count
        self.taken += count
        while count:
            piece = min(count, SLICE)
            if source == NULL:
                memset(self.window + self.filled, 0, piece * sizeof(float))
            else:
                for i in range(piece):
                    self.window[self.filled + i] = source[i]
                source += piece
            self.filled += piece
            count -= piece
            while self.newest < self.filled:
                target[0] = to_sample(
                    dot(self.bank + self.phase * self.taps, self.window + self.newest + 1 - self.taps, self.taps)
                )
                target += 1
                self.given += 1
                self.phase += self.down
                self.newest += self.phase // self.up
                self.phase %= self.up
            # What the next output will not look at any more leaves the window.
            keep = min(self.newest + 1 - self.taps, self.filled)
            memmove(self.window, self.window + keep, (self.filled - keep) * sizeof(float))
            self.filled -= keep
            self.newest -= keep
        return <Py_ssize_t> (self.given - before)

    @property
    def delay(self):
        """Seconds of input that an output sample waits for."""
        return self.reach / <double> self.rate_in

    def process(self, pcm, /):
        """Take the next samples and return those that are complete."""
        cdef Py_buffer view
        open_samples(pcm, &view)
        try:
            fresh = new_bytes(2 * (self.due(self.taken + view.len // 2) - self.given))
            self.feed(<const int16_t *> view.buf, view.len // 2, samples_of(fresh))
        finally:
            PyBuffer_Release(&view)
        return fresh

    def flush(self):
        """End the stream: return what is still due, and begin a new stream."""
        tail = new_bytes(2 * (self.due(self.taken + self.reach) - self.given))
        if self.reach:
            self.feed(NULL, self.reach, samples_of(tail))
        self.rewind()
        return tail

    def reset(self):
        """Forget the stream and begin a new one."""
        self.rewind()
