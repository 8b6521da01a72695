cdef enum:
    WINDOW = 128            # samples under the window: 16 ms at 8 kHz
    BINS = 64               # bins of the power spectrum, fs / 128 apart


cdef void power_spectrum(bint wide, const float *samples, float *power) noexcept
