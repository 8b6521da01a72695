# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, auto_pickle=False
"""The resampler's filters: designed once for each ratio, then shared by all streams.

One windowed-sinc low-pass (Kaiser window, about 92 dB of stop band), 24 periods of the lower rate to either side, cut
at half the lower rate. For up/down in lowest terms there are ``up`` phases of it; each is scaled to a sum of one, so a
constant stays that constant in every phase.

Two layouts:
1. Up to six phases and six input samples between two outputs of a phase: the outputs of one phase are computed side by
   side, each weight being spread over a vector of them. The input is dealt out to ``down`` planes, so that what
   neighbouring outputs need lies side by side. Where a phase is its own mirror image, samples left and right of the
   centre are added first, which halves the products. Weights that are zero (a sinc has one at every period) are left
   out.
2. Any other ratio: a row of weights for each phase, and a sum of products for each output.

Sources: J. F. Kaiser, "Nonrecursive digital filter design using the I0-sinh window function", 1974; R. E. Crochiere and
L. R. Rabiner, "Multirate Digital Signal Processing", 1983, sections 3.3 and 4.1 (polyphase structures, half-bands).
"""

cimport cython
from libc.math cimport M_PI, sin, sqrt
from libc.stdlib cimport calloc, free
from math import gcd

cdef enum:
    MAX_PHASES = 2048       # keeps the table of an odd pair of rates within about a megabyte
    MOST_KEPT = 8           # ratios whose filters are kept for the next stream

cdef double KAISER_BETA = 9.2
cdef dict kept = {}


cdef double bessel_i0(double x) noexcept:
    """Return the modified Bessel function of order zero, by its power series."""
    cdef double total = 1.0, term = 1.0
    cdef int k = 1
    while term > 1e-18 * total:
        term *= (x / (2 * k)) * (x / (2 * k))
        total += term
        k += 1
    return total


cdef double windowed_sinc(double t) noexcept:
    """Return the filter's weight *t* periods of the lower rate away from its centre; exactly zero at whole ones."""
    cdef double edge = t / HALF_WIDTH
    if edge <= -1.0 or edge >= 1.0:
        return 0.0
    if t != 0.0 and t == <int> t:
        return 0.0
    cdef double sinc = sin(M_PI * t) / (M_PI * t) if t != 0.0 else 1.0
    return sinc * bessel_i0(KAISER_BETA * sqrt(1.0 - edge * edge))


@cython.final
cdef class LowPass:
    """The filter of one ratio of rates."""

    def __cinit__(self, int up, int down):
        self.up = up
        self.down = down
        # Rounded up: an output between two samples looks as far to the right as to the left.
        self.reach = (HALF_WIDTH * max(up, down) + up - 1) // up
        self.across = up <= MOST_ACROSS and down <= MOST_ACROSS
        if self.across:
            self.before = (self.reach + down - 1) // down
            self.stride = (SLICE // down + 2 * self.before + 48 + 15) // 16 * 16
            for number in range(up):
                self.design_phase(number)
        else:
            self.design_bank()

    def __dealloc__(self):
        cdef int p
        free(self.bank)
        for p in range(MOST_ACROSS):
            free(self.phases[p].weight)
            free(self.phases[p].left)
            free(self.phases[p].right)

    cdef double weigh(self, int distance, int part) noexcept:
        """Return the weight of the sample *distance* after the one before an output *part*/up later than that."""
        return windowed_sinc((distance * self.up - part) / <double> max(self.up, self.down))

    cdef int place(self, int sample) noexcept:
        """Return where an input sample lies in the planes; 0 is the first of the group of the first output."""
        cdef int group = (sample + self.before * self.down) // self.down
        return (sample + self.before * self.down) % self.down * self.stride + group

    cdef int design_phase(self, int number) except -1:
        """Lay out a phase for outputs side by side; the outermost weights come first, being the smallest."""
        cdef Phase *phase = &self.phases[number]
        cdef int part = number * self.down % self.up, centre = number * self.down // self.up
        cdef int distance, opposite, k = 0
        cdef double total = 0.0, weight
        phase.mirrored = 2 * part % self.up == 0
        phase.weight = <float *> calloc(2 * self.reach + 1, sizeof(float))
        phase.left = <Py_ssize_t *> calloc(2 * self.reach + 1, sizeof(Py_ssize_t))
        phase.right = <Py_ssize_t *> calloc(2 * self.reach + 1, sizeof(Py_ssize_t))
        if phase.weight == NULL or phase.left == NULL or phase.right == NULL:
            raise MemoryError
        for distance in range(-self.reach, self.reach + 1):
            total += self.weigh(distance, part)
        for distance in range(-self.reach, self.reach + 1):
            weight = self.weigh(distance, part) / total
            opposite = 2 * part // self.up - distance
            if weight == 0.0 or (phase.mirrored and distance > opposite):
                continue
            # The sample at the centre is its own mirror image, and is added to itself.
            phase.weight[k] = <float> (0.5 * weight if phase.mirrored and distance == opposite else weight)
            phase.left[k] = self.place(centre + distance)
            phase.right[k] = self.place(centre + opposite) if phase.mirrored else 0
            k += 1
        phase.terms = k
        return 0

    cdef int design_bank(self) except -1:
        """Fill the bank: row *p* weighs the window for an output *p*/up of an input period after a sample."""
        cdef int phase, tap
        cdef double total
        cdef float *row
        self.taps = (2 * self.reach + 15) // 16 * 16
        self.bank = <float *> calloc(self.up * self.taps, sizeof(float))
        if self.bank == NULL:
            raise MemoryError
        for phase in range(self.up):
            row = self.bank + phase * self.taps
            total = 0.0
            for tap in range(self.taps):
                total += self.weigh(tap - (self.taps - 1 - self.reach), phase)
            for tap in range(self.taps):
                row[tap] = <float> (self.weigh(tap - (self.taps - 1 - self.reach), phase) / total)
        return 0


cdef LowPass low_pass_for(int rate_in, int rate_out):
    """Return the filter between two different rates, designed or kept from before."""
    divisor = gcd(rate_in, rate_out)
    up, down = rate_out // divisor, rate_in // divisor
    if up > MAX_PHASES or down > 64 * up:
        raise ValueError(f"{rate_in} to {rate_out} Hz is {up}/{down}: too odd a ratio to resample by.")
    found = kept.pop((up, down), None)
    if found is None:
        found = LowPass(up, down)
    # The one that was asked for longest ago leaves.
    kept[up, down] = found
    if len(kept) > MOST_KEPT:
        del kept[next(iter(kept))]
    return found
