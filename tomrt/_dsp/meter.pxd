from libc.stdint cimport int16_t, int64_t


cdef extern from "tally.h":
    ctypedef struct Tally:
        int64_t count
        int64_t total
        int64_t squares
        int64_t clipped
        int peak


cdef void tally(Tally *sums, const int16_t *samples, Py_ssize_t count) noexcept
cdef double power_of(const Tally *sums) noexcept
cdef double dbfs(double power) noexcept
cdef double level_dbfs(const Tally *sums) noexcept
