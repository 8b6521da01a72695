cimport cython
from libc.stdint cimport int16_t, int64_t

cdef enum:
    BANDS = 13
    HOP = 80                # 10 ms at 8 kHz
    PAST = 260              # samples that the pitch search looks at: 20 ms and a lag of 12.5 ms
    EPOCHS = 10             # the noise floor is sought over so many epochs ...
    EPOCH_HOPS = 12         # ... of so many hops
    HALVE_TAPS = 23


cdef struct Section:        # second-order high-pass, transposed direct form II
    double b0
    double b1
    double b2
    double a1
    double a2
    double s1
    double s2


@cython.final
cdef class Vad:
    cdef readonly int rate_hz
    cdef readonly double probability
    cdef readonly bint speech
    cdef readonly int64_t hops
    cdef int hop_samples            # samples of a hop at rate_hz
    cdef int held                   # samples that wait for their hop to be complete
    cdef int evidence               # for an onset
    cdef int quiet                  # hops without speech since the last with it
    cdef bint voiced                # something other than white noise was heard since the onset
    cdef int hiss                   # hops of white noise in a row
    cdef int learned                # hops of real noise that the floor was learnt from
    cdef int epoch_hops
    cdef int epoch
    cdef Section first
    cdef Section second
    cdef int16_t waiting[160]
    cdef float wide[182]            # 16 kHz input before halving: 22 old samples, 160 new ones
    cdef float past[260]
    cdef double band[13]
    cdef double smooth[13]
    cdef double noise[13]
    cdef double low[13]
    cdef double lows[130]

    cdef void clear(self) noexcept
    cdef void narrow(self, const int16_t *samples) noexcept
    cdef double signal_to_noise(self) noexcept
    cdef double spread(self) noexcept
    cdef bint consonant(self, double snr_db, double level, double voiced) noexcept
    cdef void learn(self, double level) noexcept
    cdef void seek_floor(self) noexcept
    cdef void decide(self) noexcept
    cdef void hop(self, const int16_t *samples) noexcept
    cdef double floor_dbfs(self) noexcept
