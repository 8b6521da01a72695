# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, auto_pickle=False
"""Echo reference: how like what we sent is to what we hear.

Both directions are thinned to 4 kHz and differentiated, which flattens the spectrum of a voice and takes direct current
away: speech then resembles other speech least and its own echo most. Each frame of 20 ms is correlated with what was
sent at 1600 lags of 1/4 ms. The products and energies of earlier frames are kept at 0.8 per frame, because two voices
may agree by chance for 40 ms at some lag, but only an echo keeps to one lag.
"""

cimport cython
from cpython.buffer cimport PyBuffer_Release
from libc.math cimport M_PI, cos, sin, sqrt
from libc.stdint cimport int16_t, int64_t
from libc.string cimport memmove, memset

from tomrt._dsp.pcm cimport open_samples


cdef extern from "clones.h":
    bint has_avx2() noexcept


cdef extern from "correlate_clones.h":
    void correlate(
        bint wide, const float *x, int length, const float *signal, float *sums, int count, float keep
    ) noexcept
    void thin(bint wide, const float *x, const float *taps, int count, int step, float *y, int outputs) noexcept
    void gather(bint wide, const float *energies, float *powers, int count, float keep) noexcept
    float likest(bint wide, const float *products, const float *powers, int count, float floor, int *place) noexcept


cdef enum:
    RATE = 4000
    FRAME = 80              # 20 ms
    LAGS = 1600             # 400 ms
    SLACK = 320             # 80 ms by which we may be ahead of the caller's stream, or behind it
    SENT = LAGS + FRAME + SLACK
    TAPS = 72
    LINE = 720              # samples on their way through the filter
    MADE = 344              # more than these ever become: (720 - 40) / 2 + 1

cdef float KEEP = 0.8
cdef float HEARD_FLOOR = 36.0 * FRAME       # -75 dBFS: what is weaker is silence
cdef float SENT_FLOOR = 900.0 * FRAME       # -61 dBFS

cdef bint wide = has_avx2()


cdef struct Thinner:
    int held
    float line[LINE]


@cython.final
cdef class EchoReference:
    """Keeps what was sent, and compares what is heard with it."""

    cdef readonly int rate_hz
    cdef int step, frame, taps
    cdef bint anchored
    cdef int64_t sent_count, heard_count, anchor
    cdef double energy, heard_energy
    cdef Thinner outgoing, incoming
    cdef float weights[TAPS]
    cdef float signal[SENT]
    cdef float energies[SENT]               # of the 80 samples that end here
    cdef float products[LAGS]               # the last one belongs to lag 0
    cdef float powers[LAGS]

    def __cinit__(self, int rate_hz):
        if rate_hz != 8000 and rate_hz != 16000:
            raise ValueError(f"An echo is looked for at 8000 or 16000 Hz, not {rate_hz}.")
        self.rate_hz = rate_hz
        self.step = rate_hz // RATE
        self.frame = FRAME * self.step
        self.taps = 40 if self.step == 2 else TAPS
        self.design()
        self.reset()

    cdef void design(self) noexcept:
        """Make the filter: a low-pass at 1700 Hz (windowed sinc, Hamming), and the difference of its outputs."""
        cdef int length = 16 * self.step, i
        cdef double low_pass[64]
        cdef double place, total = 0.0
        for i in range(length):
            place = M_PI * (i - (length - 1) / 2.0) * 0.85 / self.step      # an even length: never 0
            low_pass[i] = sin(place) / place * (0.54 - 0.46 * cos(2.0 * M_PI * i / (length - 1)))
            total += low_pass[i]
        memset(self.weights, 0, sizeof(self.weights))
        for i in range(length):
            self.weights[i] -= low_pass[i] / total
            self.weights[i + self.step] += low_pass[i] / total

    def reset(self):
        """Forget both streams."""
        memset(&self.outgoing, 0, sizeof(Thinner))
        memset(&self.incoming, 0, sizeof(Thinner))
        memset(self.signal, 0, sizeof(self.signal))
        memset(self.energies, 0, sizeof(self.energies))
        self.outgoing.held = self.incoming.held = self.taps - self.step
        self.sent_count = self.heard_count = self.anchor = 0
        self.energy = 0.0
        self.anchored = False
        self.forget()

    cdef void forget(self) noexcept:
        """Forget what earlier frames told about the lags."""
        memset(self.products, 0, sizeof(self.products))
        memset(self.powers, 0, sizeof(self.powers))
        self.heard_energy = 0.0

    cdef int thinned(self, Thinner *thinner, const int16_t **samples, Py_ssize_t *count, float *made) noexcept:
        """Take samples, as many as there is room for, and return how many of the thinned stream they make."""
        cdef int take = <int> min(count[0], LINE - thinner.held), i, outputs
        for i in range(take):
            thinner.line[thinner.held + i] = samples[0][i]
        samples[0] += take
        count[0] -= take
        thinner.held += take
        outputs = (thinner.held - self.taps) // self.step + 1 if thinner.held >= self.taps else 0
        thin(wide, thinner.line, self.weights, self.taps, self.step, made, outputs)
        thinner.held -= outputs * self.step
        memmove(thinner.line, thinner.line + outputs * self.step, thinner.held * sizeof(float))
        return outputs

    def sent(self, pcm, /):
        """Note the next samples that went out."""
        cdef Py_buffer view
        cdef const int16_t *samples
        cdef Py_ssize_t count
        cdef float made[MADE]
        cdef int outputs
        open_samples(pcm, &view)
        samples = <const int16_t *> view.buf
        count = view.len // 2
        while count:
            outputs = self.thinned(&self.outgoing, &samples, &count, made)
            self.keep(made, outputs)
        PyBuffer_Release(&view)

    cdef void keep(self, const float *made, int count) noexcept:
        """Append to what was sent."""
        cdef int i
        cdef float leaving
        cdef int kept = SENT - count
        memmove(self.signal, self.signal + count, kept * sizeof(float))
        memmove(self.energies, self.energies + count, kept * sizeof(float))
        for i in range(kept, SENT):
            self.signal[i] = made[i - kept]
            leaving = self.signal[i - FRAME]
            self.energy += <double> self.signal[i] * self.signal[i] - <double> leaving * leaving
            self.energies[i] = max(self.energy, 0.0)
        self.sent_count += count

    def similarity(self, frame, /):
        """Compare the caller's next 20 ms with what was sent."""
        cdef Py_buffer view
        cdef const int16_t *samples
        cdef Py_ssize_t count
        cdef float heard[MADE]
        cdef float *at = heard
        open_samples(frame, &view)
        samples = <const int16_t *> view.buf
        count = view.len // 2
        if count != self.frame:
            PyBuffer_Release(&view)
            raise ValueError(f"A frame at {self.rate_hz} Hz has {self.frame} samples, and this one has {count}.")
        while count:
            at += self.thinned(&self.incoming, &samples, &count, at)
        PyBuffer_Release(&view)
        self.heard_count += FRAME
        return self.compared(heard)

    cdef int ahead(self) noexcept:
        """Return how much further than usual the sent stream has come; where that is too much, call it usual."""
        cdef int64_t lead = self.sent_count - self.heard_count
        if not self.anchored or not -SLACK <= lead - self.anchor <= SLACK:
            self.anchored = True
            self.anchor = lead
            self.forget()
        return <int> (lead - self.anchor)

    cdef tuple compared(self, const float *heard):
        """Add a frame to what is known of every lag, and return the best."""
        cdef int first = SENT - FRAME - LAGS + 1 - self.ahead(), i
        cdef int known = min(LAGS, SENT - FRAME - first + 1)        # the most recent lags may not have been sent yet
        cdef double power = 0.0
        for i in range(FRAME):
            power += <double> heard[i] * heard[i]
        self.heard_energy = KEEP * self.heard_energy + power
        correlate(wide, heard, FRAME, self.signal + first, self.products, known, KEEP)
        gather(wide, self.energies + first + FRAME - 1, self.powers, known, KEEP)
        for i in range(known, LAGS):
            self.products[i] *= KEEP
            self.powers[i] *= KEEP
        return self.best() if power >= HEARD_FLOOR else (0.0, 0.0)

    cdef tuple best(self):
        """Return the similarity at the lag where it is greatest, and that lag in milliseconds."""
        cdef int place = LAGS - 1
        cdef float greatest = likest(wide, self.products, self.powers, LAGS, SENT_FLOOR, &place)
        if greatest == 0.0:
            return (0.0, 0.0)
        return (min(sqrt(greatest / self.heard_energy), 1.0), (LAGS - 1 - place) * 1000.0 / RATE)


def _use_baseline(bint only, /):
    """Do without AVX2, or use it again where there is any; return whether it is in use."""
    global wide
    wide = not only and has_avx2()
    return wide
