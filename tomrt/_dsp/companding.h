/* G.711 by arithmetic, with AVX2.

   Decoding. The three bits of the segment choose a power of two from a table that fits a register; one 16-bit product
   puts the mantissa in its place.

   Encoding. The segment is the logarithm of a number of eight bits, looked up by its two halves; a product with a power
   of two brings the four bits under the leading one to where they are taken from. 32 samples at a time.
*/

#include "clones.h"

#if CLONE_AVX2

#define SUITED __attribute__((target("avx2")))

/* Sixteen codes at a time; returns how many were decoded. */
SUITED static Py_ssize_t ulaw_to_samples(const uint8_t *codes, int16_t *samples, Py_ssize_t count) {
    const __m256i powers = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 0, 0, 0, 0, 0, 0, 0, 0));
    const __m256i fifteen = _mm256_set1_epi16(15), seven = _mm256_set1_epi16(7), bias = _mm256_set1_epi16(132);
    const __m256i aside = _mm256_set1_epi16((short) 0x8000);
    Py_ssize_t at = 0;
    for (; at + 16 <= count; at += 16) {
        __m256i code = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *) (codes + at)));
        /* Bits are inverted on the line. The high byte of each index is set to look up zero. */
        __m256i segment = _mm256_or_si256(_mm256_andnot_si256(_mm256_srli_epi16(code, 4), seven), aside);
        __m256i mantissa = _mm256_andnot_si256(code, fifteen);
        __m256i step = _mm256_shuffle_epi8(powers, segment);
        __m256i value = _mm256_mullo_epi16(_mm256_add_epi16(_mm256_slli_epi16(mantissa, 3), bias), step);
        /* The sign bit is set for positive samples; -1 negates by complement and increment. */
        __m256i negative = _mm256_cmpgt_epi16(_mm256_set1_epi16(128), code);
        value = _mm256_sub_epi16(value, bias);
        value = _mm256_sub_epi16(_mm256_xor_si256(value, negative), negative);
        _mm256_storeu_si256((__m256i *) (samples + at), value);
    }
    return at;
}

SUITED static Py_ssize_t alaw_to_samples(const uint8_t *codes, int16_t *samples, Py_ssize_t count) {
    const __m256i powers = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(1, 1, 2, 4, 8, 16, 32, 64, 0, 0, 0, 0, 0, 0, 0, 0));
    const __m256i fifteen = _mm256_set1_epi16(15), seven = _mm256_set1_epi16(7);
    const __m256i half = _mm256_set1_epi16(8), one = _mm256_set1_epi16(256);
    const __m256i aside = _mm256_set1_epi16((short) 0x8000);
    Py_ssize_t at = 0;
    for (; at + 16 <= count; at += 16) {
        __m256i code = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *) (codes + at)));
        code = _mm256_xor_si256(code, _mm256_set1_epi16(0x55));
        __m256i segment = _mm256_and_si256(_mm256_srli_epi16(code, 4), seven);
        __m256i step = _mm256_shuffle_epi8(powers, _mm256_or_si256(segment, aside));
        /* From segment 1 on the mantissa has a leading one. */
        __m256i leading = _mm256_cmpgt_epi16(segment, _mm256_setzero_si256());
        __m256i mantissa = _mm256_slli_epi16(_mm256_and_si256(code, fifteen), 4);
        __m256i value = _mm256_add_epi16(_mm256_add_epi16(mantissa, half), _mm256_and_si256(leading, one));
        __m256i negative = _mm256_cmpgt_epi16(_mm256_set1_epi16(128), code);
        value = _mm256_mullo_epi16(value, step);
        value = _mm256_sub_epi16(_mm256_xor_si256(value, negative), negative);
        _mm256_storeu_si256((__m256i *) (samples + at), value);
    }
    return at;
}

/* How a law makes a code of a magnitude: one column for each law. */
struct Law {
    __m128i low;        /* segment of a number below 16 ... */
    __m128i high;       /* ... and of one above, by its upper four bits */
    __m128i power;      /* by which the segment is brought to the uppermost one */
    __m128i base;       /* sixteen for every whole segment below, less the leading one */
    int drop;           /* bits that the law does not look at */
    int bias;
    int most;
    int above;          /* bits below the number whose logarithm is the segment */
    int mantissa;       /* bits below the mantissa in the uppermost segment */
    int mask;           /* bits that are inverted on the line */
};

/* 32 samples at a time; returns how many were encoded. */
SUITED static inline __attribute__((always_inline)) Py_ssize_t encode_by(struct Law law, const int16_t *samples,
                                                                        uint8_t *codes, Py_ssize_t count) {
    const __m256i low = _mm256_broadcastsi128_si256(law.low), high = _mm256_broadcastsi128_si256(law.high);
    const __m256i power = _mm256_broadcastsi128_si256(law.power), base = _mm256_broadcastsi128_si256(law.base);
    const __m256i bias = _mm256_set1_epi16((short) law.bias), most = _mm256_set1_epi16((short) law.most);
    const __m256i nibble = _mm256_set1_epi8(15), mask = _mm256_set1_epi8((char) law.mask);
    const __m256i zero = _mm256_setzero_si256(), sign = _mm256_set1_epi8((char) 0x80);
    Py_ssize_t at = 0;
    for (; at + 32 <= count; at += 32) {
        __m256i a = _mm256_loadu_si256((const __m256i *) (samples + at));
        __m256i b = _mm256_loadu_si256((const __m256i *) (samples + at + 16));
        /* Packing saturates, which leaves the sign; it works within halves, and so does all that follows. */
        const __m256i signs = _mm256_and_si256(_mm256_packs_epi16(a, b), sign);
        a = _mm256_xor_si256(a, _mm256_srai_epi16(a, 15));
        b = _mm256_xor_si256(b, _mm256_srai_epi16(b, 15));
        a = _mm256_min_epi16(_mm256_add_epi16(_mm256_srli_epi16(a, law.drop), bias), most);
        b = _mm256_min_epi16(_mm256_add_epi16(_mm256_srli_epi16(b, law.drop), bias), most);
        const __m256i top = _mm256_packus_epi16(_mm256_srli_epi16(a, law.above), _mm256_srli_epi16(b, law.above));
        const __m256i upper = _mm256_and_si256(_mm256_srli_epi16(top, 4), nibble);
        const __m256i segment = _mm256_max_epu8(_mm256_shuffle_epi8(low, _mm256_and_si256(top, nibble)),
                                                _mm256_shuffle_epi8(high, upper));
        const __m256i factor = _mm256_shuffle_epi8(power, segment);
        a = _mm256_srli_epi16(_mm256_mullo_epi16(a, _mm256_unpacklo_epi8(factor, zero)), law.mantissa);
        b = _mm256_srli_epi16(_mm256_mullo_epi16(b, _mm256_unpackhi_epi8(factor, zero)), law.mantissa);
        __m256i code = _mm256_add_epi8(_mm256_packus_epi16(a, b), _mm256_shuffle_epi8(base, segment));
        code = _mm256_xor_si256(_mm256_xor_si256(code, mask), signs);
        _mm256_storeu_si256((__m256i *) (codes + at), _mm256_permute4x64_epi64(code, 0xD8));
    }
    return at;
}

SUITED static Py_ssize_t samples_to_ulaw(const int16_t *samples, uint8_t *codes, Py_ssize_t count) {
    const struct Law law = {
        .low = _mm_setr_epi8(0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3),
        .high = _mm_setr_epi8(0, 4, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7, 7, 7, 7, 7),
        .power = _mm_setr_epi8(-128, 64, 32, 16, 8, 4, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0),
        .base = _mm_setr_epi8(-16, 0, 16, 32, 48, 64, 80, 96, 0, 0, 0, 0, 0, 0, 0, 0),
        .drop = 2, .bias = 33, .most = 0x1FFF, .above = 5, .mantissa = 8, .mask = 0xFF,
    };
    return encode_by(law, samples, codes, count);
}

SUITED static Py_ssize_t samples_to_alaw(const int16_t *samples, uint8_t *codes, Py_ssize_t count) {
    const struct Law law = {
        .low = _mm_setr_epi8(0, 1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4),
        .high = _mm_setr_epi8(0, 5, 6, 6, 7, 7, 7, 7, 0, 0, 0, 0, 0, 0, 0, 0),
        .power = _mm_setr_epi8(64, 64, 32, 16, 8, 4, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0),
        .base = _mm_setr_epi8(0, 0, 16, 32, 48, 64, 80, 96, 0, 0, 0, 0, 0, 0, 0, 0),
        .drop = 4, .bias = 0, .most = 0x7FF, .above = 4, .mantissa = 6, .mask = 0xD5,
    };
    return encode_by(law, samples, codes, count);
}

#undef SUITED

#else

static Py_ssize_t ulaw_to_samples(const uint8_t *codes, int16_t *samples, Py_ssize_t count) { return 0; }
static Py_ssize_t alaw_to_samples(const uint8_t *codes, int16_t *samples, Py_ssize_t count) { return 0; }
static Py_ssize_t samples_to_ulaw(const int16_t *samples, uint8_t *codes, Py_ssize_t count) { return 0; }
static Py_ssize_t samples_to_alaw(const int16_t *samples, uint8_t *codes, Py_ssize_t count) { return 0; }

#endif
