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

/* Butterflies over z[half][2][lanes], signals side by side, in place, the values already in
 * bit-reversed order. */
WHET_INLINE void fft_stages_f32(const int lanes, const int half, const f32 *twiddles, f32 *z)
{
    for (int m = 1; m < half; m *= 2)
        for (int first = 0; first < half; first += 2 * m)
            for (int k = 0; k < m; k++) {
                const f32 *w = twiddles + 2L * k * (half / m);
                const f32 re = w[0], im = w[1];
                f32 *a = z + 2L * (first + k) * lanes, *b = a + 2L * m * lanes;
                for (int l = 0; l < lanes; l++) {
                    const f32 far_re = b[l] * re - b[lanes + l] * im;
                    const f32 far_im = b[l] * im + b[lanes + l] * re;
                    b[l] = a[l] - far_re, b[lanes + l] = a[lanes + l] - far_im;
                    a[l] += far_re, a[lanes + l] += far_im;
                }
            }
}

/* `lanes` signals, side by side in work[half][2][lanes]. */
WHET_INLINE void rfft_side_by_side_f32(const int lanes, const int half, const f32 *x,
                                       const i32 *order, const f32 *twiddles, f32 *work, f32 *y)
{
    for (int i = 0; i < half; i++)
        for (int part = 0; part < 2; part++)
            for (int l = 0; l < lanes; l++)
                work[(2 * i + part) * lanes + l] = x[(long)l * 2 * half + 2 * order[i] + part];
    fft_stages_f32(lanes, half, twiddles, work);
    for (int k = 0; k <= half; k++) {
        const f32 *near = work + 2L * (k % half) * lanes;
        const f32 *far = work + 2L * ((half - k) % half) * lanes;
        const f32 sign = k == half ? -1.0f : 1.0f;
        const f32 re = sign * twiddles[2 * (k % half)], im = sign * twiddles[2 * (k % half) + 1];
        for (int l = 0; l < lanes; l++) {
            const f32 even_re = 0.5f * (near[l] + far[l]);
            const f32 even_im = 0.5f * (near[lanes + l] - far[lanes + l]);
            const f32 odd_re = 0.5f * (near[lanes + l] + far[lanes + l]);
            const f32 odd_im = 0.5f * (far[l] - near[l]);
            f32 *out = y + 2 * ((long)l * (half + 1) + k);
            out[0] = even_re + odd_re * re - odd_im * im;
            out[1] = even_im + odd_re * im + odd_im * re;
        }
    }
}

/* lanes: how many signals are transformed side by side. */
WHET_INLINE void rfft_f32(const int rows, const int lanes, const int half, const f32 *x,
                          const i32 *order, const f32 *twiddles, f32 *work, f32 *y)
{
    const int whole = rows - rows % lanes;
    for (int r = 0; r < whole; r += lanes)
        rfft_side_by_side_f32(lanes, half, x + (long)r * 2 * half, order, twiddles, work,
                              y + (long)r * 2 * (half + 1));
    if (whole < rows)
        rfft_side_by_side_f32(rows - whole, half, x + (long)whole * 2 * half, order, twiddles, work,
                              y + (long)whole * 2 * (half + 1));
}
#endif
