/* One pass over samples for a level meter, with AVX2: sum, sum of squares, largest magnitude, clipped samples. All of
   it is integers, so the result is that of the plain loop. */

#include "clones.h"

typedef struct {
    int64_t count;
    int64_t total;
    int64_t squares;
    int64_t clipped;
    int peak;
} Tally;

#if CLONE_AVX2

#define SUITED __attribute__((target("avx2")))

SUITED static inline int64_t lanes_of(__m256i sums) {
    __m128i half = _mm_add_epi64(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    return _mm_cvtsi128_si64(_mm_add_epi64(half, _mm_unpackhi_epi64(half, half)));
}

/* Adds up two vectors of eight at once: the first sum is in the low half of the result. */
SUITED static inline int64_t lanes_of_two(__m256i a, __m256i b) {
    __m256i pairs = _mm256_hadd_epi32(a, b);
    __m128i half = _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
    return _mm_cvtsi128_si64(_mm_hadd_epi32(half, half));
}

/* Sixteen samples at a time, at most 65,536 of them, so that no 16-bit lane counts further than it can; returns how
   many were taken. */
SUITED static inline Py_ssize_t sum_wide(Tally *sums, const int16_t *samples, Py_ssize_t count, int limit) {
    const __m256i ones = _mm256_set1_epi16(1), low32 = _mm256_set1_epi64x(0xFFFFFFFF);
    const __m256i over = _mm256_set1_epi16((short) (limit - 1)), under = _mm256_set1_epi16((short) (1 - limit));
    __m256i total = _mm256_setzero_si256(), squares = total, clipped = total, most = total, least = total;
    Py_ssize_t at = 0;
    if (count > 65536) count = 65536;
    for (; at + 16 <= count; at += 16) {
        const __m256i x = _mm256_loadu_si256((const __m256i *) (samples + at));
        /* Two squares add up to 2^31 at most: right as an unsigned number. */
        const __m256i pairs = _mm256_madd_epi16(x, x);
        squares = _mm256_add_epi64(squares, _mm256_and_si256(pairs, low32));
        squares = _mm256_add_epi64(squares, _mm256_srli_epi64(pairs, 32));
        total = _mm256_add_epi32(total, _mm256_madd_epi16(x, ones));
        clipped = _mm256_sub_epi16(clipped, _mm256_or_si256(_mm256_cmpgt_epi16(x, over), _mm256_cmpgt_epi16(under, x)));
        most = _mm256_max_epi16(most, x);
        least = _mm256_min_epi16(least, x);
    }
    const int64_t both = lanes_of_two(total, _mm256_madd_epi16(clipped, ones));
    sums->total += (int32_t) both;
    sums->clipped += both >> 32;
    sums->squares += lanes_of(squares);
    /* Both as unsigned magnitudes, for which there is a horizontal minimum: of the complement. */
    most = _mm256_max_epu16(most, _mm256_sub_epi16(_mm256_setzero_si256(), least));
    const __m128i half = _mm_max_epu16(_mm256_castsi256_si128(most), _mm256_extracti128_si256(most, 1));
    const int peak = 0xFFFF & ~_mm_extract_epi16(_mm_minpos_epu16(_mm_xor_si128(half, _mm_set1_epi16(-1))), 0);
    if (peak > sums->peak) sums->peak = peak;
    sums->count += at;
    return at;
}

#undef SUITED

#else

static inline Py_ssize_t sum_wide(Tally *sums, const int16_t *samples, Py_ssize_t count, int limit) { return 0; }

#endif
