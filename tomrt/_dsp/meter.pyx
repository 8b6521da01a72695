# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, binding=False, auto_pickle=False
"""Level meter: RMS, peak, clipping, direct current, noise floor and signal-to-noise ratio in one pass.

The sums are integers, so a reading does not depend on the pieces in which the signal arrived, nor on the processor.

The noise floor is the least power of any 20 ms within the last 2.5 to 3 s, without its direct current, and a little
more, since the least of many is below their mean. What is at least 6 dB above it is the signal. Source of the idea: R.
Martin, "Noise power spectral density estimation based on optimal smoothing and minimum statistics", IEEE Trans. Speech
and Audio Processing 9(5), 2001.
"""

cimport cython
from cpython.buffer cimport PyBuffer_Release
from libc.math cimport log2
from libc.stdint cimport int16_t, int64_t

from tomrt._dsp.pcm cimport open_samples


cdef extern from "clones.h":
    bint has_avx2() noexcept


cdef extern from "tally.h":
    Py_ssize_t sum_wide(Tally *sums, const int16_t *samples, Py_ssize_t count, int limit) noexcept


cdef enum:
    FULL_SCALE = 32768
    CLIPPED = 32124         # the outermost value of mu-law: nothing that came over a G.711 line reaches further
    EPOCHS = 5              # the floor is the least of so many epochs ...
    EPOCH_HOPS = 25         # ... of half a second

cdef double SILENCE_DBFS = -127.0
cdef double LEAST_POWER = 1.9952623149688797e-13     # -127 dBFS
cdef double DB_PER_OCTAVE = 3.010299956639812        # 10 * log10(2)
cdef double ABOVE_LEAST = 1.4           # how far the mean of stationary noise is above the least of about 140 hops
cdef double SCALE = 1.0 / (<double> FULL_SCALE * FULL_SCALE)
cdef double SIGNAL = 4.0                # 6 dB above the floor
cdef bint wide = has_avx2()


cdef void tally(Tally *sums, const int16_t *samples, Py_ssize_t count) noexcept:
    """Add *count* samples to *sums*."""
    cdef Py_ssize_t i = 0
    cdef int sample, magnitude
    if wide:
        while count - i >= 16:
            i += sum_wide(sums, samples + i, count - i, CLIPPED)
    sums.count += count - i
    while i < count:
        sample = samples[i]
        magnitude = -sample if sample < 0 else sample
        sums.total += sample
        sums.squares += sample * sample
        sums.clipped += magnitude >= CLIPPED
        sums.peak = magnitude if magnitude > sums.peak else sums.peak
        i += 1


cdef double power_of(const Tally *sums) noexcept:
    """Return the power without its direct current, 1 for a full-scale square wave, 0 for no samples."""
    if sums.count == 0:
        return 0.0
    cdef double mean = sums.total / <double> sums.count
    return (sums.squares / <double> sums.count - mean * mean) / (<double> FULL_SCALE * FULL_SCALE)


cdef double dbfs(double power) noexcept:
    """Return a power in dB of full scale, -127 and up."""
    return DB_PER_OCTAVE * log2(power) if power > LEAST_POWER else SILENCE_DBFS


cdef double level_dbfs(const Tally *sums) noexcept:
    """Return the RMS level without its direct current, in dB of full scale; never below -127."""
    return dbfs(power_of(sums))


@cython.final
@cython.freelist(8)
cdef class Level:
    """One reading of a meter."""

    cdef Tally sums
    cdef double noise           # power of the floor
    cdef double signal          # sum of the powers of the hops that stood out
    cdef int64_t signal_hops

    def __init__(self):
        raise TypeError("A Level is read from a Meter, not made.")

    @property
    def samples(self):
        """Samples that were measured."""
        return self.sums.count

    @property
    def rms_dbfs(self):
        """RMS level without direct current."""
        return level_dbfs(&self.sums)

    @property
    def peak(self):
        """The largest magnitude."""
        return self.sums.peak

    @property
    def clipped(self):
        """Samples at or beyond mu-law's outermost value."""
        return self.sums.clipped

    @property
    def dc(self):
        """The mean sample."""
        return self.sums.total / <double> self.sums.count if self.sums.count else 0.0

    @property
    def noise_dbfs(self):
        """Level of the noise floor."""
        return dbfs(self.noise)

    @property
    def snr_db(self):
        """How far the signal stands out of the noise."""
        return DB_PER_OCTAVE * log2(self.signal / self.signal_hops / self.noise) if self.signal_hops else 0.0

    def __repr__(self):
        return (
            f"Level(samples={self.samples}, rms_dbfs={self.rms_dbfs:.2f}, peak={self.peak}, clipped={self.clipped}, "
            f"dc={self.dc:.2f}, noise_dbfs={self.noise_dbfs:.2f}, snr_db={self.snr_db:.2f})"
        )


cdef inline void join(Tally *sums, const Tally *fresh) noexcept:
    """Add one tally to another."""
    sums.count += fresh.count
    sums.total += fresh.total
    sums.squares += fresh.squares
    sums.clipped += fresh.clipped
    sums.peak = fresh.peak if fresh.peak > sums.peak else sums.peak


@cython.final
cdef class Meter:
    """Adds up samples until it is read."""

    cdef Tally sums                     # everything since the beginning
    cdef Tally hop                      # the hop under way
    cdef int hop_samples
    cdef int epoch_hops
    cdef int epoch
    cdef double least                   # power of the quietest hop of the epoch under way ...
    cdef double before                  # ... and of those before it
    cdef double lows[EPOCHS]            # each of these
    cdef double share                   # one sample's of a hop
    cdef double floor
    cdef double signal                  # sum of the powers of the hops that stood out
    cdef int64_t signal_hops

    def __cinit__(self, int rate_hz=8000):
        if not 8000 <= rate_hz <= 48000:
            raise ValueError(f"Levels are metered at 8000 to 48000 Hz, got {rate_hz} Hz.")
        self.hop_samples = rate_hz // 50
        self.share = 1.0 / self.hop_samples
        self.clear()

    cdef void clear(self) noexcept:
        cdef int e
        self.sums = self.hop = Tally(0, 0, 0, 0, 0)
        self.epoch_hops = self.epoch = 0
        self.signal_hops = 0
        self.signal = 0.0
        self.floor = LEAST_POWER
        self.before = self.least = 2.0
        for e in range(EPOCHS):
            self.lows[e] = 2.0

    cdef void finish_hop(self) noexcept:
        """Let the floor follow the hop that is complete, and count it as signal if it stands out."""
        cdef double total = self.hop.total * self.share, least
        cdef double power = (self.hop.squares * self.share - total * total) * SCALE
        self.hop = Tally(0, 0, 0, 0, 0)
        power = power if power > LEAST_POWER else LEAST_POWER
        self.least = power if power < self.least else self.least
        least = self.least if self.least < self.before else self.before
        self.floor = ABOVE_LEAST * least if least > LEAST_POWER else LEAST_POWER
        if power > SIGNAL * self.floor:
            self.signal += power
            self.signal_hops += 1
        self.epoch_hops += 1
        if self.epoch_hops == EPOCH_HOPS:
            self.finish_epoch()

    cdef void finish_epoch(self) noexcept:
        """Let the oldest epoch go, and begin another."""
        cdef int e
        self.lows[self.epoch] = self.least
        self.epoch = (self.epoch + 1) % EPOCHS
        self.epoch_hops = 0
        self.before = self.least = 2.0
        for e in range(EPOCHS):
            self.before = min(self.before, self.lows[e])

    cdef void take(self, const int16_t *samples, Py_ssize_t left, Tally *sums) noexcept:
        """Take samples, and add them to *sums* too."""
        cdef Tally fresh
        cdef Py_ssize_t piece
        while left:
            piece = self.hop_samples - <Py_ssize_t> self.hop.count
            piece = left if left < piece else piece
            fresh = Tally(0, 0, 0, 0, 0)
            tally(&fresh, samples, piece)
            join(sums, &fresh)
            join(&self.hop, &fresh)
            samples += piece
            left -= piece
            if self.hop.count == self.hop_samples:
                self.finish_hop()

    cdef void judge(self, Level level) noexcept:
        """Set a reading beside the floor as it is now."""
        level.noise = self.floor
        level.signal = self.signal
        level.signal_hops = self.signal_hops

    def push(self, pcm, /):
        """Add the next samples; return the level of these alone."""
        cdef Py_buffer view
        cdef Level level = Level.__new__(Level)
        open_samples(pcm, &view)
        self.take(<const int16_t *> view.buf, view.len // 2, &level.sums)
        PyBuffer_Release(&view)
        join(&self.sums, &level.sums)
        self.judge(level)
        return level

    def read(self):
        """Return the level of everything pushed since the beginning or the last reset."""
        cdef Level level = Level.__new__(Level)
        level.sums = self.sums
        self.judge(level)
        return level

    def reset(self):
        """Begin again with no samples."""
        self.clear()


def measure(pcm, int rate_hz=8000, /):
    """Return the level of one buffer."""
    return Meter(rate_hz).push(pcm)


def _use_baseline(bint only, /):
    """Do without AVX2, or use it again where there is any; return whether it is in use."""
    global wide
    wide = not only and has_avx2()
    return wide
