# How periodic the last 20 ms are: the normalised autocorrelation at 4 kHz, over lags of 2.5 to 12.5 ms.
#
# Source: L. R. Rabiner, "On the use of autocorrelation analysis for pitch detection", IEEE Trans. ASSP 25(1), 1977.
# Verbatim C only, so there is no module behind this file; lanes.pxd says how it is compiled.

from tomrt._dsp cimport lanes

cdef extern from *:
    """
    #include <math.h>

    typedef struct { float strength, lag; } tomrt_pitch;    /* 0 to 1; in samples of 4 kHz, 0 if there is none */

    /* Append 80 samples, of which 4 more stand before, at half their rate; drop as many old ones. */
    TOMRT_BODY tomrt_slow_body(float *slow, const float *clean) {
        int i;
        memmove(slow, slow + 40, 96 * sizeof(float));
        for (i = 0; i < 40; i++) {
            const float *at = clean + 2 * i;
            slow[96 + i] = ((at[-3] + at[1]) + 4.0f * (at[-2] + at[0]) + 6.0f * at[-1]) * 0.0625f;
        }
    }
    TOMRT_TWICE(tomrt_slow, (float *slow, const float *clean), (slow, clean),
                (int wide, float *slow, const float *clean))

    /* The 80 latest of 136 samples against those 8 to 55 samples earlier; *score* of lag j stands at 55 - j. */
    TOMRT_BODY tomrt_periodicity_body(const float *slow, tomrt_pitch *found) {
        const float *now = slow + 55;
        tomrt_v8 sum[6] = {{0}};
        float score[48], energy[48], square[136], shared = 0.0f, head = 0.0f, tail = 0.0f, peak = 0.0f, bend, shift;
        float part[8] = {0};
        int i, j, best = 0;
        for (i = 0; i < 80; i++) {
            const tomrt_v8 *then = (const tomrt_v8 *) (slow + i);
            for (j = 0; j < 6; j++) sum[j] += then[j] * now[i];
        }
        for (i = 0; i < 136; i++) square[i] = slow[i] * slow[i];
        for (i = 48; i < 80; i += 8)
            for (j = 0; j < 8; j++) part[j] += square[i + j];
        for (j = 0; j < 8; j++) shared += part[j];
        /* The window at j holds square[j] to square[j + 79]: what all windows share, and the two ends. */
        for (j = 47; j >= 0; j--) { head += square[j]; energy[j] = head; }
        for (j = 1; j < 48; j++) { tail += square[79 + j]; energy[j] += tail; }
        memcpy(score, sum, sizeof score);
        for (j = 0; j < 8; j++) part[j] = 0.0f;
        for (i = 0; i < 80; i += 8)
            for (j = 0; j < 8; j++) part[j] += now[i + j] * now[i + j];
        for (i = 0, peak = 0.0f; i < 8; i++) peak += part[i];
        for (j = 0; j < 48; j++) score[j] /= sqrtf((shared + energy[j]) * peak + 1e3f);
        peak = 0.0f;
        for (j = 5; j <= 45; j++)
            if (score[j] > peak) { peak = score[j]; best = j; }
        found->strength = found->lag = 0.0f;
        if (best) {
            bend = score[best - 1] - 2.0f * score[best] + score[best + 1];
            shift = bend < 0.0f ? 0.5f * (score[best - 1] - score[best + 1]) / bend : 0.0f;
            if (shift < 0.5f && shift > -0.5f) peak -= 0.25f * (score[best - 1] - score[best + 1]) * shift;
            else shift = 0.0f;
            found->strength = peak < 1.0f ? peak : 1.0f;
            found->lag = 55.0f - (best + shift);
        }
    }
    TOMRT_TWICE(tomrt_periodicity, (const float *slow, tomrt_pitch *found), (slow, found),
                (int wide, const float *slow, tomrt_pitch *found))
    """
    ctypedef struct tomrt_pitch:
        float strength
        float lag

    void tomrt_slow(bint wide, float *slow, const float *clean) noexcept nogil
    void tomrt_periodicity(bint wide, const float *slow, tomrt_pitch *found) noexcept nogil
