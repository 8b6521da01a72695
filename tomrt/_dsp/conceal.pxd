from libc.stdint cimport int16_t

cdef enum:
    HISTORY = 848               # 53 ms at 16 kHz: three of the longest periods and the filter's memory
    LARGEST_ORDER = 20
    LONGEST_VOICED = 768        # three periods of 16 ms at 16 kHz

cdef struct Concealment:
    int rate_hz
    int history_samples
    int order
    int period                  # of the excitation, in samples
    int position                # samples made up in this loss
    bint losing
    float gain
    float gain_step             # per sample
    float[LARGEST_ORDER] memory         # the last samples that the filter made, oldest first
    float[LARGEST_ORDER + 1] predictor
    float[LONGEST_VOICED] excitation    # the last three periods before the loss
    int16_t[HISTORY] history


cdef void begin_concealment(Concealment *state, int rate_hz) noexcept
cdef void take_good(Concealment *state, int16_t *samples, Py_ssize_t count) noexcept
cdef void make_up(Concealment *state, int16_t *target, Py_ssize_t count) noexcept
