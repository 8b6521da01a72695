cimport cython

cdef enum:
    SLICE = 1024            # input samples that are filtered at a time
    HALF_WIDTH = 24         # periods of the lower rate on either side of the filter's centre
    MOST_ACROSS = 6         # phases, and input samples between outputs of a phase, that are filtered side by side


cdef struct Phase:
    int terms
    bint mirrored           # each weight goes with two samples, left and right of the centre
    float *weight
    Py_ssize_t *left           # places of the samples, counted from the first output of a phase
    Py_ssize_t *right


@cython.final
cdef class LowPass:
    cdef readonly int up        # rate_out : rate_in = up : down in lowest terms
    cdef readonly int down
    cdef readonly int reach     # input samples on either side of an output sample that take part in it
    cdef bint across            # phases are filtered side by side; else every output is a sum of products
    # across
    cdef int stride             # from plane to plane of input, and from phase to phase of output: room for a slice
    cdef int before             # groups of input samples that are kept from before an output
    cdef Phase phases[MOST_ACROSS]
    # one by one
    cdef int taps               # coefficients per phase, a multiple of 16
    cdef float *bank            # up phases of taps coefficients

    cdef double weigh(self, int distance, int part) noexcept
    cdef int place(self, int sample) noexcept
    cdef int design_phase(self, int number) except -1
    cdef int design_bank(self) except -1


cdef LowPass low_pass_for(int rate_in, int rate_out)
