# One step of the onset detector's network: 24 gated recurrent units (Cho et al., 2014) and one output.
#
# The squashing function is the Pade approximant of the hyperbolic tangent, x (27 + x^2) / (27 + 9 x^2) up to |x| = 3:
# plain arithmetic, so every machine gets the same bits. tools/train_onset.py trains with the same.
# Verbatim C only, so there is no module behind this file; lanes.pxd says how it is compiled.

from tomrt._dsp cimport lanes

cdef enum:
    FEATURES = 30
    UNITS = 24

cdef extern from *:
    """
    #define TOMRT_FEATURES 30
    #define TOMRT_UNITS 24
    #define TOMRT_LANES (TOMRT_UNITS / 8)
    #define TOMRT_GATES (3 * TOMRT_LANES)

    typedef struct {
        float input[TOMRT_FEATURES][3 * TOMRT_UNITS];   /* to the update gate, the reset gate and the candidate of each */
        float state[TOMRT_UNITS][3 * TOMRT_UNITS];
        float bias[3 * TOMRT_UNITS];
        float output[TOMRT_UNITS];
        float output_bias;
    } tomrt_network;

    TOMRT_BODY tomrt_squash(tomrt_v8 *value, float gain) {
        tomrt_v8 x = *value * gain, square;
        tomrt_i8 high = x > 3.0f, low = x < -3.0f;
        x = (tomrt_v8) ((((tomrt_i8) x) & ~(high | low)) | (high & 0x40400000) | (low & (int) 0xc0400000));  /* 3, -3 */
        square = x * x;
        *value = x * (square + 27.0f) / (square * 9.0f + 27.0f);
    }

    /* Move the states on by one hop; the result is the log-odds of speech. */
    TOMRT_BODY tomrt_step_body(const tomrt_network *net, const float *features, float *state, float *logit) {
        tomrt_v8 gate[TOMRT_GATES], turned[TOMRT_GATES] = {{0}}, total = {0};
        float part[8];
        int k, j;
        memcpy(gate, net->bias, sizeof gate);
        for (k = 0; k < TOMRT_FEATURES; k++)
            for (j = 0; j < TOMRT_GATES; j++) gate[j] += ((const tomrt_v8 *) net->input[k])[j] * features[k];
        for (k = 0; k < TOMRT_UNITS; k++)
            for (j = 0; j < TOMRT_GATES; j++) turned[j] += ((const tomrt_v8 *) net->state[k])[j] * state[k];
        for (j = 0; j < 2 * TOMRT_LANES; j++) {
            gate[j] += turned[j];
            tomrt_squash(&gate[j], 0.5f);
            gate[j] = gate[j] * 0.5f + 0.5f;
        }
        for (j = 0; j < TOMRT_LANES; j++) {
            tomrt_v8 old = ((const tomrt_v8 *) state)[j];
            tomrt_v8 *fresh = &gate[2 * TOMRT_LANES + j];
            *fresh += gate[TOMRT_LANES + j] * turned[2 * TOMRT_LANES + j];
            tomrt_squash(fresh, 1.0f);
            old = *fresh + gate[j] * (old - *fresh);
            memcpy(state + 8 * j, &old, sizeof old);
            total += ((const tomrt_v8 *) net->output)[j] * old;
        }
        memcpy(part, &total, sizeof part);
        *logit = net->output_bias + (((part[0] + part[4]) + (part[2] + part[6]))
                                     + ((part[1] + part[5]) + (part[3] + part[7])));
    }
    TOMRT_TWICE(tomrt_step, (const tomrt_network *net, const float *features, float *state, float *logit),
                (net, features, state, logit),
                (int wide, const tomrt_network *net, const float *features, float *state, float *logit))

    /* 10 log10 of 48 positive numbers, in place. */
    TOMRT_BODY tomrt_to_db_body(float *values) {
        int i;
        for (i = 0; i < 48; i += 8) tomrt_decibels(values + i);
    }
    TOMRT_TWICE(tomrt_to_db, (float *values), (values), (int wide, float *values))
    """
    ctypedef struct tomrt_network:
        float (*input)[72]
        float (*state)[72]
        float *bias
        float *output
        float output_bias

    void tomrt_step(bint wide, const tomrt_network *net, const float *features, float *state, float *logit) noexcept nogil
    void tomrt_to_db(bint wide, float *values) noexcept nogil
