# The way into the onset detector: any line to 8 kHz without what lies below speech, and that to 4 kHz for the pitch.
# Verbatim C only, so there is no module behind this file; lanes.pxd says how it is compiled.

from libc.stdint cimport int16_t

from tomrt._dsp cimport lanes

cdef extern from *:
    """
    typedef struct {
        float halve[12];            /* every second tap of the half-band low-pass; the middle one is 0.5 */
        float pass[12][16];         /* 8 inputs and 4 states to 8 outputs and 4 states of the high-pass */
    } tomrt_band;

    /* Halve the rate of 160 new samples behind 22 old ones. */
    TOMRT_BODY tomrt_halve_body(const tomrt_band *band, float *line, const int16_t *samples, float *fresh) {
        float even[91], odd[91];
        int i, m;
        memmove(line, line + 160, 22 * sizeof(float));
        for (i = 0; i < 160; i++) line[22 + i] = samples[i];
        for (i = 0; i < 91; i++) { even[i] = line[2 * i]; odd[i] = line[2 * i + 1]; }
        for (i = 0; i < 80; i++) fresh[i] = 0.5f * odd[i + 5];
        for (m = 0; m < 12; m++)
            for (i = 0; i < 80; i++) fresh[i] += band->halve[m] * even[i + m];
    }
    TOMRT_TWICE(tomrt_halve, (const tomrt_band *band, float *line, const int16_t *samples, float *fresh),
                (band, line, samples, fresh),
                (int wide, const tomrt_band *band, float *line, const int16_t *samples, float *fresh))

    /* Filter 80 samples, eight at a time: the response to each input and to each state, added up. */
    TOMRT_BODY tomrt_pass_body(const tomrt_band *band, float *state, const float *fresh, float *clean) {
        int block, k;
        for (block = 0; block < 80; block += 8) {
            tomrt_v8 low = *(const tomrt_v8 *) band->pass[0] * fresh[block];
            tomrt_v8 high = *(const tomrt_v8 *) (band->pass[0] + 8) * fresh[block];
            for (k = 1; k < 8; k++) {
                low += *(const tomrt_v8 *) band->pass[k] * fresh[block + k];
                high += *(const tomrt_v8 *) (band->pass[k] + 8) * fresh[block + k];
            }
            for (k = 0; k < 4; k++) {
                low += *(const tomrt_v8 *) band->pass[8 + k] * state[k];
                high += *(const tomrt_v8 *) (band->pass[8 + k] + 8) * state[k];
            }
            memcpy(clean + block, &low, sizeof low);
            memcpy(state, &high, 4 * sizeof(float));
        }
    }
    TOMRT_TWICE(tomrt_pass, (const tomrt_band *band, float *state, const float *fresh, float *clean),
                (band, state, fresh, clean),
                (int wide, const tomrt_band *band, float *state, const float *fresh, float *clean))
    """
    ctypedef struct tomrt_band:
        float *halve
        float (*pass_ "pass")[16]

    void tomrt_halve(bint wide, const tomrt_band *band, float *line, const int16_t *samples, float *fresh) noexcept nogil
    void tomrt_pass(bint wide, const tomrt_band *band, float *state, const float *fresh, float *clean) noexcept nogil
