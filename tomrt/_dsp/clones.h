/* One body of C for every instruction set.

   A header with a body (fir.h, companding.h, tally.h) is included once for each instruction set, with SUITED, LANES and
   NAME saying which. On x86-64 that is the baseline and AVX2, of which the faster that the processor has is chosen when
   the module is imported; elsewhere it is the baseline alone, which on arm64 means NEON.

   Every body does the same operations on a sample in the same order, whatever the width of a vector, and integers or
   single roundings only (setup.py switches contraction off). So all of them give the same bits; the tests compare.
*/

#ifndef TOMRT_CLONES_H
#define TOMRT_CLONES_H

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define CLONE_AVX2 1
static inline int has_avx2(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") != 0;
}
#else
#define CLONE_AVX2 0
static inline int has_avx2(void) { return 0; }
#endif

#endif
