/* The clones of fir.h, and which of them runs. */

#include "clones.h"
#include "rounding.h"

#define LANES 4
#define SUITED
#define NAME(stem) stem##_baseline
#include "fir.h"
#undef LANES
#undef SUITED
#undef NAME

#if CLONE_AVX2
#define LANES 8
#define SUITED __attribute__((target("avx2")))
#define NAME(stem) stem##_avx2
#include "fir.h"
#undef LANES
#undef SUITED
#undef NAME
#define EITHER(stem) (wide ? stem##_avx2 : stem##_baseline)
#else
#define EITHER(stem) stem##_baseline
#endif

static int wide;

static inline int use_wide(int wanted) {
    wide = wanted && has_avx2();
    return wide;
}

static inline void fold(const float *x, const float *weight, const Py_ssize_t *left, const Py_ssize_t *right,
                        Py_ssize_t terms, float *y, Py_ssize_t count) {
    EITHER(folded)(x, weight, left, right, terms, y, count);
}

static inline void filter_plain(const float *x, const float *weight, const Py_ssize_t *left, Py_ssize_t terms,
                                float *y, Py_ssize_t count) {
    EITHER(plain)(x, weight, left, terms, y, count);
}

static inline float dot(const float *weight, const float *x, Py_ssize_t taps) { return EITHER(dot)(weight, x, taps); }

static inline void widen(const int16_t *samples, Py_ssize_t step, float *x, Py_ssize_t count) {
    EITHER(widen)(samples, step, x, count);
}

static inline void pack(const float *y, Py_ssize_t stride, Py_ssize_t up, int16_t *samples, Py_ssize_t groups) {
    EITHER(pack)(y, stride, up, samples, groups);
}
