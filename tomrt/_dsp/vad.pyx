# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, auto_pickle=False
"""Speech onset detector for telephone lines, on hops of 10 ms.

Design:
1. Everything happens at 8 kHz behind a fourth-order high-pass at 200 Hz, so direct current and mains hum are gone
   before anything is measured, and a 16 kHz line behaves as an 8 kHz one.
2. The power of 13 bands (250 to 3400 Hz) is compared with a noise floor per band. The floor follows what is not
   speech (time constant 160 ms) and never stays below 1.5 times the minimum of the last 1.2 s, so a step in the noise
   is learnt within that time, whatever the detector believed.
3. A hop is speech when it stands out of the floor and is periodic (voiced: normalised autocorrelation at 80 to 400
   Hz), or when it stands out further and its bands differ, as those of white noise do not. On a narrow line an s can be
   as white as noise: loud white sounds pass for one, but only for 140 ms, and not in the first 300 ms of a call.
4. Evidence of about 30 ms begins speech, 80 ms without any ends it.

Sources: R. Martin, "Noise power spectral density estimation based on optimal smoothing and minimum statistics", IEEE
Trans. Speech and Audio Processing 9(5), 2001, for the floor; L. R. Rabiner, "On the use of autocorrelation analysis
for pitch detection", IEEE Trans. ASSP 25(1), 1977, for the periodicity. The weights were set by hand on
telephone-band speech.
"""

cimport cython
from cpython.buffer cimport PyBuffer_Release
from libc.math cimport M_PI, exp, log10, sin, sqrt, tan
from libc.stdint cimport int16_t
from libc.string cimport memcpy, memmove, memset

from tomrt._dsp.pcm cimport open_samples
from tomrt._dsp.spectrum cimport BINS, WINDOW, power_spectrum

cdef int[14] EDGES = [4, 6, 8, 10, 12, 15, 18, 21, 25, 29, 34, 40, 47, 55]     # band limits in bins of 62.5 Hz

cdef double FULL_SCALE_POWER = 32768.0 * 32768.0
cdef double LEAST_FLOOR = FULL_SCALE_POWER * 10.0 ** -6.6       # -66 dBFS: below that a line is taken to be silent
cdef double AUDIBLE_DBFS = -58.0        # what is fainter is never speech
cdef double STEEP = 1.5                 # growth of the log-odds of speech per dB
cdef double VOICED_DB = 3.0             # standing out by so much, a periodic sound is as likely speech as not
cdef double UNVOICED_DB = 5.0           # the same for a sound that is not periodic
cdef double HISS_DB = 12.0              # an s or f that is as white as noise must stand out by so much ...
cdef double HISS_DBFS = -50.0           # ... and be so loud
cdef double FLAT_DB = 3.0               # bands that differ less than this are white noise, however far they stand out

cdef enum:
    WARM_UP_HOPS = 3        # until the pitch search has a full window
    LEARNING_HOPS = 30
    ONSET_EVIDENCE = 5
    OFFSET_HOPS = 8
    SHORTEST_LAG = 20
    LONGEST_LAG = 100
    PITCH_WINDOW = 160
    PAIRS = 6
    HISS_HOPS = 14          # ... and no longer than this

cdef float halve[HALVE_TAPS]


cdef void fill_tables() noexcept:
    """Design the half-band low-pass in front of the 16 kHz input: windowed sinc, 0.7 ms of delay."""
    cdef int i
    cdef double t, window
    for i in range(HALVE_TAPS):
        t = i - HALVE_TAPS // 2
        window = 0.5 + 0.5 * (1.0 - 2.0 * sin(M_PI * t / (HALVE_TAPS + 1)) ** 2)
        halve[i] = <float> (0.5 * window if t == 0 else window * sin(M_PI * t / 2.0) / (M_PI * t))


fill_tables()


cdef Section high_pass(double corner_hz, double quality) noexcept:
    """Return a second-order high-pass at 8 kHz, by the bilinear transform."""
    cdef Section section
    cdef double k = tan(M_PI * corner_hz / 8000.0)
    cdef double norm = 1.0 / (1.0 + k / quality + k * k)
    section.b0 = norm
    section.b1 = -2.0 * norm
    section.b2 = norm
    section.a1 = 2.0 * (k * k - 1.0) * norm
    section.a2 = (1.0 - k / quality + k * k) * norm
    section.s1 = 0.0
    section.s2 = 0.0
    return section


cdef inline double run(Section *section, double x) noexcept:
    cdef double y = section.b0 * x + section.s1
    section.s1 = section.b1 * x - section.a1 * y + section.s2
    section.s2 = section.b2 * x - section.a2 * y
    return y


cdef inline double logistic(double x) noexcept:
    return 1.0 / (1.0 + exp(-x))


cdef inline double dbfs(double power) noexcept:
    return 10.0 * log10(power / FULL_SCALE_POWER + 1e-13)


cdef double in_band(const double *powers) noexcept:
    """Return the signal power that the bands hold together."""
    cdef double total = 0.0
    cdef int b
    for b in range(BANDS):
        total += powers[b] * (EDGES[b + 1] - EDGES[b])
    return total / BINS


cdef float correlate(const float *a, const float *b) noexcept:
    """Return the inner product of 20 ms of signal, in eight interleaved partial sums."""
    cdef float part[8]
    cdef int i, lane
    for lane in range(8):
        part[lane] = 0.0
    for i in range(0, PITCH_WINDOW, 8):
        for lane in range(8):
            part[lane] += a[i + lane] * b[i + lane]
    return ((part[0] + part[4]) + (part[2] + part[6])) + ((part[1] + part[5]) + (part[3] + part[7]))


cdef double periodicity(const float *past) noexcept:
    """Return the largest normalised autocorrelation of the last 20 ms over lags of 2.5 to 12.5 ms, 0 to 1."""
    cdef const float *now = past + LONGEST_LAG
    cdef const float *then
    cdef double energy = correlate(now, now), before, score, best = 0.0
    cdef float product
    cdef int lag
    then = now - SHORTEST_LAG
    before = correlate(then, then)
    for lag in range(SHORTEST_LAG, LONGEST_LAG + 1):
        then = now - lag
        product = correlate(now, then)
        if product > 0.0 and before > 1.0 and energy > 1.0:
            score = product * <double> product / (energy * before)
            best = score if score > best else best
        if lag < LONGEST_LAG:
            # Slide the older window one sample back.
            before += (then - 1)[0] * <double> (then - 1)[0] - then[PITCH_WINDOW - 1] * <double> then[PITCH_WINDOW - 1]
    return sqrt(best) if best < 1.0 else 1.0


@cython.final
cdef class Vad:
    """Tells speech from what else is on a line."""

    def __cinit__(self, int rate_hz):
        if rate_hz != 8000 and rate_hz != 16000:
            raise ValueError(f"Speech is detected at 8000 or 16000 Hz, got {rate_hz} Hz.")
        self.rate_hz = rate_hz
        self.hop_samples = rate_hz // 100
        self.clear()

    cdef void clear(self) noexcept:
        self.probability = 0.0
        self.speech = self.voiced = False
        self.hops = self.held = self.evidence = self.quiet = self.hiss = self.learned = self.epoch_hops = self.epoch = 0
        self.first = high_pass(200.0, 0.5411961)        # the two quality factors of a fourth-order Butterworth
        self.second = high_pass(200.0, 1.3065630)
        memset(self.wide, 0, sizeof(self.wide))
        memset(self.past, 0, sizeof(self.past))
        for b in range(BANDS):
            self.band[b] = self.smooth[b] = self.noise[b] = LEAST_FLOOR
            self.low[b] = 1e30
        for b in range(BANDS * EPOCHS):
            self.lows[b] = 1e30

    cdef void narrow(self, const int16_t *samples) noexcept:
        """Append one hop to the past: at 8 kHz, without what lies below speech."""
        cdef int i, tap
        cdef float fresh[HOP]
        if self.rate_hz == 8000:
            for i in range(HOP):
                fresh[i] = samples[i]
        else:
            memmove(self.wide, self.wide + 160, 22 * sizeof(float))
            for i in range(160):
                self.wide[22 + i] = samples[i]
            for i in range(HOP):
                fresh[i] = 0.0
                for tap in range(HALVE_TAPS):
                    fresh[i] += halve[tap] * self.wide[2 * i + tap]
        if self.hops == 0:
            # As if the first sample had stood on the line for ever: a constant offset makes no click.
            self.first.s1 = -self.first.b0 * fresh[0]
            self.first.s2 = self.first.b2 * fresh[0]
        memmove(self.past, self.past + HOP, (PAST - HOP) * sizeof(float))
        for i in range(HOP):
            self.past[PAST - HOP + i] = <float> run(&self.second, run(&self.first, fresh[i]))

    cdef double signal_to_noise(self) noexcept:
        """Measure the bands; return how far they stand out of the floor: the root mean square of their dB."""
        cdef float power[BINS]
        cdef double total = 0.0, over
        cdef int b, k
        power_spectrum(self.past + PAST - WINDOW, power)
        for b in range(BANDS):
            self.band[b] = 0.0
            for k in range(EDGES[b], EDGES[b + 1]):
                self.band[b] += power[k]
            self.band[b] /= EDGES[b + 1] - EDGES[b]
            self.smooth[b] += 0.3 * (self.band[b] - self.smooth[b])
            over = 10.0 * log10((self.band[b] + 1.0) / self.noise[b])
            over = min(max(over, 0.0), 25.0)
            total += over * over
        return sqrt(total / BANDS)

    cdef double spread(self) noexcept:
        """Return how much neighbouring pairs of bands differ, as the standard deviation of their levels in dB."""
        cdef double total = 0.0, squares = 0.0, db
        cdef int pair
        for pair in range(PAIRS):
            db = 10.0 * log10(self.smooth[2 * pair] + self.smooth[2 * pair + 1] + 1.0)
            total += db
            squares += db * db
        return sqrt(max(squares / PAIRS - (total / PAIRS) * (total / PAIRS), 0.0))

    cdef bint consonant(self, double snr_db, double level, double voiced) noexcept:
        """Return whether a sound may be speech without being voiced.

        White noise may be so only for as long as an s or an f lasts, on a line that was quiet, and loud.
        """
        if voiced >= 0.5 or self.spread() > FLAT_DB:
            self.hiss = 0
            return True
        self.hiss += 1
        return self.hiss <= HISS_HOPS and self.hops > LEARNING_HOPS and snr_db > HISS_DB and level > HISS_DBFS

    cdef void seek_floor(self) noexcept:
        """Keep the floor between the minimum of the last epochs and what is there now."""
        cdef int b, e
        cdef double least
        self.epoch_hops += 1
        for b in range(BANDS):
            self.low[b] = min(self.low[b], self.smooth[b])
            least = self.low[b]
            for e in range(EPOCHS):
                least = min(least, self.lows[b * EPOCHS + e])
            if self.hops > EPOCHS * EPOCH_HOPS:
                self.noise[b] = max(self.noise[b], 1.5 * least)
            if self.smooth[b] < self.noise[b]:
                self.noise[b] += 0.1 * (self.smooth[b] - self.noise[b])
            self.noise[b] = max(self.noise[b], LEAST_FLOOR)
        if self.epoch_hops == EPOCH_HOPS:
            self.epoch_hops = 0
            for b in range(BANDS):
                self.lows[b * EPOCHS + self.epoch] = self.low[b]
                self.low[b] = 1e30
            self.epoch = (self.epoch + 1) % EPOCHS

    cdef void learn(self, double level) noexcept:
        """Let the floor follow a hop that is not speech: a running mean at first, then 160 ms."""
        cdef int b
        cdef double weight = max(0.06, 1.0 / (self.learned + 1))
        for b in range(BANDS):
            self.noise[b] += weight * (self.band[b] - self.noise[b])
        if level > -65.0 and self.learned < LEARNING_HOPS:
            self.learned += 1

    cdef void decide(self) noexcept:
        """Begin or end speech by the probability of this hop."""
        if self.probability >= 0.5:
            self.evidence += 2 if self.probability >= 0.85 else 1
            self.quiet = 0
        elif self.probability < 0.35:
            self.evidence = max(self.evidence - 2, 0)
            self.quiet += 1
        if self.speech:
            self.voiced = self.voiced or (self.hiss == 0 and self.probability >= 0.5)
            if self.hiss > HISS_HOPS and not self.voiced:
                # It began as an s might, but nothing else came of it.
                self.quiet = OFFSET_HOPS
            self.speech = self.quiet < OFFSET_HOPS
            self.evidence = 0
        elif self.evidence >= ONSET_EVIDENCE:
            self.speech = True
            self.voiced = False

    cdef void hop(self, const int16_t *samples) noexcept:
        """Take one hop at the line's rate and decide."""
        cdef double snr_db, level, voiced = 0.0
        self.narrow(samples)
        self.hops += 1
        if self.hops <= WARM_UP_HOPS:
            return
        snr_db = self.signal_to_noise()
        level = dbfs(in_band(self.band))
        self.probability = 0.0
        if level > AUDIBLE_DBFS and snr_db > 1.0:
            voiced = periodicity(self.past)
            self.probability = logistic(STEEP * (snr_db - VOICED_DB)) * logistic(14.0 * (voiced - 0.5))
            if self.consonant(snr_db, level, voiced):
                self.probability = max(self.probability, logistic(STEEP * (snr_db - UNVOICED_DB)))
        else:
            self.hiss = 0
        if self.probability < 0.3 and voiced < 0.5 and not self.speech:
            self.learn(level)
        self.seek_floor()
        self.decide()

    cdef double floor_dbfs(self) noexcept:
        return dbfs(in_band(self.noise))

    @property
    def noise_dbfs(self):
        """Level of the noise floor."""
        return self.floor_dbfs()

    def push(self, pcm, /):
        """Take the next samples; return what each completed hop was."""
        cdef Py_buffer view
        cdef const int16_t *source
        cdef Py_ssize_t left, piece
        open_samples(pcm, &view)
        try:
            found = []
            source = <const int16_t *> view.buf
            left = view.len // 2
            while left:
                piece = min(left, self.hop_samples - self.held)
                memcpy(self.waiting + self.held, source, piece * sizeof(int16_t))
                self.held += <int> piece
                source += piece
                left -= piece
                if self.held == self.hop_samples:
                    self.held = 0
                    self.hop(self.waiting)
                    found.append((self.probability, self.speech))
        finally:
            PyBuffer_Release(&view)
        return found

    def reset(self):
        """Forget everything, as for a new call."""
        self.clear()
