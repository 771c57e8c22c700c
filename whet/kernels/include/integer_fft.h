/* The 16-bit real Fourier transform, portable scalar C: the bits of whet/ops/integer/fft.py.
 *
 * Complex values are pairs (re, im) of i16. order, twiddles and super_twiddles are the tables of
 * real_fft_constants; sums wrap at 16 bits.
 */
#ifndef WHET_INTEGER_FFT_H
#define WHET_INTEGER_FFT_H
#include "types.h"

typedef struct { i16 re, im; } integer_complex;

/* x / by, as a product in Q0.15. */
WHET_INLINE i16 integer_fft_divide(const i16 x, const int by)
{
    return (i16)((x * (32767 / by) + (1 << 14)) >> 15);
}

WHET_INLINE integer_complex integer_complex_divide(const integer_complex x, const int by)
{
    return (integer_complex){integer_fft_divide(x.re, by), integer_fft_divide(x.im, by)};
}

WHET_INLINE integer_complex integer_complex_mul(const integer_complex a, const integer_complex b)
{
    return (integer_complex){(i16)((a.re * b.re - a.im * b.im + (1 << 14)) >> 15),
                             (i16)((a.re * b.im + a.im * b.re + (1 << 14)) >> 15)};
}

WHET_INLINE integer_complex integer_complex_add(const integer_complex a, const integer_complex b)
{
    return (integer_complex){(i16)(a.re + b.re), (i16)(a.im + b.im)};
}

WHET_INLINE integer_complex integer_complex_sub(const integer_complex a, const integer_complex b)
{
    return (integer_complex){(i16)(a.re - b.re), (i16)(a.im - b.im)};
}

WHET_INLINE void integer_fft_radix2(integer_complex *z, const int m, const int stride,
                                    const integer_complex *twiddles)
{
    for (int k = 0; k < m; k++) {
        const integer_complex first = integer_complex_divide(z[k], 2);
        const integer_complex t = integer_complex_mul(integer_complex_divide(z[k + m], 2),
                                                      twiddles[k * stride]);
        z[k] = integer_complex_add(first, t);
        z[k + m] = integer_complex_sub(first, t);
    }
}

WHET_INLINE void integer_fft_radix4(integer_complex *z, const int m, const int stride,
                                    const integer_complex *twiddles)
{
    for (int k = 0; k < m; k++) {
        integer_complex v[4];
        v[0] = integer_complex_divide(z[k], 4);
        for (int q = 1; q < 4; q++)
            v[q] = integer_complex_mul(integer_complex_divide(z[k + q * m], 4),
                                       twiddles[k * q * stride]);
        const integer_complex even = integer_complex_add(v[0], v[2]);
        const integer_complex odd = integer_complex_sub(v[0], v[2]);
        const integer_complex total = integer_complex_add(v[1], v[3]);
        const integer_complex difference = integer_complex_sub(v[1], v[3]);
        const integer_complex turned = {difference.im, (i16)-difference.re};
        z[k] = integer_complex_add(even, total);
        z[k + m] = integer_complex_add(odd, turned);
        z[k + 2 * m] = integer_complex_sub(even, total);
        z[k + 3 * m] = integer_complex_sub(odd, turned);
    }
}

/* n samples, zero-padded to `length` -> length / 2 + 1 bins. work has length / 2 entries. */
WHET_INLINE void integer_real_fft(const int n, const int length, const i16 *x, const i32 *order,
                                  const integer_complex *twiddles,
                                  const integer_complex *super_twiddles, integer_complex *work,
                                  integer_complex *y)
{
    const int half = length / 2;
    for (int i = 0; i < half; i++) {
        const int at = 2 * order[i];
        work[i].re = at < n ? x[at] : 0;
        work[i].im = at + 1 < n ? x[at + 1] : 0;
    }
    int m = 1;
    if (__builtin_ctz((unsigned)half) & 1) {
        for (int i = 0; i < half; i += 2)
            integer_fft_radix2(work + i, 1, half / 2, twiddles);
        m = 2;
    }
    for (; m < half; m *= 4)
        for (int i = 0; i < half; i += 4 * m)
            integer_fft_radix4(work + i, m, half / (4 * m), twiddles);
    const integer_complex start = integer_complex_divide(work[0], 2);
    y[0] = (integer_complex){(i16)(start.re + start.im), 0};
    y[half] = (integer_complex){(i16)(start.re - start.im), 0};
    for (int k = 1; k <= half / 2; k++) {
        const integer_complex mirror = {work[half - k].re, (i16)-work[half - k].im};
        const integer_complex near = integer_complex_divide(work[k], 2);
        const integer_complex far = integer_complex_divide(mirror, 2);
        const integer_complex total = integer_complex_add(near, far);
        const integer_complex turned =
            integer_complex_mul(integer_complex_sub(near, far), super_twiddles[k - 1]);
        y[k] = (integer_complex){(i16)((total.re + turned.re) >> 1),
                                 (i16)((total.im + turned.im) >> 1)};
        y[half - k] = (integer_complex){(i16)((total.re - turned.re) >> 1),
                                        (i16)((turned.im - total.im) >> 1)};
    }
}
#endif
