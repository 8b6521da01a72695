# Eight floats at a time, for the kernels of the onset detector, and the choice of instructions at run time.
#
# The bodies are written once with the compiler's vector types and compiled twice: for the architecture's minimum, where
# eight lanes become two halves, and for AVX2. Every sum has a fixed order per lane and nothing is contracted (build flag
# -ffp-contract=off; AVX2 has no fused multiply-add), so both give the same bits.
# Verbatim C only, so there is no module behind this file.

cdef extern from *:
    """
    #ifndef TOMRT_LANES
    #define TOMRT_LANES
    #include <string.h>
    #if defined(__x86_64__) && defined(__GNUC__)
    #define TOMRT_AVX2 __attribute__((target("avx2")))
    #define tomrt_has_avx2() (__builtin_cpu_supports("avx2") != 0)
    #else
    #define TOMRT_AVX2
    #define tomrt_has_avx2() 0
    #endif
    #define TOMRT_BODY static inline __attribute__((always_inline)) void
    /* name(wide, ...) runs name_body(...), in the version for AVX2 if *wide*. */
    #define TOMRT_TWICE(name, parameters, arguments, call) \\
        static __attribute__((noinline)) void name##_plain parameters { name##_body arguments; } \\
        static __attribute__((noinline)) TOMRT_AVX2 void name##_avx2 parameters { name##_body arguments; } \\
        static inline void name call { if (wide) name##_avx2 arguments; else name##_plain arguments; }
    typedef float tomrt_v8 __attribute__((vector_size(32), aligned(4), may_alias));
    typedef int tomrt_i8 __attribute__((vector_size(32), aligned(4), may_alias));

    /* 10 log10 of eight positive numbers, exact to 1e-5: exponent plus the series of the inverse hyperbolic tangent. */
    TOMRT_BODY tomrt_decibels(float *values) {
        tomrt_i8 bits, exponent;
        tomrt_v8 m, t, u;
        memcpy(&bits, values, sizeof bits);
        exponent = (bits - 0x3f3504f3) >> 23;
        bits -= exponent << 23;
        memcpy(&m, &bits, sizeof m);
        t = (m - 1.0f) / (m + 1.0f);
        u = t * t;
        t *= ((u * (1.0f / 7.0f) + 0.2f) * u + (1.0f / 3.0f)) * u + 1.0f;
        m = __builtin_convertvector(exponent, tomrt_v8) * 3.0102999566f + t * 8.6858896381f;
        memcpy(values, &m, sizeof m);
    }
    #endif
    """
    bint tomrt_has_avx2() noexcept nogil
