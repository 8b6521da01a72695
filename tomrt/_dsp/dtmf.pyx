# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, auto_pickle=False
"""DTMF: digits heard in a stream, and digits made.

Every 5 ms the last 20 ms are weighed by a Hann window, against which the two tones of a digit do not disturb each other,
and the eight tones are measured with Goertzel's recursion. How far a tone's phase turned from one window to the next
tells its frequency to a hertz or two, which the window's own resolution (50 Hz) could not; so the tolerances of ITU-T
Q.24 are kept by measuring. A digit is what six windows in a row agree on.
"""

cimport cython
from cpython.buffer cimport PyBuffer_Release
from libc.math cimport M_PI, atan2, cos, fabs, sin
from libc.stdint cimport int16_t, int64_t
from libc.string cimport memmove, memset

from tomrt._dsp.pcm cimport new_bytes, open_samples, samples_of, to_sample

cdef extern from *:
    """
    #include <string.h>
    typedef float tomrt_lanes __attribute__((vector_size(16)));

    /* Weigh count samples, a multiple of four, and return their energy. */
    static float tomrt_weigh(const float *samples, const float *weights, Py_ssize_t count, float *x)
    {
        tomrt_lanes sum = {0}, sample, weight;
        Py_ssize_t i;
        for (i = 0; i < count; i += 4) {
            memcpy(&sample, samples + i, sizeof sample);
            memcpy(&weight, weights + i, sizeof weight);
            sample *= weight;
            memcpy(x + i, &sample, sizeof sample);
            sum += sample * sample;
        }
        return (sum[0] + sum[2]) + (sum[1] + sum[3]);
    }

    /* Run Goertzel's recursion for eight frequencies; the last two states of each are left in last and before. */
    static void tomrt_goertzel(const float *x, Py_ssize_t count, const float *coefficients, float *last, float *before)
    {
        tomrt_lanes c0, c1, a0 = {0}, a1 = {0}, b0 = {0}, b1 = {0};
        Py_ssize_t i;
        memcpy(&c0, coefficients, sizeof c0);
        memcpy(&c1, coefficients + 4, sizeof c1);
        for (i = 0; i < count; i++) {
            tomrt_lanes sample = {x[i], x[i], x[i], x[i]};
            tomrt_lanes next0 = (sample - b0) + c0 * a0;
            tomrt_lanes next1 = (sample - b1) + c1 * a1;
            b0 = a0; a0 = next0;
            b1 = a1; a1 = next1;
        }
        memcpy(last, &a0, sizeof a0);
        memcpy(last + 4, &a1, sizeof a1);
        memcpy(before, &b0, sizeof b0);
        memcpy(before + 4, &b1, sizeof b1);
    }
    """
    float tomrt_weigh(const float *samples, const float *weights, Py_ssize_t count, float *x) noexcept
    void tomrt_goertzel(const float *x, Py_ssize_t count, const float *coefficients, float *last, float *before) noexcept

cdef enum:
    TONES = 8
    LOOKS = 6               # windows that must agree: a tone of 38 ms always gives six, one of 27 ms never
    GAP_LOOKS = 5           # windows without it end a digit: a pause of 28 ms always gives five, one of 18 ms never
    HOP_MS = 5
    HOPS_PER_WINDOW = 4
    MAX_WINDOW = 320        # 20 ms at 16 kHz

cdef double *FREQUENCIES = [697.0, 770.0, 852.0, 941.0, 1209.0, 1336.0, 1477.0, 1633.0]
KEYS = "123A456B789C*0#D"

cdef float TONE_FLOOR = 107374.2        # mean square of a tone at -40 dBFS
cdef float SHARE_AT_ALL = 0.5           # of a window's energy, also of one that the tone fills in part
cdef float SHARE = 0.8                  # of the energy of the windows in the middle
cdef float HARMONIC = 0.06              # second harmonic over fundamental: -12 dB; voices have more, telephones far less
cdef float CROWDED_HZ = 120.0           # a harmonic this near to the other tone cannot be told from it
cdef double OFF_BY = 0.025              # of the frequency: half-way between Q.24's must accept and must refuse
cdef double HIGH_OVER_LOW = 3.981       # 6 dB; Q.24 asks for 4
cdef double LOW_OVER_HIGH = 10.0        # 10 dB; Q.24 asks for 8


cdef struct Look:
    int digit               # row * 4 + column, -1 for none
    float low               # mean square of the two tones
    float high
    float total             # mean square of everything
    float turn[4]           # this window's tones times the conjugate of the last window's: low, then high


cdef inline double response(double hz) noexcept:
    """Return the power that the Hann window of 20 ms leaves of a tone *hz* beside the measured frequency."""
    cdef double bins = fabs(hz) * 0.001 * HOP_MS * HOPS_PER_WINDOW
    if bins < 1e-6:
        return 1.0
    cdef double amplitude = sin(M_PI * bins) / (M_PI * bins * (1.0 - bins * bins)) if fabs(bins - 1.0) > 1e-6 else 0.5
    return amplitude * amplitude


@cython.final
cdef class DtmfDetector:
    """Hears DTMF digits in a stream."""

    cdef readonly int rate_hz
    cdef int hop, window, filled
    cdef int64_t windows
    cdef int running, run, pressed, missed
    cdef float weights[MAX_WINDOW]
    cdef float held[MAX_WINDOW]
    cdef float coefficients[TONES]
    cdef float cosines[TONES]
    cdef float sines[TONES]
    cdef float real[TONES]
    cdef float imaginary[TONES]
    cdef float energy_scale, tone_scale
    cdef Look looks[LOOKS]

    def __cinit__(self, int rate_hz):
        if rate_hz != 8000 and rate_hz != 16000:
            raise ValueError(f"DTMF is heard at 8000 or 16000 Hz, not {rate_hz}.")
        self.rate_hz = rate_hz
        self.hop = rate_hz * HOP_MS // 1000
        self.window = self.hop * HOPS_PER_WINDOW
        cdef double angle, total = 0.0, squares = 0.0
        cdef int i
        for i in range(self.window):
            self.weights[i] = 0.5 - 0.5 * cos(2.0 * M_PI * (i + 0.5) / self.window)
            total += self.weights[i]
            squares += self.weights[i] * self.weights[i]
        self.tone_scale = 2.0 / (total * total)
        self.energy_scale = 1.0 / squares
        for i in range(TONES):
            angle = 2.0 * M_PI * FREQUENCIES[i] / rate_hz
            self.cosines[i] = cos(angle)
            self.sines[i] = sin(angle)
            self.coefficients[i] = 2.0 * cos(angle)
        self.reset()

    def reset(self):
        """Begin again, as if nothing had been pushed."""
        memset(self.held, 0, sizeof(self.held))
        memset(self.real, 0, sizeof(self.real))
        memset(self.imaginary, 0, sizeof(self.imaginary))
        memset(self.looks, 0, sizeof(self.looks))
        self.filled = self.window - self.hop
        self.windows = 0
        self.run = self.missed = 0
        self.running = self.pressed = -1

    def push(self, pcm, /):
        """Take the next samples; return the digits that they complete."""
        cdef Py_buffer view
        cdef Py_ssize_t at = 0, count, take, i
        cdef const int16_t *samples
        digits = []
        open_samples(pcm, &view)
        try:
            samples = <const int16_t *> view.buf
            count = view.len // 2
            while at < count:
                take = min(count - at, self.window - self.filled)
                for i in range(take):
                    self.held[self.filled + i] = samples[at + i]
                self.filled += take
                at += take
                if self.filled == self.window:
                    if self.step():
                        position = max((self.windows - LOOKS) * HOP_MS - 10, 0)
                        digits.append((KEYS[self.pressed], position))
                    self.filled = self.window - self.hop
                    memmove(self.held, self.held + self.hop, self.filled * sizeof(float))
        finally:
            PyBuffer_Release(&view)
        return digits

    cdef bint step(self) noexcept:
        """Look at a full window; return whether a digit, then in ``pressed``, begins to count."""
        cdef Look look
        self.examine(&look)
        self.windows += 1
        memmove(self.looks, self.looks + 1, (LOOKS - 1) * sizeof(Look))
        self.looks[LOOKS - 1] = look
        self.missed = 0 if look.digit == self.pressed else self.missed + 1
        if self.missed >= GAP_LOOKS:
            self.pressed = -1
        self.run = self.run + 1 if look.digit == self.running else 1
        self.running = look.digit
        if look.digit < 0 or look.digit == self.pressed or self.run < LOOKS or not self.convincing():
            return False
        self.pressed = look.digit
        self.missed = 0
        return True

    cdef void examine(self, Look *look) noexcept:
        """Measure the window that is held."""
        cdef float x[MAX_WINDOW]
        cdef float last[TONES]
        cdef float before[TONES]
        cdef float powers[TONES]
        cdef float real, imaginary
        cdef float turns[TONES][2]
        cdef int i, row = 0, column = 4
        memset(look, 0, sizeof(Look))
        look.digit = -1
        look.total = tomrt_weigh(self.held, self.weights, self.window, x) * self.energy_scale
        if look.total < 2 * TONE_FLOOR:
            return
        tomrt_goertzel(x, self.window, self.coefficients, last, before)
        for i in range(TONES):
            real = last[i] - self.cosines[i] * before[i]
            imaginary = self.sines[i] * before[i]
            powers[i] = (real * real + imaginary * imaginary) * self.tone_scale
            turns[i][0] = real * self.real[i] + imaginary * self.imaginary[i]
            turns[i][1] = imaginary * self.real[i] - real * self.imaginary[i]
            self.real[i] = real
            self.imaginary[i] = imaginary
            if i < 4 and powers[i] > powers[row]:
                row = i
            if i > 4 and powers[i] > powers[column]:
                column = i
        look.low = powers[row]
        look.high = powers[column]
        look.turn = [turns[row][0], turns[row][1], turns[column][0], turns[column][1]]
        if self.two_tones(look, x, row, column):
            look.digit = row * 4 + column - 4

    cdef bint two_tones(self, const Look *look, const float *x, int row, int column) noexcept:
        """Tell whether a window holds two tones and little else."""
        if look.low < TONE_FLOOR or look.high < TONE_FLOOR:
            return False
        if look.low + look.high < SHARE_AT_ALL * look.total:
            return False
        if self.power_at(x, 2.0 * FREQUENCIES[column]) > HARMONIC * look.high:
            return False
        if fabs(2.0 * FREQUENCIES[row] - FREQUENCIES[column]) < CROWDED_HZ:
            return True
        return self.power_at(x, 2.0 * FREQUENCIES[row]) <= HARMONIC * look.low

    cdef float power_at(self, const float *x, double hz) noexcept:
        """Return the mean square of a tone in the window *x*."""
        cdef float coefficient = 2.0 * cos(2.0 * M_PI * hz / self.rate_hz)
        cdef float last = 0.0, before = 0.0, following
        cdef int i
        for i in range(self.window):
            following = (x[i] - before) + coefficient * last
            before = last
            last = following
        return (last * last + before * before - coefficient * last * before) * self.tone_scale

    cdef bint convincing(self) noexcept:
        """Tell whether the last windows together are a digit by the tolerances of Q.24."""
        cdef double loudest = 0.0, low = 0.0, high = 0.0, total = 0.0
        cdef double turn[4]
        cdef double low_off, high_off
        cdef int i, part, tone = self.running
        for i in range(LOOKS):
            loudest = max(loudest, self.looks[i].low + self.looks[i].high)
        memset(turn, 0, sizeof(turn))
        for i in range(LOOKS):
            # Half the power: a window at the edge of the tone, from which its length is known.
            if self.looks[i].low + self.looks[i].high < 0.5 * loudest:
                return False
            if i >= 2:
                for part in range(4):
                    turn[part] += self.looks[i].turn[part]
            if 2 <= i < LOOKS - 1:
                low += self.looks[i].low
                high += self.looks[i].high
                total += self.looks[i].total
        low_off = self.off_by(turn[0], turn[1], FREQUENCIES[tone >> 2])
        high_off = self.off_by(turn[2], turn[3], FREQUENCIES[4 + (tone & 3)])
        if fabs(low_off) > OFF_BY * FREQUENCIES[tone >> 2] or fabs(high_off) > OFF_BY * FREQUENCIES[4 + (tone & 3)]:
            return False
        low /= response(low_off)
        high /= response(high_off)
        return low + high >= SHARE * total and high <= HIGH_OVER_LOW * low and low <= LOW_OVER_HIGH * high

    cdef double off_by(self, double real, double imaginary, double hz) noexcept:
        """Return how many hertz a tone lies above *hz*, from how its phase turned in a hop; ±100 at most."""
        cdef double expected = 2.0 * M_PI * hz * 0.001 * HOP_MS
        cdef double beyond = atan2(
            imaginary * cos(expected) - real * sin(expected), real * cos(expected) + imaginary * sin(expected)
        )
        return beyond / (2.0 * M_PI * 0.001 * HOP_MS)


def dtmf(str digits not None, int rate_hz, double on_ms, double off_ms, double level_dbfs, /):
    """Return the tones of *digits*, each followed by a pause."""
    if not 8000 <= rate_hz <= 48000:
        raise ValueError(f"DTMF is made at 8000 to 48000 Hz, not {rate_hz}.")
    if not (0.0 < on_ms <= 10000.0 and 0.0 <= off_ms <= 10000.0):
        raise ValueError(f"A DTMF tone lasts up to 10000 ms, and so may its pause, not {on_ms} and {off_ms}.")
    if not -60.0 <= level_dbfs <= -7.0:
        raise ValueError(f"The level of a DTMF tone is -60 to -7 dBFS, not {level_dbfs}.")
    if len(digits) > 256:
        raise ValueError(f"At most 256 digits are made at once, not {len(digits)}.")
    cdef Py_ssize_t on = max(round(on_ms * rate_hz / 1000), 1), off = round(off_ms * rate_hz / 1000), i
    cdef double amplitude = 32768.0 * 10.0 ** (level_dbfs / 20.0)
    cdef double low, high
    cdef int16_t *samples
    cdef int index
    parts = []
    for digit in digits:
        index = KEYS.find(digit)
        if index < 0:
            raise ValueError(f"{digit!r} is not a DTMF digit; these are: {KEYS}")
        low = 2.0 * M_PI * FREQUENCIES[index >> 2] / rate_hz
        high = 2.0 * M_PI * FREQUENCIES[4 + (index & 3)] / rate_hz
        tone = new_bytes((on + off) * 2)
        samples = samples_of(tone)
        for i in range(on):
            samples[i] = to_sample(<float> (amplitude * (sin(low * i) + sin(high * i))))
        memset(samples + on, 0, off * 2)
        parts.append(tone)
    return b"".join(parts)
