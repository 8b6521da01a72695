cimport cython
from libc.stdint cimport int16_t, int64_t


@cython.final
cdef class Resampler:
    cdef readonly int rate_in
    cdef readonly int rate_out
    cdef int up                 # rate_out : rate_in = up : down in lowest terms
    cdef int down
    cdef int reach              # input samples on either side of an output sample that take part in it
    cdef int taps               # coefficients per phase, a multiple of 8
    cdef float *bank            # up phases of taps coefficients
    cdef float *window          # the latest input samples, as floats
    cdef Py_ssize_t filled      # samples in the window
    cdef Py_ssize_t newest      # index in the window of the newest sample the next output needs
    cdef int phase
    cdef int64_t taken          # input samples since the beginning
    cdef int64_t given          # output samples since the beginning

    cdef void design(self, double slower) noexcept
    cdef int64_t due(self, int64_t taken) noexcept
    cdef Py_ssize_t feed(self, const int16_t *source, Py_ssize_t count, int16_t *target) noexcept
    cdef void rewind(self) noexcept
