# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, auto_pickle=False
"""Packet-loss concealment without delay.

Design:
1. When a frame is lost, the last 30 ms are split into a linear predictor and its residual, and the residual's last
   pitch period is repeated through the predictor. The predictor carries on from the last samples that were played, so
   there is no seam to overlap and nothing has to be held back for it.
2. As in G.711 Appendix I, a longer loss repeats more than one period, so that it does not buzz: two after 20 ms, three
   after 40 ms.
3. The voice fades by 1/e in 50 ms, faster where it was fading already; Appendix I is silent after 60 ms.
4. The first good frame is merged over 3.75 ms with what would have been made up.

Sources: ITU-T G.711 Appendix I (09/1999) for the repetition of several periods and the merge; ITU-T G.722 Appendix IV
(11/2006) for the repetition of the prediction residual. The figures were tuned with PESQ (ITU-T P.862) on speech in
mu-law with 5 and 10 % of the frames lost.
"""

cimport cython
from cpython.buffer cimport PyBuffer_Release
from libc.math cimport M_PI, cos, exp, log, sin
from libc.stdint cimport int16_t
from libc.string cimport memcpy, memmove, memset

from tomrt._dsp.pcm cimport new_bytes, open_samples, samples_of, to_sample
from tomrt._dsp.pitch cimport Match, pitch_before

cdef enum:
    WINDOW_8K = 240             # 30 ms for the predictor
    LONGEST_MS = 120

cdef double FADE_S = 0.05               # to 1/e
cdef double STEEPEST_FADE = 0.5         # of the voice's own fading, per period
cdef double WHITE_NOISE = 1e-4          # -40 dB: keeps the predictor tame
cdef double LAG_WINDOW_HZ = 20.0

cdef float[WINDOW_8K] window_8k
cdef float[2 * WINDOW_8K] window_16k


cdef void fill_window(float *window, int count) noexcept:
    """Make an analysis window that leans towards the present: a slow rise, and a fall in the last 15 %."""
    cdef int i, top = count * 85 // 100
    for i in range(top):
        window[i] = <float> sin(M_PI / 2 * (i + 0.5) / top)
    for i in range(count - top):
        window[top + i] = <float> cos(M_PI / 2 * (i + 0.5) / (count - top))


fill_window(window_8k, WINDOW_8K)
fill_window(window_16k, 2 * WINDOW_8K)


cdef float correlate(const float *a, const float *b, int count) noexcept:
    """Return the inner product in eight interleaved partial sums, which every processor adds in the same order."""
    cdef float[8] part
    cdef int i, lane, whole = count & ~7
    for lane in range(8):
        part[lane] = 0.0
    for i in range(0, whole, 8):
        for lane in range(8):
            part[lane] += a[i + lane] * b[i + lane]
    for i in range(whole, count):
        part[i - whole] += a[i] * b[i]
    return ((part[0] + part[4]) + (part[2] + part[6])) + ((part[1] + part[5]) + (part[3] + part[7]))


cdef void predict(Concealment *state) noexcept:
    """Fit the predictor to the last 30 ms: autocorrelation, and Levinson's recursion."""
    cdef float[2 * WINDOW_8K] signal
    cdef double[LARGEST_ORDER + 1] r, a, previous
    cdef double error, sum_, bend
    cdef int i, k, order = state.order
    cdef int count = WINDOW_8K * state.rate_hz // 8000
    cdef const float *window = &window_8k[0] if state.rate_hz == 8000 else &window_16k[0]
    cdef const int16_t *recent = state.history + state.history_samples - count
    for i in range(count):
        signal[i] = recent[i] * window[i]
    for k in range(order + 1):
        bend = 2 * M_PI * LAG_WINDOW_HZ * k / state.rate_hz
        r[k] = correlate(signal, signal + k, count - k) * exp(-0.5 * bend * bend)
        a[k] = 0.0
    r[0] = r[0] * (1.0 + WHITE_NOISE) + 1.0
    a[0] = 1.0
    error = r[0]
    for k in range(1, order + 1):
        sum_ = r[k]
        for i in range(1, k):
            sum_ += a[i] * r[k - i]
        memcpy(previous, a, sizeof(a))
        a[k] = -sum_ / error
        for i in range(1, k):
            a[i] = previous[i] + a[k] * previous[k - i]
        error *= 1.0 - a[k] * a[k]
    for k in range(order + 1):
        state.predictor[k] = <float> a[k]


cdef void find_excitation(Concealment *state) noexcept:
    """Run the last three periods through the predictor's inverse."""
    cdef int i, k, count = 3 * state.period
    cdef const int16_t *source = state.history + state.history_samples - count
    cdef float weight
    for i in range(count):
        state.excitation[i] = source[i]
    for k in range(1, state.order + 1):
        weight = state.predictor[k]
        for i in range(count):
            state.excitation[i] += weight * source[i - k]


cdef double energy(const int16_t *samples, int count) noexcept:
    cdef double total = 1.0
    cdef int i
    for i in range(count):
        total += <double> (<int> samples[i] * <int> samples[i])
    return total


cdef void analyse(Concealment *state) noexcept:
    """Learn from the history how the voice would go on."""
    cdef const int16_t *end = state.history + state.history_samples
    cdef int unit = state.rate_hz // 8000
    cdef Match found = pitch_before(end, 120 * unit, 80 * unit, 32 * unit, 128 * unit)
    cdef double fading
    cdef int i
    state.period = found.lag
    predict(state)
    find_excitation(state)
    for i in range(state.order):
        state.memory[i] = end[i - state.order]
    # The square root makes an amplitude of the energies' ratio.
    fading = 0.5 * log(energy(end - state.period, state.period) / energy(end - 2 * state.period, state.period))
    fading = min(0.0, max(fading, log(STEEPEST_FADE))) / state.period
    state.gain = 1.0
    state.gain_step = <float> exp(fading - 1.0 / (FADE_S * state.rate_hz))
    state.position = 0


cdef inline int repeated_periods(int position, int rate_hz) noexcept:
    return 1 if position * 50 < rate_hz else 2 if position * 25 < rate_hz else 3


cdef void synthesise(Concealment *state, float *target, int count) noexcept:
    """Go on with the voice; *target* has ``order`` samples of room before it for the filter's memory."""
    cdef int i, k, span, order = state.order
    cdef int end = 3 * state.period
    cdef float value
    cdef float *past = target - order
    memcpy(past, state.memory, order * sizeof(float))
    for i in range(count):
        span = repeated_periods(state.position, state.rate_hz) * state.period
        value = state.excitation[end - span + state.position % span]
        for k in range(order, 0, -1):       # the newest sample last: the others need not wait for it
            value -= state.predictor[k] * target[i - k]
        target[i] = value
        state.position += 1
    memmove(state.memory, target + count - order, order * sizeof(float))
    for i in range(count):
        target[i] *= state.gain
        state.gain *= state.gain_step


cdef void remember(Concealment *state, const int16_t *samples, int count) noexcept:
    cdef int kept = state.history_samples - count
    if kept > 0:
        memmove(state.history, state.history + count, kept * sizeof(int16_t))
        memcpy(state.history + kept, samples, count * sizeof(int16_t))
    else:
        memcpy(state.history, samples - kept, state.history_samples * sizeof(int16_t))


cdef void begin_concealment(Concealment *state, int rate_hz) noexcept:
    """Begin with silence behind."""
    memset(state, 0, sizeof(Concealment))
    state.rate_hz = rate_hz
    state.history_samples = HISTORY * rate_hz // 16000
    state.order = 12 if rate_hz == 8000 else LARGEST_ORDER


cdef void take_good(Concealment *state, int16_t *samples, Py_ssize_t count) noexcept:
    """Take *count* samples that arrived, at least 10 ms of them; change their beginning where a loss ends."""
    cdef float[LARGEST_ORDER + 64] room
    cdef float *made = room + LARGEST_ORDER
    cdef float rise
    cdef int i, length = 30 * state.rate_hz // 8000
    if state.losing:
        synthesise(state, made, length)
        for i in range(length):
            rise = (i + 0.5) / length
            samples[i] = to_sample(rise * samples[i] + (1 - rise) * made[i])
        state.losing = False
    remember(state, samples, count)


cdef void make_up(Concealment *state, int16_t *target, Py_ssize_t count) noexcept:
    """Make up *count* samples in place of lost ones, a multiple of 10 ms."""
    cdef float[LARGEST_ORDER + 160] room
    cdef float *made = room + LARGEST_ORDER
    cdef int i, step = state.rate_hz // 100
    cdef Py_ssize_t at
    if not state.losing:
        analyse(state)
        state.losing = True
    for at in range(0, count, step):
        synthesise(state, made, step)
        for i in range(step):
            target[at + i] = to_sample(made[i])
    remember(state, target, count)


@cython.final
cdef class Concealer:
    """Makes up for lost frames."""

    cdef Concealment state

    def __init__(self, int rate_hz):
        if rate_hz not in (8000, 16000):
            raise ValueError(f"Losses are concealed at 8000 and 16000 Hz, not at {rate_hz} Hz.")
        begin_concealment(&self.state, rate_hz)

    @property
    def rate_hz(self):
        """Samples per second."""
        return self.state.rate_hz

    @property
    def losing(self):
        """Whether the last frame was made up."""
        return bool(self.state.losing)

    def good(self, frame, /):
        """Take a frame that arrived and return what to play for it."""
        cdef Py_buffer view
        cdef Py_ssize_t length
        cdef bytes result
        open_samples(frame, &view)
        try:
            length = view.len
            if length % (self.state.rate_hz // 50) or not 0 < length <= LONGEST_MS * (self.state.rate_hz // 500):
                raise ValueError(
                    f"A frame has 10 to {LONGEST_MS} ms in steps of 10 ms, not {length // 2} samples "
                    f"at {self.state.rate_hz} Hz."
                )
            if not self.state.losing and type(frame) is bytes:
                remember(&self.state, <const int16_t *> view.buf, length // 2)
                return frame
            result = new_bytes(length)
            memcpy(samples_of(result), view.buf, length)
        finally:
            PyBuffer_Release(&view)
        take_good(&self.state, samples_of(result), length // 2)
        return result

    def lost(self, int ms=20, /):
        """Return what to play for a frame that did not arrive."""
        if ms % 10 or not 0 < ms <= LONGEST_MS:
            raise ValueError(f"A lost frame has 10 to {LONGEST_MS} ms in steps of 10 ms, not {ms}.")
        result = new_bytes(ms * (self.state.rate_hz // 500))
        make_up(&self.state, samples_of(result), ms * (self.state.rate_hz // 1000))
        return result

    def reset(self):
        """Begin again with silence behind."""
        begin_concealment(&self.state, self.state.rate_hz)
