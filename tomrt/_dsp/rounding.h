/* Floats to 16-bit samples: to the nearest, halves to even, saturating. */

#ifndef TOMRT_ROUNDING_H
#define TOMRT_ROUNDING_H

#include <stdint.h>
#include <string.h>

/* Adding 1.5 * 2^23 leaves no room for a fraction: the processor rounds to the nearest integer, halves to even, and the
   low 16 bits are that integer in two's complement. Unlike lrintf this is plain arithmetic, which vectorises. */
static inline int16_t rounded(float value) {
    int32_t bits;
    value = value > 32767.0f ? 32767.0f : value;
    value = value < -32768.0f ? -32768.0f : value;
    value += 12582912.0f;
    memcpy(&bits, &value, sizeof bits);
    return (int16_t) bits;
}

/* Eight samples. x86-64 has instructions for it, rounding as above; for others it is up to the compiler. */
#if defined(__SSE2__)
#include <emmintrin.h>
typedef __m128i eight_samples;
#define eight(y) \
    _mm_packs_epi32(_mm_cvtps_epi32(_mm_loadu_ps(y)), _mm_cvtps_epi32(_mm_loadu_ps((y) + 4)))
#define store_eight(samples, a) _mm_storeu_si128((__m128i *) (samples), a)
#define store_pairs(samples, a, b)                                   \
    do {                                                             \
        const __m128i even = a, odd = b;                             \
        store_eight(samples, _mm_unpacklo_epi16(even, odd));         \
        store_eight((samples) + 8, _mm_unpackhi_epi16(even, odd));   \
    } while (0)
#else
typedef struct { int16_t sample[8]; } eight_samples;
static inline eight_samples eight(const float *y) {
    eight_samples made;
    for (int i = 0; i < 8; i++) made.sample[i] = rounded(y[i]);
    return made;
}
static inline void store_eight(int16_t *samples, eight_samples a) { memcpy(samples, a.sample, 16); }
static inline void store_pairs(int16_t *samples, eight_samples a, eight_samples b) {
    for (int i = 0; i < 8; i++) {
        samples[2 * i] = a.sample[i];
        samples[2 * i + 1] = b.sample[i];
    }
}
#endif

#endif
