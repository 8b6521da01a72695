# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, auto_pickle=False
"""All of a call's ingress in one call: level, speech detection, resampling to 16 kHz, and a ring of what was heard.

Design: one object per call owns the detector, the resampler, the running frame and the ring; nothing is allocated per
push but the list of reports. Samples go through in pieces that end at a hop, so the results do not depend on how the
network cut the stream. The interpreter lock is kept: giving it up costs more than the work.
"""

cimport cython
from cpython.buffer cimport PyBuffer_Release
from libc.stdint cimport int16_t, int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from tomrt._dsp.meter cimport Tally, level_dbfs, tally
from tomrt._dsp.pcm cimport new_bytes, open_samples, samples_of
from tomrt._dsp.resample cimport Resampler
from tomrt._dsp.vad cimport Vad

cdef enum:
    RING_HZ = 16000
    LONGEST_RING_S = 3600
    MAX_HOP = 160           # samples of 10 ms at the highest rate


cdef inline int attenuation(double dbfs) noexcept:
    """Return a level as whole decibels below full scale, 0 to 127."""
    return <int> min(max(0.5 - dbfs, 0.0), 127.0)


@cython.final
cdef class FrontEnd:
    """A call's ears: takes the line's samples, reports every 20 ms, remembers the last seconds at 16 kHz."""

    cdef readonly int rate_hz
    cdef readonly int64_t frames        # reported so far
    cdef readonly int64_t position      # samples written to the ring so far
    cdef readonly int64_t capacity      # samples the ring holds
    cdef Vad vad
    cdef Resampler resampler
    cdef Tally frame
    cdef int frame_samples
    cdef int hop_samples
    cdef int held                       # samples of the frame under way
    cdef int marks                      # speech, onset and offset of the frame under way
    cdef double likeliest
    cdef int16_t waiting[MAX_HOP]       # samples of the hop under way
    cdef int16_t fresh[2 * MAX_HOP + 8]
    cdef int16_t *ring

    def __cinit__(self, int rate_hz, double ring_s=40.0):
        if rate_hz != 8000 and rate_hz != 16000:
            raise ValueError(f"A line has 8000 or 16000 Hz, got {rate_hz} Hz.")
        if not 0.1 <= ring_s <= LONGEST_RING_S:
            raise ValueError(f"A ring holds 0.1 to {LONGEST_RING_S} seconds, got {ring_s}.")
        self.rate_hz = rate_hz
        self.hop_samples = rate_hz // 100
        self.frame_samples = rate_hz // 50
        self.vad = Vad(rate_hz)
        self.resampler = Resampler(rate_hz, RING_HZ)
        self.capacity = <int64_t> (ring_s * RING_HZ + 0.5)
        self.ring = <int16_t *> calloc(self.capacity, sizeof(int16_t))
        if self.ring == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.ring)

    @property
    def oldest(self):
        """Position of the first sample that the ring still holds."""
        return max(self.position - self.capacity, 0)

    cdef void remember(self, const int16_t *samples, Py_ssize_t count) noexcept:
        """Append at most two hops of 16 kHz samples to the ring."""
        cdef Py_ssize_t at = <Py_ssize_t> (self.position % self.capacity)
        cdef Py_ssize_t head = min(count, <Py_ssize_t> self.capacity - at)
        memcpy(self.ring + at, samples, head * sizeof(int16_t))
        memcpy(self.ring, samples + head, (count - head) * sizeof(int16_t))
        self.position += count

    cdef void finish_hop(self) noexcept:
        """Let the detector look at the hop that is complete."""
        cdef bint before = self.vad.speech
        self.vad.hop(self.waiting)
        self.likeliest = max(self.likeliest, self.vad.probability)
        if self.vad.speech and not before:
            self.marks |= 2
        elif before and not self.vad.speech:
            self.marks |= 4

    cdef int finish_frame(self) noexcept:
        """Return the packed report of the frame that is complete, and begin the next one."""
        cdef int report = self.marks
        if self.vad.speech:
            report |= 1
        if self.frame.clipped:
            report |= 8
        report |= <int> (self.likeliest * 255.0 + 0.5) << 4
        report |= attenuation(level_dbfs(&self.frame)) << 12
        report |= attenuation(self.vad.floor_dbfs()) << 19
        self.frame = Tally(0, 0, 0, 0, 0)
        self.likeliest = 0.0
        self.marks = 0
        self.held = 0
        self.frames += 1
        return report

    cdef Py_ssize_t take(self, const int16_t *source, Py_ssize_t left) noexcept:
        """Take samples up to the end of the hop under way; return how many."""
        cdef int into = self.held % self.hop_samples
        cdef Py_ssize_t piece = min(left, self.hop_samples - into)
        memcpy(self.waiting + into, source, piece * sizeof(int16_t))
        tally(&self.frame, source, piece)
        self.remember(self.fresh, self.resampler.feed(source, piece, self.fresh))
        self.held += <int> piece
        if into + piece == self.hop_samples:
            self.finish_hop()
        return piece

    def push(self, pcm, /):
        """Take the next samples; return the packed report of each frame they complete."""
        cdef Py_buffer view
        cdef const int16_t *source
        cdef Py_ssize_t left, piece
        open_samples(pcm, &view)
        try:
            reports = []
            source = <const int16_t *> view.buf
            left = view.len // 2
            while left:
                piece = self.take(source, left)
                source += piece
                left -= piece
                if self.held == self.frame_samples:
                    reports.append(self.finish_frame())
        finally:
            PyBuffer_Release(&view)
        return reports

    def read(self, int64_t start, int64_t stop, /):
        """Return what the ring still holds between two positions, and where that starts."""
        cdef int64_t first = max(start, max(self.position - self.capacity, 0))
        cdef int64_t count = max(min(stop, self.position) - first, 0)
        cdef Py_ssize_t at = <Py_ssize_t> (first % self.capacity)
        cdef Py_ssize_t head = <Py_ssize_t> min(count, self.capacity - at)
        cdef int16_t *target
        pcm = new_bytes(2 * count)
        target = samples_of(pcm)
        memcpy(target, self.ring + at, head * sizeof(int16_t))
        memcpy(target + head, self.ring, (count - head) * sizeof(int16_t))
        return first, pcm
