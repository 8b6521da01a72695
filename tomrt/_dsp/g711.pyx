# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, binding=False
"""G.711 companding, bit for bit as in the software tool library of ITU-T G.191.

Design: the baseline is a table look-up in both directions. The tables are filled once, at import, by the arithmetic of
the recommendation: 256 samples per law to decode, 65,536 codes per law to encode. A processor with AVX2 does the same
by arithmetic, sixteen samples at a time (companding.h), and leaves only what does not fill a vector to the tables.

The one point where implementations differ is a negative sample that lies exactly on a decision value. G.191 takes the
one's complement, so the sample belongs to the interval nearer to zero; CPython's late ``audioop`` shifted before it
negated and was one code off for 508 inputs of the mu-law encoder.
"""

from cpython.buffer cimport PyBuffer_Release
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int16_t, uint8_t, uint16_t

from tomrt._dsp.pcm cimport new_bytes, open_bytes, open_samples, samples_of


cdef extern from "clones.h":
    bint has_avx2() noexcept


cdef extern from "companding.h":
    Py_ssize_t ulaw_to_samples(const uint8_t *codes, int16_t *samples, Py_ssize_t count) noexcept
    Py_ssize_t alaw_to_samples(const uint8_t *codes, int16_t *samples, Py_ssize_t count) noexcept
    Py_ssize_t samples_to_ulaw(const int16_t *samples, uint8_t *codes, Py_ssize_t count) noexcept
    Py_ssize_t samples_to_alaw(const int16_t *samples, uint8_t *codes, Py_ssize_t count) noexcept


cdef int16_t ulaw_sample[256]
cdef int16_t alaw_sample[256]
cdef uint8_t ulaw_code[65536]
cdef uint8_t alaw_code[65536]
cdef bint wide = has_avx2()


cdef int expand_ulaw(int code) noexcept:
    """Return the sample of a mu-law code: 14 bits, left-justified in 16."""
    cdef int exponent = (~code >> 4) & 7
    cdef int mantissa = ~code & 15
    cdef int step = 8 << exponent
    cdef int magnitude = (128 << exponent) + step * mantissa + step // 2 - 132
    return magnitude if code & 0x80 else -magnitude


cdef int expand_alaw(int code) noexcept:
    """Return the sample of an A-law code: 13 bits, left-justified in 16."""
    cdef int exponent = ((code ^ 0x55) >> 4) & 7
    cdef int mantissa = (code ^ 0x55) & 15
    if exponent:
        mantissa += 16
    cdef int magnitude = (mantissa << 4) + 8
    if exponent > 1:
        magnitude <<= exponent - 1
    return magnitude if code & 0x80 else -magnitude


cdef int compress_ulaw(int sample) noexcept:
    """Return the mu-law code of a sample."""
    cdef int magnitude = ((~sample if sample < 0 else sample) >> 2) + 33
    cdef int segment = 1
    if magnitude > 0x1FFF:
        magnitude = 0x1FFF
    while magnitude >> (segment + 5):
        segment += 1
    cdef int code = ((8 - segment) << 4) | (15 - ((magnitude >> segment) & 15))
    return code if sample < 0 else code | 0x80


cdef int compress_alaw(int sample) noexcept:
    """Return the A-law code of a sample."""
    cdef int code = (~sample if sample < 0 else sample) >> 4
    cdef int exponent = 1
    if code > 15:
        while code > 31:
            code >>= 1
            exponent += 1
        code += (exponent << 4) - 16
    if sample >= 0:
        code |= 0x80
    return code ^ 0x55


cdef void fill_tables() noexcept:
    cdef int i
    for i in range(256):
        ulaw_sample[i] = <int16_t> expand_ulaw(i)
        alaw_sample[i] = <int16_t> expand_alaw(i)
    for i in range(-32768, 32768):
        ulaw_code[<uint16_t> i] = <uint8_t> compress_ulaw(i)
        alaw_code[<uint16_t> i] = <uint8_t> compress_alaw(i)


fill_tables()


cdef void decode_into(Law law, const uint8_t *codes, int16_t *samples, Py_ssize_t count) noexcept:
    """Decode *count* codes."""
    cdef const int16_t *table = &ulaw_sample[0] if law == ULAW else &alaw_sample[0]
    cdef Py_ssize_t i = 0
    if wide:
        i = ulaw_to_samples(codes, samples, count) if law == ULAW else alaw_to_samples(codes, samples, count)
    while i < count:
        samples[i] = table[codes[i]]
        i += 1


cdef void encode_into(Law law, const int16_t *samples, uint8_t *codes, Py_ssize_t count) noexcept:
    """Encode *count* samples."""
    cdef const uint8_t *table = &ulaw_code[0] if law == ULAW else &alaw_code[0]
    cdef Py_ssize_t i = 0
    if wide:
        i = samples_to_ulaw(samples, codes, count) if law == ULAW else samples_to_alaw(samples, codes, count)
    while i < count:
        codes[i] = table[<uint16_t> samples[i]]
        i += 1


cdef bytes decode(Law law, object codes):
    cdef Py_buffer view
    open_bytes(codes, &view)
    try:
        pcm = new_bytes(2 * view.len)
        decode_into(law, <const uint8_t *> view.buf, samples_of(pcm), view.len)
    finally:
        PyBuffer_Release(&view)
    return pcm


cdef bytes encode(Law law, object pcm):
    cdef Py_buffer view
    open_samples(pcm, &view)
    try:
        codes = new_bytes(view.len // 2)
        encode_into(law, <const int16_t *> view.buf, <uint8_t *> PyBytes_AS_STRING(codes), view.len // 2)
    finally:
        PyBuffer_Release(&view)
    return codes


def ulaw_decode(codes, /):
    """Return the 16-bit PCM of mu-law codes."""
    return decode(ULAW, codes)


def ulaw_encode(pcm, /):
    """Return the mu-law codes of 16-bit PCM."""
    return encode(ULAW, pcm)


def alaw_decode(codes, /):
    """Return the 16-bit PCM of A-law codes."""
    return decode(ALAW, codes)


def alaw_encode(pcm, /):
    """Return the A-law codes of 16-bit PCM."""
    return encode(ALAW, pcm)


def _use_baseline(bint only, /):
    """Do without AVX2, or use it again where there is any; return whether it is in use."""
    global wide
    wide = not only and has_avx2()
    return wide
