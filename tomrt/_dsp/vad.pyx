# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, auto_pickle=False
"""Speech onset detector for telephone lines, on hops of 10 ms.

Design:
1. Everything happens at 8 kHz behind a fourth-order high-pass at 200 Hz, so direct current and mains hum are gone
   before anything is measured, and a 16 kHz line behaves as an 8 kHz one.
2. The power of 13 bands (250 to 3400 Hz) is compared with a noise floor per band. The floor follows what stands out
   little, or is as flat as white noise (time constant 160 ms), and never stays below 1.5 times the minimum of the last
   1.2 s, so a step in the noise is learnt within that time. It does not depend on what the network says.
3. A recurrent network of about 2000 weights sees the bands over the floor, the shape of the spectrum, the periodicity
   at 80 to 400 Hz, and the levels, and gives the probability of speech. tools/train_onset.py has trained it, on
   synthetic voices and generated noise; onset_weights.toml holds the weights.
4. What no training can promise is a rule: inaudible sound is never speech, and on a narrow line, where an s can be as
   white as noise, a loud white sound passes for one for 140 ms at most, and not in the first 300 ms of a call.
5. One hop that is surely speech, or two that probably are, begin it; 80 ms without any end it.

Sources: R. Martin, "Noise power spectral density estimation based on optimal smoothing and minimum statistics", IEEE
Trans. Speech and Audio Processing 9(5), 2001, for the floor; K. Cho et al., "Learning phrase representations using RNN
encoder-decoder", 2014, for the network.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.math cimport M_PI, exp, fabs, log10, sin, sqrt, tan
from libc.stdint cimport int16_t
from libc.string cimport memcpy, memmove, memset

from tomrt._dsp.lanes cimport tomrt_has_avx2
from tomrt._dsp.pcm cimport open_samples
from tomrt._dsp.periodicity cimport tomrt_periodicity, tomrt_pitch, tomrt_slow
from tomrt._dsp.recurrent cimport FEATURES, UNITS, tomrt_network, tomrt_step, tomrt_to_db
from tomrt._dsp.spectrum cimport BINS, WINDOW, power_spectrum
from tomrt._dsp.telephone_band cimport tomrt_band, tomrt_halve, tomrt_pass

from tomrt._dsp.onset_weights import load_weights

cdef int[14] EDGES = [4, 6, 8, 10, 12, 15, 18, 21, 25, 29, 34, 40, 47, 55]     # band limits in bins of 62.5 Hz

cdef double LIKELY = 0.955                    # two hops that are so likely speech begin it ...
cdef double SURE = 0.985                     # ... or one that is so much so
cdef double HOLDS = 0.45                    # what is less likely does not prolong it ...
cdef double HOLDS_CLEAR = 0.25               # ... nor, where it stands far out of the floor, what is less likely than this
cdef float CLEAR_DB = 10.0
cdef double HISSES = 0.96                    # how likely speech an s is that is as white as noise
cdef float FULL_SCALE_DB = 90.308998        # power of a full-scale square wave, in dB over one unit
cdef float LEAST_FLOOR = 269.7154           # -66 dBFS: below that a line is taken to be silent
cdef float AUDIBLE_DBFS = -58.0             # what is fainter is never speech
cdef float QUIET_DBFS = -60.0             # below that, levels are not told apart over time
cdef float STANDS_OUT_DB = 4.0              # a hop above the floor by so much is not part of it, unless it is white
cdef float FAINT_DB = 6.0                   # a flat sound that stands out less is left to the network
cdef float HISS_DB = 12.0                   # an s or f that is as white as noise must stand out by so much ...
cdef float HISS_DBFS = -50.0                # ... and be so loud
cdef float ODDS = 8.0                        # log-odds beyond this are not told apart
cdef float ONE_HOP = 2.0                     # a hop by itself is worth so much less than two
cdef float FLAT_DB = 3.0                    # bands that differ less than this are white noise

cdef enum:
    WARM_UP_HOPS = 3        # until the pitch search has a full window
    LEARNING_HOPS = 30
    ONSET_EVIDENCE = 2
    OFFSET_HOPS = 8
    PAIRS = 6
    HISS_HOPS = 14          # ... and no longer than this

cdef tomrt_band telephone
cdef tomrt_network network
cdef float rest[4]          # what the high-pass holds per unit of a constant input


cdef void fill_high_pass() noexcept:
    """Design the high-pass by the bilinear transform, and unroll it over eight samples in double precision."""
    cdef double[2] quality = [0.5411961, 1.3065630]     # of a fourth-order Butterworth
    cdef double k = tan(M_PI * 200.0 / 8000.0), x, y
    cdef double norm[2]
    cdef double a1[2]
    cdef double a2[2]
    cdef double s[4]
    cdef int column, n, i
    for i in range(2):
        norm[i] = 1.0 / (1.0 + k / quality[i] + k * k)
        a1[i] = 2.0 * (k * k - 1.0) * norm[i]
        a2[i] = (1.0 - k / quality[i] + k * k) * norm[i]
    memset(rest, 0, sizeof(rest))
    rest[0] = <float> -norm[0]
    rest[1] = <float> norm[0]
    for column in range(12):
        for i in range(4):
            s[i] = 1.0 if column == 8 + i else 0.0
        for n in range(8):
            x = 1.0 if column == n else 0.0
            for i in range(2):
                y = norm[i] * x + s[2 * i]
                s[2 * i] = -2.0 * norm[i] * x - a1[i] * y + s[2 * i + 1]
                s[2 * i + 1] = norm[i] * x - a2[i] * y
                x = y
            telephone.pass_[column][n] = <float> y
        for i in range(8):
            telephone.pass_[column][8 + i] = <float> s[i] if i < 4 else 0.0


cdef void fill_half_band() noexcept:
    """Design the half-band low-pass in front of the 16 kHz input: 23 taps of a windowed sinc, 0.7 ms of delay."""
    cdef int m
    cdef double t, window
    for m in range(12):
        t = 2 * m - 11
        window = 0.5 + 0.5 * (1.0 - 2.0 * sin(M_PI * t / 24.0) ** 2)
        telephone.halve[m] = <float> (window * sin(M_PI * t / 2.0) / (M_PI * t))


cdef int read_weights() except -1:
    """Take the network's weights, which stand in the file in the order of the structure."""
    cdef Py_buffer view
    PyObject_GetBuffer(load_weights(FEATURES, UNITS), &view, PyBUF_SIMPLE)
    try:
        assert view.len == sizeof(network)
        memcpy(&network, view.buf, sizeof(network))
    finally:
        PyBuffer_Release(&view)
    return 0


fill_high_pass()
fill_half_band()
read_weights()


cdef float in_band(const float *powers) noexcept:
    """Return the signal power that the bands hold together."""
    cdef float total = 0.0
    cdef int b
    for b in range(BANDS):
        total += powers[b] * (EDGES[b + 1] - EDGES[b])
    return total / BINS


cdef inline float within(float value, float least, float most) noexcept:
    return least if value < least else most if value > most else value


@cython.final
cdef class Vad:
    """Tells speech from what else is on a line."""

    def __cinit__(self, int rate_hz, *, bint plain=False):
        if rate_hz != 8000 and rate_hz != 16000:
            raise ValueError(f"Speech is detected at 8000 or 16000 Hz, got {rate_hz} Hz.")
        self.rate_hz = rate_hz
        self.hop_samples = rate_hz // 100
        self.wide = tomrt_has_avx2() and not plain
        self.clear()

    cdef void clear(self) noexcept:
        cdef int b
        self.probability = 0.0
        self.speech = self.voiced = False
        self.hops = self.held = self.evidence = self.quiet = self.hiss = self.learned = self.epoch_hops = self.epoch = 0
        self.lag = self.recent = self.usual = self.scatter = self.loudest = 0.0
        self.odds = self.evidence_odds = -ODDS
        self.remembered = 0
        memset(self.network_state, 0, sizeof(self.network_state))
        memset(self.line, 0, sizeof(self.line))
        memset(self.past, 0, sizeof(self.past))
        memset(self.slow, 0, sizeof(self.slow))
        memset(self.features, 0, sizeof(self.features))
        for b in range(LANES):
            self.band[b] = self.smooth[b] = self.noise[b] = LEAST_FLOOR
            self.low[b] = self.least[b] = 1e30
        for b in range(LANES * EPOCHS):
            self.lows[b] = 1e30

    cdef void narrow(self, const int16_t *samples) noexcept:
        """Append one hop to the past: at 8 kHz without what lies below speech, and at 4 kHz."""
        cdef int i
        cdef float fresh[HOP]
        if self.rate_hz == 8000:
            for i in range(HOP):
                fresh[i] = samples[i]
        else:
            tomrt_halve(self.wide, &telephone, self.line, samples, fresh)
        if self.hops == 0:
            # As if the first sample had stood on the line for ever: a constant offset makes no click.
            for i in range(4):
                self.filter_state[i] = rest[i] * fresh[0]
        memmove(self.past, self.past + HOP, (PAST - HOP) * sizeof(float))
        tomrt_pass(self.wide, &telephone, self.filter_state, fresh, self.past + PAST - HOP)
        tomrt_slow(self.wide, self.slow, self.past + PAST - HOP)

    cdef void measure(self) noexcept:
        """Measure the bands of the latest window."""
        cdef float power[BINS]
        cdef int b, k
        cdef float total
        power_spectrum(self.wide, self.past + PAST - WINDOW, power)
        for b in range(BANDS):
            total = 0.0
            for k in range(EDGES[b], EDGES[b + 1]):
                total += power[k]
            self.band[b] = total / (EDGES[b + 1] - EDGES[b])
            self.smooth[b] += <float> 0.3 * (self.band[b] - self.smooth[b])

    cdef bint consonant(self, float snr_db, float level, float strength, float spread) noexcept:
        """Return whether a sound may be speech: it is audible, and not as flat as white noise.

        What is flat and stands out may be so only for as long as an s or an f lasts, on a line that was quiet, and loud.
        """
        if level <= AUDIBLE_DBFS:
            self.hiss = 0
            return False
        if strength >= 0.5 or spread > FLAT_DB:
            self.hiss = 0
            return True
        if snr_db < FAINT_DB and self.hops > LEARNING_HOPS:
            # White noise that is known to the floor, and perhaps a voice in it; behind a hiss that takes a while.
            self.hiss = max(self.hiss - 1, 0)
            return self.hiss == 0
        if self.hops > LEARNING_HOPS and snr_db > HISS_DB and level > HISS_DBFS:
            self.hiss = min(self.hiss + 1, 2 * HISS_HOPS)
        else:
            self.hiss = 2 * HISS_HOPS
        return self.hiss <= HISS_HOPS

    cdef void seek_floor(self) noexcept:
        """Keep the floor between the minimum of the last epochs and what is there now."""
        cdef int b, e
        cdef float least
        self.epoch_hops += 1
        for b in range(LANES):
            self.low[b] = min(self.low[b], self.smooth[b])
            if self.hops > EPOCHS * EPOCH_HOPS:
                least = min(self.low[b], self.least[b])
                self.noise[b] = max(self.noise[b], <float> 1.5 * least)
            if self.smooth[b] < self.noise[b]:
                self.noise[b] += <float> 0.1 * (self.smooth[b] - self.noise[b])
            self.noise[b] = max(self.noise[b], LEAST_FLOOR)
        if self.epoch_hops == EPOCH_HOPS:
            self.epoch_hops = 0
            memcpy(self.lows + LANES * self.epoch, self.low, sizeof(self.low))
            self.epoch = (self.epoch + 1) % EPOCHS
            for b in range(LANES):
                self.low[b] = self.least[b] = 1e30
                for e in range(EPOCHS):
                    self.least[b] = min(self.least[b], self.lows[LANES * e + b])

    cdef void learn(self, float level) noexcept:
        """Let the floor follow a hop that is not speech: a running mean at first, then 160 ms."""
        cdef int b
        cdef float weight = max(<float> 0.06, <float> 1.0 / (self.learned + 1))
        for b in range(BANDS):
            self.noise[b] += weight * (self.band[b] - self.noise[b])
        if level > -65.0 and self.learned < LEARNING_HOPS:
            self.learned += 1

    cdef void remember(self, float level) noexcept:
        """Give the network what it cannot remember itself: how this hop's level compares with those of seconds."""
        cdef float weight, apart
        if self.remembered == 0:
            self.recent = self.usual = self.loudest = level
            self.scatter = 1.0
        apart = level - self.usual
        self.features[26] = level - self.recent
        self.features[27] = apart
        self.features[28] = <float> sqrt(self.scatter)
        self.features[29] = level - self.loudest
        self.remembered = min(self.remembered + 1, 1000)
        weight = <float> 1.0 / (self.remembered + 1)
        self.recent += max(<float> 0.01, weight) * (level - self.recent)
        weight = max(<float> 0.0025, weight)
        self.usual += weight * apart
        self.scatter += weight * (apart * apart - self.scatter)
        self.loudest = max(level, self.loudest - <float> 0.06)

    cdef void weigh(self, float logit, bint permitted) noexcept:
        """Take the network's answer for this hop, as far as the hop may be speech at all."""
        cdef float before = self.odds
        self.odds = -ODDS
        self.probability = 0.0
        if permitted:
            self.odds = within(logit, -ODDS, ODDS)
            self.probability = 1.0 / (1.0 + exp(-logit))
            if self.hiss:
                self.probability = max(self.probability, HISSES)
        self.evidence_odds = max(min(self.odds, before), self.odds - ONE_HOP)

    cdef void decide(self) noexcept:
        """Begin or end speech by the probability of this hop."""
        if self.probability >= LIKELY:
            self.evidence += 2 if self.probability >= SURE and self.hops > LEARNING_HOPS else 1
        else:
            self.evidence = 0
        if self.probability >= (HOLDS_CLEAR if self.features[22] > CLEAR_DB else HOLDS):
            self.quiet = 0
        else:
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
        cdef float db[48]
        cdef float level, floor_db, over, mean, snr_db = 0.0, total = 0.0, squares = 0.0, spread, logit
        cdef tomrt_pitch pitch
        cdef int b
        cdef bint permitted
        self.narrow(samples)
        self.hops += 1
        if self.hops <= WARM_UP_HOPS:
            return
        self.measure()
        tomrt_periodicity(self.wide, self.slow, &pitch)
        for b in range(LANES):
            db[b] = self.band[b] + <float> 1.0
            db[LANES + b] = self.noise[b]
            db[32 + b] = 1.0
        for b in range(PAIRS):
            db[32 + b] = self.smooth[2 * b] + self.smooth[2 * b + 1] + <float> 1.0
        db[38] = in_band(self.band) + <float> 1e-4
        db[39] = in_band(self.noise)
        tomrt_to_db(self.wide, db)
        level = db[38] - FULL_SCALE_DB
        floor_db = db[39] - FULL_SCALE_DB
        for b in range(BANDS):
            over = within(db[b] - db[LANES + b], -5.0, 25.0)
            self.features[b] = over
            over = max(over, <float> 0.0)
            snr_db += over * over
        snr_db = <float> sqrt(snr_db / BANDS)
        for b in range(PAIRS):
            total += db[32 + b]
            squares += db[32 + b] * db[32 + b]
        mean = total / PAIRS
        spread = <float> sqrt(max(squares / PAIRS - mean * mean, <float> 0.0))
        for b in range(PAIRS):
            self.features[13 + b] = db[32 + b] - mean
        self.features[19] = <float> 10.0 * pitch.strength
        self.features[20] = <float> 10.0 * within(<float> fabs(pitch.lag - self.lag) / max(pitch.lag, <float> 10.0), 0.0, 1.0)
        self.features[21] = spread
        self.features[22] = snr_db
        self.features[23] = max(level, <float> -80.0)
        self.features[24] = floor_db
        self.features[25] = self.learned
        self.lag = pitch.lag
        self.remember(max(level, QUIET_DBFS))
        tomrt_step(self.wide, &network, self.features, self.network_state, &logit)
        permitted = self.consonant(snr_db, level, pitch.strength, spread)
        self.weigh(logit, permitted)
        if pitch.strength < 0.5 and (snr_db < STANDS_OUT_DB or not permitted or self.hops <= LEARNING_HOPS):
            self.learn(level)
        self.seek_floor()
        self.decide()

    cdef double floor_dbfs(self) noexcept:
        return 10.0 * log10(in_band(self.noise)) - FULL_SCALE_DB

    @property
    def noise_dbfs(self):
        """Level of the noise floor."""
        return self.floor_dbfs()

    def push(self, pcm, /):
        """Take the next samples; return what each completed hop was."""
        return self.run(pcm, False)

    def trace(self, pcm, /):
        """Take the next samples; return what the network was given for each hop they complete."""
        return b"".join(self.run(pcm, True))

    cdef list run(self, pcm, bint features):
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
                    if features:
                        found.append((<const char *> self.features)[:FEATURES * sizeof(float)])
                    else:
                        found.append((self.probability, self.speech))
        finally:
            PyBuffer_Release(&view)
        return found

    def reset(self):
        """Forget everything, as for a new call."""
        self.clear()
