cimport cython
from libc.stdint cimport int16_t, int64_t

cdef enum:
    BANDS = 13
    LANES = 16              # BANDS, filled up
    HOP = 80                # 10 ms at 8 kHz
    PAST = 132              # samples kept at 8 kHz: one window of the spectrum, and a little
    EPOCHS = 10             # the noise floor is sought over so many epochs ...
    EPOCH_HOPS = 12         # ... of so many hops


@cython.final
cdef class Vad:
    cdef readonly int rate_hz
    cdef readonly double probability
    cdef readonly bint speech
    cdef readonly int64_t hops
    cdef bint wide                  # use AVX2
    cdef int hop_samples            # samples of a hop at rate_hz
    cdef int held                   # samples that wait for their hop to be complete
    cdef int evidence               # for an onset
    cdef int quiet                  # hops without speech since the last with it
    cdef bint voiced                # something other than white noise was heard since the onset
    cdef int hiss                   # hops of white noise in a row
    cdef int learned                # hops of real noise that the floor was learnt from
    cdef int epoch_hops
    cdef int epoch
    cdef float lag                  # of the latest hop's pitch
    cdef float odds                 # log-odds that the latest hop is speech
    cdef float evidence_odds        # the like of it and the hop before together
    cdef float recent               # mean level of the last second, dBFS ...
    cdef float usual                # ... and of the last four ...
    cdef float scatter              # ... and the mean square of the levels around that
    cdef float loudest              # level that was lately reached; it falls by 6 dB a second
    cdef int remembered             # hops that these know
    cdef float filter_state[4]
    cdef float network_state[24]
    cdef int16_t waiting[160]
    cdef float line[182]            # 16 kHz input before halving: 22 old samples, 160 new ones
    cdef float past[132]
    cdef float slow[136]            # the past at 4 kHz
    cdef float band[16]
    cdef float smooth[16]
    cdef float noise[16]
    cdef float low[16]              # of the epoch under way
    cdef float least[16]            # of the epochs before
    cdef float lows[160]
    cdef float features[32]

    cdef void clear(self) noexcept
    cdef void narrow(self, const int16_t *samples) noexcept
    cdef void measure(self) noexcept
    cdef bint consonant(self, float snr_db, float level, float strength, float spread) noexcept
    cdef void learn(self, float level) noexcept
    cdef void remember(self, float level) noexcept
    cdef void weigh(self, float logit, bint permitted) noexcept
    cdef void seek_floor(self) noexcept
    cdef void decide(self) noexcept
    cdef void hop(self, const int16_t *samples) noexcept
    cdef double floor_dbfs(self) noexcept
    cdef list run(self, pcm, bint features)
