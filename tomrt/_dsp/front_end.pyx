# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, binding=False, auto_pickle=False
"""All of a call's ingress in one call: decoding, level, speech detection, resampling, and a ring of what was said.

Design:
1. One object per call owns detector, resampler, running frame and ring: about 4 KB besides the ring, and nothing is
   allocated per push but the list of reports. Room to decode into is shared by all calls.
2. Samples go through the level and the detector in pieces that end at a hop, so the results do not depend on how the
   network cut the stream.
3. The resampler writes straight into the ring. The ring's memory is twice its capacity: from the second lap on, every
   sample is written to both halves, so that whatever the ring holds lies in one piece somewhere, and can be looked at
   without a copy. A call that is shorter than the ring never touches the second half.
4. The interpreter lock is kept: giving it up costs more than the work.
"""

cimport cython
from cpython.buffer cimport PyBUF_FORMAT, PyBUF_ND, PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release
from libc.stdint cimport int16_t, int64_t, uint8_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from tomrt._dsp.g711 cimport ALAW, ULAW, Law, decode_into
from tomrt._dsp.meter cimport Tally, level_dbfs, tally
from tomrt._dsp.pcm cimport open_bytes, open_samples
from tomrt._dsp.resample cimport Resampler
from tomrt._dsp.vad cimport Vad

cdef enum:
    RING_HZ = 16000
    LONGEST_RING_S = 3600
    MAX_HOP = 160           # samples of 10 ms at the highest rate
    BLOCK = 640             # samples taken at a time; at 16 kHz less than the smallest ring holds

cdef int16_t decoded[BLOCK]
cdef char *sixteen_bits = b"h"


cdef inline int attenuation(double dbfs) noexcept:
    """Return a level as whole decibels below full scale, 0 to 127."""
    return 0 if dbfs > 0.0 else 127 if dbfs < -127.0 else <int> (0.5 - dbfs)


cdef inline int quarters(float odds) noexcept:
    """Return log-odds in quarters from -8, 0 to 63."""
    return 0 if odds < -8.0 else 63 if odds > 7.75 else <int> (4.0 * (odds + 8.0) + 0.5)


@cython.final
cdef class Window:
    """A piece of a ring, for whoever asks for its buffer."""

    cdef FrontEnd owner                 # keeps the memory
    cdef int16_t *samples
    cdef Py_ssize_t shape[1]
    cdef Py_ssize_t strides[1]

    def __init__(self):
        raise TypeError("A Window is looked at through FrontEnd.view.")

    def __getbuffer__(self, Py_buffer *view, int flags):
        if flags & PyBUF_WRITABLE:
            raise BufferError("What a line said cannot be changed.")
        view.obj = self
        view.buf = self.samples
        view.len = self.shape[0] * sizeof(int16_t)
        view.itemsize = sizeof(int16_t)
        view.readonly = 1
        view.format = sixteen_bits if flags & PyBUF_FORMAT else NULL
        view.ndim = 1
        view.shape = self.shape if flags & PyBUF_ND else NULL
        view.strides = self.strides if flags & PyBUF_STRIDES == PyBUF_STRIDES else NULL
        view.suboffsets = NULL
        view.internal = NULL


@cython.final
cdef class FrontEnd:
    """A call's ears: takes the line's samples, reports every 20 ms, remembers the last seconds at 16 kHz."""

    cdef readonly int rate_hz
    cdef readonly int64_t frames        # reported so far
    cdef readonly int64_t position      # samples written to the ring so far
    cdef readonly int64_t capacity      # samples the ring holds
    cdef readonly str codec
    cdef bint coded
    cdef Law law
    cdef Vad vad
    cdef Resampler resampler
    cdef Tally frame
    cdef int frame_samples
    cdef int hop_samples
    cdef int held                       # samples of the frame under way
    cdef int into                       # samples of the hop under way
    cdef int marks                      # speech, onset and offset of the frame under way
    cdef double likeliest
    cdef float evidence                 # of the frame under way
    cdef int16_t waiting[MAX_HOP]       # samples of the hop under way
    cdef Py_ssize_t at                  # where in the ring the next sample goes
    cdef int16_t *ring

    def __cinit__(self, int rate_hz, double ring_s=40.0, str codec="pcm16"):
        if rate_hz != 8000 and rate_hz != 16000:
            raise ValueError(f"A line has 8000 or 16000 Hz, got {rate_hz} Hz.")
        if not 0.1 <= ring_s <= LONGEST_RING_S:
            raise ValueError(f"A ring holds 0.1 to {LONGEST_RING_S} seconds, got {ring_s}.")
        if codec not in ("pcm16", "ulaw", "alaw"):
            raise ValueError(f"A line speaks pcm16, ulaw or alaw, not {codec!r}.")
        self.rate_hz = rate_hz
        self.codec = codec
        self.coded = codec != "pcm16"
        self.law = ALAW if codec == "alaw" else ULAW
        self.hop_samples = rate_hz // 100
        self.frame_samples = rate_hz // 50
        self.vad = Vad(rate_hz)
        self.evidence = -8.0
        self.resampler = Resampler(rate_hz, RING_HZ)
        self.capacity = <int64_t> (ring_s * RING_HZ + 0.5)
        self.ring = <int16_t *> calloc(2 * self.capacity, sizeof(int16_t))
        if self.ring == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.ring)

    @property
    def oldest(self):
        """Position of the first sample that the ring still holds."""
        return max(self.position - self.capacity, 0)

    @property
    def received(self):
        """Samples of the line taken so far."""
        return self.resampler.taken

    @property
    def speech(self):
        """Whether someone speaks, as decided at the latest hop."""
        return self.vad.speech

    @property
    def timbre(self):
        """What the latest hop is like: six levels against their mean, periodicity, change of the pitch."""
        cdef float *given = self.vad.features
        return given[13], given[14], given[15], given[16], given[17], given[18], 0.1 * given[19], 0.1 * given[20]

    cdef void remember(self, const int16_t *source, Py_ssize_t count) noexcept:
        """Append at most a block to the ring, at 16 kHz."""
        cdef Py_ssize_t made = self.resampler.feed(source, count, self.ring + self.at)
        cdef Py_ssize_t head = min(made, <Py_ssize_t> self.capacity - self.at)
        if self.position >= self.capacity:
            memcpy(self.ring + self.capacity + self.at, self.ring + self.at, head * sizeof(int16_t))
        self.position += made
        self.at += made
        if self.at >= self.capacity:
            # What went over the end is already where the second half wants it.
            self.at -= <Py_ssize_t> self.capacity
            memcpy(self.ring, self.ring + self.capacity, self.at * sizeof(int16_t))

    cdef void finish_hop(self, const int16_t *samples) noexcept:
        """Let the detector look at the hop that is complete."""
        cdef bint before = self.vad.speech
        self.vad.hop(samples)
        if self.vad.probability > self.likeliest:
            self.likeliest = self.vad.probability
        self.evidence = max(self.evidence, self.vad.evidence_odds)
        if self.vad.speech != before:
            self.marks |= 4 if before else 2

    cdef int64_t finish_frame(self) noexcept:
        """Return the packed report of the frame that is complete, and begin the next one."""
        cdef int64_t report = self.marks
        if self.vad.speech:
            report |= 1
        if self.frame.clipped:
            report |= 8
        report |= <int> (self.likeliest * 255.0 + 0.5) << 4
        report |= attenuation(level_dbfs(&self.frame)) << 12
        report |= attenuation(self.vad.floor_dbfs()) << 19
        report |= <int64_t> quarters(self.evidence) << 26
        self.frame = Tally(0, 0, 0, 0, 0)
        self.likeliest = 0.0
        self.evidence = -8.0
        self.marks = 0
        self.held = 0
        self.frames += 1
        return report

    cdef Py_ssize_t take(self, const int16_t *source, Py_ssize_t left) noexcept:
        """Take samples up to the end of the hop under way; return how many."""
        cdef Py_ssize_t piece = min(left, self.hop_samples - self.into)
        tally(&self.frame, source, piece)
        self.held += <int> piece
        if piece == self.hop_samples:
            self.finish_hop(source)
            return piece
        memcpy(self.waiting + self.into, source, piece * sizeof(int16_t))
        self.into += <int> piece
        if self.into == self.hop_samples:
            self.into = 0
            self.finish_hop(self.waiting)
        return piece

    cdef int hear(self, const int16_t *source, Py_ssize_t left, list reports) except -1:
        """Take at most a block, and append the reports of the frames that it completes."""
        cdef Py_ssize_t piece
        self.remember(source, left)
        while left:
            piece = self.take(source, left)
            source += piece
            left -= piece
            if self.held == self.frame_samples:
                reports.append(self.finish_frame())
        return 0

    def push(self, data, /):
        """Take what the line says next; return the packed report of each frame it completes."""
        cdef Py_buffer view
        cdef const uint8_t *source
        cdef Py_ssize_t left, piece
        cdef list reports = []
        if self.coded:
            open_bytes(data, &view)
        else:
            open_samples(data, &view)
        try:
            source = <const uint8_t *> view.buf
            left = view.len if self.coded else view.len // 2
            while left:
                piece = min(left, BLOCK)
                if self.coded:
                    decode_into(self.law, source, decoded, piece)
                    self.hear(decoded, piece, reports)
                    source += piece
                else:
                    self.hear(<const int16_t *> source, piece, reports)
                    source += 2 * piece
                left -= piece
        finally:
            PyBuffer_Release(&view)
        return reports

    def view(self, int64_t start, int64_t stop, /):
        """Return a look at what the ring still holds between two positions, and where that starts."""
        cdef int64_t oldest = max(self.position - self.capacity, 0)
        cdef int64_t first = max(start, oldest)
        cdef Window window = Window.__new__(Window)
        window.owner = self
        window.shape[0] = <Py_ssize_t> max(min(stop, self.position) - first, 0)
        window.strides[0] = sizeof(int16_t)
        # A place in the first half; what follows it goes on into the second.
        window.samples = self.ring + first % self.capacity
        return first, memoryview(window)

    def read(self, int64_t start, int64_t stop, /):
        """Return what the ring still holds between two positions, and where that starts."""
        first, window = self.view(start, stop)
        return first, bytes(window)
