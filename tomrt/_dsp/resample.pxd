cimport cython
from libc.stdint cimport int16_t, int64_t

from tomrt._dsp.lowpass cimport LowPass


@cython.final
cdef class Resampler:
    cdef readonly int rate_in
    cdef readonly int rate_out
    cdef int up                 # rate_out : rate_in = up : down in lowest terms
    cdef int down
    cdef int reach              # input samples on either side of an output sample that take part in it
    cdef LowPass low_pass       # None for equal rates
    cdef int64_t taken          # input samples since the beginning
    cdef int64_t given          # output samples since the beginning
    # where phases are filtered side by side
    cdef int span               # samples of each plane that are kept from slice to slice
    cdef float *kept            # these samples
    # where outputs are made one by one
    cdef float *window          # the latest input samples
    cdef Py_ssize_t filled      # samples in the window
    cdef Py_ssize_t newest      # index in the window of the newest sample the next output needs
    cdef int phase

    cdef int64_t due(self, int64_t taken) noexcept
    cdef Py_ssize_t feed(self, const int16_t *source, Py_ssize_t count, int16_t *target) noexcept
    cdef void step_across(self, const int16_t *source, Py_ssize_t count, int16_t *target) noexcept
    cdef void deal(self, const int16_t *source, Py_ssize_t count, int64_t first_group) noexcept
    cdef void step_single(self, const int16_t *source, Py_ssize_t count, int16_t *target) noexcept
    cdef void rewind(self) noexcept
