/* The one-sided Fourier transform of real signals of 2 * half samples, half a power of two.
 *
 * Even samples are taken as real parts, odd ones as imaginary parts of a complex signal of `half`
 * values, which is transformed by decimation in time and then split. order[half] is the bit
 * reversal; twiddles[half][2] = exp(-i pi k / half). y[rows][half + 1][2].
 * Source: Press et al., Numerical Recipes, section 12.3.
 */
#ifndef WHET_RFFT_F32_H
#define WHET_RFFT_F32_H
#include "types.h"

/* Butterflies over z[half][2], in place, the values already in bit-reversed order. */
WHET_INLINE void fft_stages_f32(const int half, const f32 *twiddles, f32 *z)
{
    for (int m = 1; m < half; m *= 2)
        for (int first = 0; first < half; first += 2 * m)
            for (int k = 0; k < m; k++) {
                const f32 *w = twiddles + 2L * k * (half / m);
                f32 *a = z + 2L * (first + k), *b = a + 2L * m;
                const f32 re = b[0] * w[0] - b[1] * w[1], im = b[0] * w[1] + b[1] * w[0];
                b[0] = a[0] - re, b[1] = a[1] - im;
                a[0] += re, a[1] += im;
            }
}

WHET_INLINE void rfft_f32(const int rows, const int half, const f32 *x, const i32 *order,
                          const f32 *twiddles, f32 *work, f32 *y)
{
    for (int r = 0; r < rows; r++) {
        const f32 *signal = x + (long)r * 2 * half;
        f32 *out = y + (long)r * 2 * (half + 1);
        for (int i = 0; i < half; i++) {
            work[2 * i] = signal[2 * order[i]];
            work[2 * i + 1] = signal[2 * order[i] + 1];
        }
        fft_stages_f32(half, twiddles, work);
        for (int k = 0; k <= half; k++) {
            const f32 *near = work + 2 * (k % half), *far = work + 2 * ((half - k) % half);
            const f32 even_re = 0.5f * (near[0] + far[0]), even_im = 0.5f * (near[1] - far[1]);
            const f32 odd_re = 0.5f * (near[1] + far[1]), odd_im = 0.5f * (far[0] - near[0]);
            const f32 sign = k == half ? -1.0f : 1.0f;
            const f32 re = sign * twiddles[2 * (k % half)];
            const f32 im = sign * twiddles[2 * (k % half) + 1];
            out[2 * k] = even_re + odd_re * re - odd_im * im;
            out[2 * k + 1] = even_im + odd_re * im + odd_im * re;
        }
    }
}
#endif
