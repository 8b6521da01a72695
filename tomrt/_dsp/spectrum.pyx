# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Power spectrum of one short window, for the detectors that look at the shape of a sound.

A real transform of 128 samples is done as a complex one of 64 (even samples real, odd ones imaginary), and that as
eight transforms of 8 points side by side, twice, with a transposition between.
"""

from cpython.buffer cimport PyBuffer_Release
from libc.math cimport M_PI, cos, sin
from libc.stdint cimport int16_t

from tomrt._dsp.lanes cimport tomrt_has_avx2
from tomrt._dsp.pcm cimport open_samples

cdef extern from *:
    """
    typedef struct {
        float hann[128];
        float twist_re[64], twist_im[64];   /* exp(-2 pi i n k / 64) at [8 k + n] */
        float wave_re[64], wave_im[64];     /* exp(-2 pi i k / 128) */
        float scale;                        /* makes white noise of power 1 read 1 in every bin */
    } tomrt_fourier;

    #define TOMRT_HALF 0.70710678118654752f

    /* Transform eight points in each of eight lanes, in place and in natural order. */
    TOMRT_BODY tomrt_eight(tomrt_v8 *re, tomrt_v8 *im) {
        tomrt_v8 ar[8], ai[8], br[8], bi[8], tr, ti;
        int k;
        for (k = 0; k < 4; k++) {
            ar[k] = re[k] + re[k + 4]; ai[k] = im[k] + im[k + 4];
            ar[k + 4] = re[k] - re[k + 4]; ai[k + 4] = im[k] - im[k + 4];
        }
        tr = (ar[5] + ai[5]) * TOMRT_HALF; ti = (ai[5] - ar[5]) * TOMRT_HALF; ar[5] = tr; ai[5] = ti;
        tr = ai[6]; ti = -ar[6]; ar[6] = tr; ai[6] = ti;
        tr = (ai[7] - ar[7]) * TOMRT_HALF; ti = -(ai[7] + ar[7]) * TOMRT_HALF; ar[7] = tr; ai[7] = ti;
        for (k = 0; k < 8; k += 4) {
            br[k] = ar[k] + ar[k + 2]; bi[k] = ai[k] + ai[k + 2];
            br[k + 1] = ar[k + 1] + ar[k + 3]; bi[k + 1] = ai[k + 1] + ai[k + 3];
            br[k + 2] = ar[k] - ar[k + 2]; bi[k + 2] = ai[k] - ai[k + 2];
            br[k + 3] = ai[k + 1] - ai[k + 3]; bi[k + 3] = ar[k + 3] - ar[k + 1];
        }
        re[0] = br[0] + br[1]; im[0] = bi[0] + bi[1];
        re[4] = br[0] - br[1]; im[4] = bi[0] - bi[1];
        re[2] = br[2] + br[3]; im[2] = bi[2] + bi[3];
        re[6] = br[2] - br[3]; im[6] = bi[2] - bi[3];
        re[1] = br[4] + br[5]; im[1] = bi[4] + bi[5];
        re[5] = br[4] - br[5]; im[5] = bi[4] - bi[5];
        re[3] = br[6] + br[7]; im[3] = bi[6] + bi[7];
        re[7] = br[6] - br[7]; im[7] = bi[6] - bi[7];
    }

    TOMRT_BODY tomrt_turn(tomrt_v8 *rows) {
        float flat[64];
        int r, c;
        memcpy(flat, rows, sizeof flat);
        for (r = 0; r < 8; r++) {
            float row[8];
            for (c = 0; c < 8; c++) row[c] = flat[8 * c + r];
            memcpy(&rows[r], row, sizeof row);
        }
    }

    TOMRT_BODY tomrt_power_body(const tomrt_fourier *table, const float *samples, float *power) {
        tomrt_v8 re[8], im[8];
        float fr[72], fi[72], even[64], odd[64];
        int k;
        for (k = 0; k < 64; k++) {
            even[k] = samples[2 * k] * table->hann[2 * k];
            odd[k] = samples[2 * k + 1] * table->hann[2 * k + 1];
        }
        memcpy(re, even, sizeof even);
        memcpy(im, odd, sizeof odd);
        tomrt_eight(re, im);
        for (k = 1; k < 8; k++) {
            tomrt_v8 cr = *(const tomrt_v8 *) (table->twist_re + 8 * k), ci = *(const tomrt_v8 *) (table->twist_im + 8 * k);
            tomrt_v8 tr = re[k] * cr - im[k] * ci;
            im[k] = re[k] * ci + im[k] * cr;
            re[k] = tr;
        }
        tomrt_turn(re);
        tomrt_turn(im);
        tomrt_eight(re, im);
        memcpy(fr, re, sizeof re);
        memcpy(fi, im, sizeof im);
        fr[64] = fr[0];
        fi[64] = fi[0];
        for (k = 0; k < 64; k++) {
            float wr = table->wave_re[k], wi = table->wave_im[k];
            float odd_re = fi[k] + fi[64 - k], odd_im = fr[64 - k] - fr[k];
            float sum_re = (fr[k] + fr[64 - k]) + (odd_re * wr - odd_im * wi);
            float sum_im = (fi[k] - fi[64 - k]) + (odd_re * wi + odd_im * wr);
            power[k] = table->scale * (sum_re * sum_re + sum_im * sum_im);
        }
    }
    TOMRT_TWICE(tomrt_power, (const tomrt_fourier *table, const float *samples, float *power), (table, samples, power),
                (int wide, const tomrt_fourier *table, const float *samples, float *power))
    """
    ctypedef struct tomrt_fourier:
        float *hann
        float *twist_re
        float *twist_im
        float *wave_re
        float *wave_im
        float scale

    void tomrt_power(bint wide, const tomrt_fourier *table, const float *samples, float *power) noexcept nogil

cdef tomrt_fourier table


cdef void fill_tables() noexcept:
    cdef int i, n, k
    cdef double energy = 0.0, value
    for i in range(WINDOW):
        value = 0.5 - 0.5 * cos(2.0 * M_PI * (i + 0.5) / WINDOW)
        table.hann[i] = <float> value
        energy += value * value
    table.scale = <float> (0.25 / energy)
    for i in range(BINS):
        table.wave_re[i] = <float> cos(M_PI * i / BINS)
        table.wave_im[i] = <float> -sin(M_PI * i / BINS)
    for k in range(8):
        for n in range(8):
            table.twist_re[8 * k + n] = <float> cos(2.0 * M_PI * n * k / BINS)
            table.twist_im[8 * k + n] = <float> -sin(2.0 * M_PI * n * k / BINS)


fill_tables()


cdef void power_spectrum(bint wide, const float *samples, float *power) noexcept:
    """Write the power in each of 64 bins of 128 windowed *samples*; bin 0 is the direct current."""
    tomrt_power(wide, &table, samples, power)


def spectrum(pcm, /):
    """Return the power of 128 samples in 64 bins."""
    cdef Py_buffer view
    cdef float samples[128]
    cdef float power[64]
    cdef int i
    open_samples(pcm, &view)
    try:
        if view.len != 2 * WINDOW:
            raise ValueError(f"A spectrum is taken of 128 samples, got {view.len // 2}.")
        for i in range(WINDOW):
            samples[i] = (<const int16_t *> view.buf)[i]
    finally:
        PyBuffer_Release(&view)
    power_spectrum(tomrt_has_avx2(), samples, power)
    return [power[i] for i in range(BINS)]
