/* The clones of correlate.h, and which of them runs: that for AVX2 where wide is set. */

#include "clones.h"

#define MOST_LAGS 1600

#define SUITED
#define NAME(stem) stem##_baseline
#define LANES 4
#include "correlate.h"
#undef SUITED
#undef NAME
#undef LANES

#if CLONE_AVX2
#define SUITED __attribute__((target("avx2")))
#define NAME(stem) stem##_avx2
#define LANES 8
#include "correlate.h"
#undef SUITED
#undef NAME
#undef LANES
#define EITHER(stem) (wide ? stem##_avx2 : stem##_baseline)
#else
#define EITHER(stem) stem##_baseline
#endif

static inline void correlate(int wide, const float *x, int length, const float *signal, float *sums, int count,
                             float keep) {
    EITHER(correlate)(x, length, signal, sums, count, keep);
}

static inline void thin(int wide, const float *x, const float *taps, int count, int step, float *y, int outputs) {
    EITHER(thin)(x, taps, count, step, y, outputs);
}

static inline void gather(int wide, const float *energies, float *powers, int count, float keep) {
    EITHER(gather)(energies, powers, count, keep);
}

static inline float likest(int wide, const float *products, const float *powers, int count, float floor, int *place) {
    return EITHER(likest)(products, powers, count, floor, place);
}

#undef EITHER
