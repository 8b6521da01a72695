from libc.stdint cimport int16_t, uint8_t

ctypedef enum Law:
    ULAW
    ALAW


cdef void decode_into(Law law, const uint8_t *codes, int16_t *samples, Py_ssize_t count) noexcept
cdef void encode_into(Law law, const int16_t *samples, uint8_t *codes, Py_ssize_t count) noexcept
