# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, binding=False, auto_pickle=False
"""Streaming polyphase resampler for any rational ratio.

Design:
1. The filter is a linear-phase low-pass, 24 periods of the lower rate to either side (lowpass.pyx). So 8 kHz speech
   waits 3 ms for its right half of the filter, 16 kHz speech 1.5 ms, and nothing else.
2. Output sample m stands at input time m * down / up exactly: the stream is not shifted, it is only late.
3. Every output is the same operations in the same order over the same samples, whatever the chunk it arrived in and
   however wide the processor's vectors (fir.h); with contraction to fused multiply-add switched off (setup.py) the bits
   depend on neither.
4. A stream keeps only the samples that its next output needs. Everything else is room to work in, shared by all
   streams: the interpreter lock is held, and the room stays in the processor's cache.

Source: R. E. Crochiere and L. R. Rabiner, "Multirate Digital Signal Processing", 1983, section 3.3.
"""

cimport cython
from cpython.buffer cimport PyBuffer_Release
from libc.stdint cimport int16_t, int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memmove, memset

from tomrt._dsp.lowpass cimport MOST_ACROSS, SLICE, LowPass, Phase, low_pass_for
from tomrt._dsp.pcm cimport new_bytes, open_samples, samples_of, to_sample


cdef extern from "fir_clones.h":
    bint use_wide(bint wanted) noexcept
    void fold(
        const float *x,
        const float *weight,
        const Py_ssize_t *left,
        const Py_ssize_t *right,
        Py_ssize_t terms,
        float *y,
        Py_ssize_t count,
    ) noexcept
    void filter_plain(
        const float *x, const float *weight, const Py_ssize_t *left, Py_ssize_t terms, float *y, Py_ssize_t count
    ) noexcept
    float dot(const float *weight, const float *x, Py_ssize_t taps) noexcept
    void widen(const int16_t *samples, Py_ssize_t step, float *x, Py_ssize_t count) noexcept
    void pack(const float *y, Py_ssize_t stride, Py_ssize_t up, int16_t *samples, Py_ssize_t groups) noexcept


cdef enum:
    STRIDE = 1136           # of the widest plane, see LowPass

# Room for one slice: its input as planes, its output as phases, and as samples that are not all asked for.
cdef float planes[2 * STRIDE]
cdef float phases_out[MOST_ACROSS * STRIDE]
cdef int16_t samples_out[MOST_ACROSS * STRIDE]

use_wide(True)


cdef inline int64_t parts(int64_t count, int size) noexcept:
    """Return how often *size* is contained in a count; one and two are frequent, and a division is slow."""
    return count if size == 1 else count >> 1 if size == 2 else count // size


@cython.final
cdef class Resampler:
    """A stream of samples at one rate becomes a stream at another."""

    def __cinit__(self, int rate_in, int rate_out):
        if rate_in <= 0 or rate_out <= 0:
            raise ValueError(f"Sample rates are positive, got {rate_in} and {rate_out} Hz.")
        self.rate_in = rate_in
        self.rate_out = rate_out
        self.up = self.down = 1
        if rate_in == rate_out:
            return
        self.low_pass = low_pass_for(rate_in, rate_out)
        self.up = self.low_pass.up
        self.down = self.low_pass.down
        self.reach = self.low_pass.reach
        self.span = 2 * self.low_pass.before + 2
        if self.low_pass.across:
            self.kept = <float *> calloc(self.down * self.span, sizeof(float))
        else:
            self.window = <float *> calloc(self.low_pass.taps + SLICE + 64, sizeof(float))
        if self.kept == NULL and self.window == NULL:
            raise MemoryError
        self.rewind()

    def __dealloc__(self):
        free(self.kept)
        free(self.window)

    cdef void rewind(self) noexcept:
        """Go back to the beginning of a stream: silence before it, nothing taken or given."""
        self.taken = 0
        self.given = 0
        self.phase = 0
        if self.kept != NULL:
            memset(self.kept, 0, self.down * self.span * sizeof(float))
        if self.window != NULL:
            memset(self.window, 0, self.low_pass.taps * sizeof(float))
            self.filled = self.low_pass.taps - 1 - self.reach
            self.newest = self.low_pass.taps - 1

    cdef int64_t due(self, int64_t taken) noexcept:
        """Return how many output samples can be given once *taken* input samples are in."""
        cdef int64_t complete = taken - self.reach
        return parts(complete * self.up + self.down - 1, self.down) if complete > 0 else 0

    cdef Py_ssize_t feed(self, const int16_t *source, Py_ssize_t count, int16_t *target) noexcept:
        """Take *count* samples (zeros where *source* is NULL), write what is due, return how many were written."""
        cdef int64_t before = self.given
        cdef Py_ssize_t piece
        if self.low_pass is None:
            memcpy(target, source, count * sizeof(int16_t))
            self.taken += count
            self.given += count
            return count
        while count:
            piece = count if count < SLICE else SLICE
            if self.low_pass.across:
                self.step_across(source, piece, target + (self.given - before))
            else:
                self.step_single(source, piece, target + (self.given - before))
            if source != NULL:
                source += piece
            count -= piece
        return <Py_ssize_t> (self.given - before)

    cdef void deal(self, const int16_t *source, Py_ssize_t count, int64_t first_group) noexcept:
        """Lay out what was kept and *count* samples in the planes, and take note of the samples."""
        cdef int stride = self.low_pass.stride, plane, skipped
        cdef int64_t origin = (first_group - self.low_pass.before) * self.down     # of index 0 in every plane
        cdef int into = <int> (self.taken - parts(self.taken, self.down) * self.down)
        cdef Py_ssize_t many
        cdef float *at
        for plane in range(self.down):
            memcpy(planes + plane * stride, self.kept + plane * self.span, self.span * sizeof(float))
            skipped = plane - into + (self.down if plane < into else 0)
            if skipped < count:
                many = <Py_ssize_t> parts(count - skipped + self.down - 1, self.down)
                at = planes + plane * stride + parts(self.taken + skipped - origin, self.down)
                if source == NULL:
                    memset(at, 0, many * sizeof(float))
                else:
                    widen(source + skipped, self.down, at, <int> many)
        self.taken += count

    cdef void step_across(self, const int16_t *source, Py_ssize_t count, int16_t *target) noexcept:
        """Take at most a slice and write what is due, all outputs of a phase side by side.

        Whole groups of up outputs are computed, and those left out that were given before or are not yet due.
        """
        cdef int stride = self.low_pass.stride, p, groups, lead
        cdef int64_t first_group = parts(self.given, self.up), due
        cdef Phase *phase
        cdef bint whole
        self.deal(source, count, first_group)
        due = self.due(self.taken)
        if due > self.given:
            groups = <int> (parts(due + self.up - 1, self.up) - first_group)
            for p in range(self.up):
                phase = &self.low_pass.phases[p]
                if phase.mirrored:
                    fold(planes, phase.weight, phase.left, phase.right, phase.terms, phases_out + p * stride, groups)
                else:
                    filter_plain(planes, phase.weight, phase.left, phase.terms, phases_out + p * stride, groups)
            lead = <int> (self.given - first_group * self.up)
            whole = lead == 0 and due == (first_group + groups) * self.up
            pack(phases_out, stride, self.up, target if whole else samples_out, groups)
            if not whole:
                memcpy(target, samples_out + lead, (due - self.given) * sizeof(int16_t))
            self.given = due
        first_group = parts(self.given, self.up) - first_group
        for p in range(self.down):
            memcpy(self.kept + p * self.span, planes + p * stride + first_group, self.span * sizeof(float))

    cdef void step_single(self, const int16_t *source, Py_ssize_t count, int16_t *target) noexcept:
        """Take at most a slice and write what is due, one output after the other."""
        cdef int taps = self.low_pass.taps
        cdef const float *bank = self.low_pass.bank
        cdef Py_ssize_t keep
        if source == NULL:
            memset(self.window + self.filled, 0, count * sizeof(float))
        else:
            widen(source, 1, self.window + self.filled, <int> count)
        self.filled += count
        self.taken += count
        while self.newest < self.filled:
            target[0] = to_sample(dot(bank + self.phase * taps, self.window + self.newest + 1 - taps, taps))
            target += 1
            self.given += 1
            self.phase += self.down
            self.newest += self.phase // self.up
            self.phase %= self.up
        # What the next output will not look at any more leaves the window.
        keep = min(self.newest + 1 - taps, self.filled)
        memmove(self.window, self.window + keep, (self.filled - keep) * sizeof(float))
        self.filled -= keep
        self.newest -= keep

    @property
    def delay(self):
        """Seconds of input that an output sample waits for."""
        return self.reach / <double> self.rate_in

    @property
    def delay_samples(self):
        """Input samples after its own time that an output sample waits for."""
        return self.reach

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


def _use_baseline(bint only, /):
    """Do without AVX2, or use it again where there is any; return whether it is in use."""
    return use_wide(not only)
