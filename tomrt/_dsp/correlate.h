/* The echo reference's inner loops, for one instruction set: see clones.h for SUITED, LANES and NAME. */

typedef float NAME(echo_lanes) __attribute__((vector_size(4 * LANES)));
typedef int32_t NAME(echo_bits) __attribute__((vector_size(4 * LANES)));
typedef float NAME(echo_loose) __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

#define AT(pointer) (*(const NAME(echo_loose) *) (pointer))
#define TO(pointer) (*(NAME(echo_loose) *) (pointer))

/* Each of the sums becomes keep * itself + x times the signal at its place: count sums, length samples of x. */
SUITED static void NAME(correlate)(const float *x, int length, const float *signal, float *sums, int count,
                                   float keep) {
    int at = 0;
    for (; at + 8 * LANES <= count; at += 8 * LANES) {
        NAME(echo_lanes) a[8] = {{0}};
        for (int i = 0; i < length; i++) {
            const float *here = signal + at + i;
            const float value = x[i];
#pragma GCC unroll 8
            for (int k = 0; k < 8; k++)
                a[k] += value * AT(here + k * LANES);
        }
#pragma GCC unroll 8
        for (int k = 0; k < 8; k++)
            TO(sums + at + k * LANES) = keep * AT(sums + at + k * LANES) + a[k];
    }
    for (; at < count; at++) {
        float a = 0;
        for (int i = 0; i < length; i++)
            a += x[i] * signal[at + i];
        sums[at] = keep * sums[at] + a;
    }
}

/* One output for every step inputs: the sum of taps[k] * x[k], in eight parts; the taps are a multiple of eight. */
SUITED static void NAME(thin)(const float *x, const float *taps, int count, int step, float *y, int outputs) {
    for (int n = 0; n < outputs; n++, x += step) {
        NAME(echo_lanes) sums[8 / LANES] = {{0}};
        float part[8];
        for (int k = 0; k < count; k += 8)
            for (int lane = 0; lane < 8; lane += LANES)
                sums[lane / LANES] += AT(taps + k + lane) * AT(x + k + lane);
        memcpy(part, sums, sizeof part);
        y[n] = ((part[0] + part[4]) + (part[1] + part[5])) + ((part[2] + part[6]) + (part[3] + part[7]));
    }
}

/* Each of the powers becomes keep * itself + the energy at its place. */
SUITED static void NAME(gather)(const float *energies, float *powers, int count, float keep) {
    for (int i = 0; i < count; i++)
        powers[i] = keep * powers[i] + energies[i];
}

/* The greatest of products * products / powers where the power is at least floor, and the last place where it stands;
   0 where there is none. A count of up to MOST_LAGS, a multiple of eight. */
SUITED static float NAME(likest)(const float *products, const float *powers, int count, float floor, int *place) {
    float values[MOST_LAGS], most[LANES] = {0}, greatest = 0;
    for (int i = 0; i < count; i++)
        values[i] = products[i] * products[i] / (powers[i] < floor ? 1e38f : powers[i]);
    for (int i = 0; i < count; i += LANES) {
        const NAME(echo_lanes) value = AT(values + i), so_far = AT(most);
        const NAME(echo_bits) more = value > so_far;
        TO(most) = (NAME(echo_lanes)) (((NAME(echo_bits)) value & more) | ((NAME(echo_bits)) so_far & ~more));
    }
    for (int k = 0; k < LANES; k++)
        greatest = most[k] > greatest ? most[k] : greatest;
    for (int i = count - 1; i >= 0; i--) {
        if (values[i] == greatest) {
            *place = i;
            break;
        }
    }
    return greatest;
}

#undef AT
#undef TO
