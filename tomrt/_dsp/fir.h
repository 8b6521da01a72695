/* The resampler's inner loops, for one instruction set: see clones.h for SUITED, LANES and NAME. */

typedef float NAME(vector) __attribute__((vector_size(4 * LANES)));
typedef float NAME(loose) __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

#define AT(pointer, i) (*(const NAME(loose) *) ((pointer) + (i) * LANES))
#define TO(pointer, i) (*(NAME(loose) *) ((pointer) + (i) * LANES))

/* y[n] = sum of weight[k] * (x[n + left[k]] + x[n + right[k]]), five vectors of outputs at a time, which 10 ms at
   8 kHz are a multiple of; writes up to 5 * LANES - 1 outputs more than count. */
SUITED static void NAME(folded)(const float *x, const float *weight, const Py_ssize_t *left, const Py_ssize_t *right,
                                Py_ssize_t terms, float *y, Py_ssize_t count) {
    for (Py_ssize_t n = 0; n < count; n += 5 * LANES) {
        NAME(vector) a = {0}, b = {0}, c = {0}, d = {0}, e = {0};
        for (Py_ssize_t k = 0; k < terms; k++) {
            const float *l = x + left[k] + n, *r = x + right[k] + n;
            const float w = weight[k];
            a += w * (AT(l, 0) + AT(r, 0));
            b += w * (AT(l, 1) + AT(r, 1));
            c += w * (AT(l, 2) + AT(r, 2));
            d += w * (AT(l, 3) + AT(r, 3));
            e += w * (AT(l, 4) + AT(r, 4));
        }
        TO(y + n, 0) = a;
        TO(y + n, 1) = b;
        TO(y + n, 2) = c;
        TO(y + n, 3) = d;
        TO(y + n, 4) = e;
    }
}

/* The same without a mirror image: y[n] = sum of weight[k] * x[n + left[k]]. */
SUITED static void NAME(plain)(const float *x, const float *weight, const Py_ssize_t *left, Py_ssize_t terms,
                               float *y, Py_ssize_t count) {
    for (Py_ssize_t n = 0; n < count; n += 5 * LANES) {
        NAME(vector) a = {0}, b = {0}, c = {0}, d = {0}, e = {0};
        for (Py_ssize_t k = 0; k < terms; k++) {
            const float *l = x + left[k] + n;
            const float w = weight[k];
            a += w * AT(l, 0);
            b += w * AT(l, 1);
            c += w * AT(l, 2);
            d += w * AT(l, 3);
            e += w * AT(l, 4);
        }
        TO(y + n, 0) = a;
        TO(y + n, 1) = b;
        TO(y + n, 2) = c;
        TO(y + n, 3) = d;
        TO(y + n, 4) = e;
    }
}

/* Sum of products of one output, in sixteen interleaved partial sums; taps is a multiple of 16. */
SUITED static float NAME(dot)(const float *weight, const float *x, Py_ssize_t taps) {
    float part[16];
    NAME(vector) sum[16 / LANES] = {{0}};
    for (Py_ssize_t k = 0; k < taps; k += 16) {
        for (int v = 0; v < 16 / LANES; v++) sum[v] += AT(weight + k, v) * AT(x + k, v);
    }
    for (int v = 0; v < 16 / LANES; v++) TO(part, v) = sum[v];
    for (int i = 0; i < 8; i++) part[i] += part[i + 8];
    for (int i = 0; i < 4; i++) part[i] += part[i + 4];
    return (part[0] + part[2]) + (part[1] + part[3]);
}

/* Every step-th sample as a float. Indices are as wide as pointers: under Python's -fwrapv narrower ones keep the
   compiler from using vectors. */
SUITED static void NAME(widen)(const int16_t *samples, Py_ssize_t step, float *x, Py_ssize_t count) {
    switch (step) {
    case 1: for (Py_ssize_t i = 0; i < count; i++) x[i] = samples[i]; return;
    case 2: for (Py_ssize_t i = 0; i < count; i++) x[i] = samples[2 * i]; return;
    case 3: for (Py_ssize_t i = 0; i < count; i++) x[i] = samples[3 * i]; return;
    default: for (Py_ssize_t i = 0; i < count; i++) x[i] = samples[step * i];
    }
}

/* Interleave the outputs of up phases, stride floats apart, as samples. */
SUITED static void NAME(pack)(const float *y, Py_ssize_t stride, Py_ssize_t up, int16_t *samples, Py_ssize_t groups) {
    const float *z = y + stride;
    Py_ssize_t i = 0;
    switch (up) {
    case 1:
        for (; i + 8 <= groups; i += 8) store_eight(samples + i, eight(y + i));
        for (; i < groups; i++) samples[i] = rounded(y[i]);
        return;
    case 2:
        for (; i + 8 <= groups; i += 8) store_pairs(samples + 2 * i, eight(y + i), eight(z + i));
        for (; i < groups; i++) {
            samples[2 * i] = rounded(y[i]);
            samples[2 * i + 1] = rounded(z[i]);
        }
        return;
    default:
        for (Py_ssize_t p = 0; p < up; p++, y += stride) {
            for (i = 0; i + 8 <= groups; i += 8) {
                int16_t made[8];
                store_eight(made, eight(y + i));
                for (int lane = 0; lane < 8; lane++) samples[up * (i + lane) + p] = made[lane];
            }
            for (; i < groups; i++) samples[up * i + p] = rounded(y[i]);
        }
    }
}

#undef AT
#undef TO
