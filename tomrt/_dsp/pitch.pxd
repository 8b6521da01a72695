from libc.stdint cimport int16_t

cdef enum:
    MOST_SAMPLES = 1024         # the longest stretch of signal that a search may cover

cdef struct Match:
    int lag                     # in samples; 0 where there was nothing to compare
    double likeness             # normalised correlation, -1 to 1


cdef Match pitch_before(const int16_t *end, int window, int near, int shortest, int longest) noexcept
cdef Match match_ahead(const int16_t *start, int window, int shortest, int longest) noexcept
