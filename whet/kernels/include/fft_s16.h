// The 16-bit Fourier transform of real frames in vectors: the bits of integer_fft.h.
//
// A lane holds a complex number, two signed halves, re the low one. Of the HALF = LENGTH / 2 pairs
// of samples the transforms of every (HALF / M)-th one grow from M = 1 on. As long as M < VL they
// lie across, number k of all transforms together and vectors over the transforms:
//     [k < M][transform < HALF / M]
// and then along, each of its own and vectors over k, in the order that lets four neighbours join:
//     [transform < HALF / M][k < M]
// The length is such that all vectors are whole; fft_s16.py knows.
//
// twiddles [HALF], super_twiddles [HALF / 2]: of real_fft_constants. turns: of each stage that lies
// along, [3][M], the factors of its second to fourth transforms. order [HALF / M]: which transform
// comes when, where the first of these stages begins. work: 2 * HALF words.
#pragma once
#include "dot8.h"

typedef short fft_halves __attribute__((vector_size(4 * VL)));
typedef unsigned short fft_wrapped __attribute__((vector_size(4 * VL)));
typedef int fft_wide __attribute__((vector_size(8 * VL)));
typedef struct {
    const int *twiddles, *super_twiddles, *turns, *order;
} fft_constants;

INLINE vi fft_add(vi a, vi b) { return (vi)((fft_wrapped)a + (fft_wrapped)b); }
INLINE vi fft_subtract(vi a, vi b) { return (vi)((fft_wrapped)a - (fft_wrapped)b); }
// Halves of the sum and of the difference, rounded down.
INLINE vi fft_half_sum(vi a, vi b) { return fft_add(a & b, (vi)((fft_halves)(a ^ b) >> 1)); }
INLINE vi fft_half_difference(vi a, vi b) {
    return fft_subtract((vi)((fft_halves)(a ^ b) >> 1), ~a & b);
}
INLINE vi fft_conjugate(vi a) { return fft_add(a ^ ~0xffff, vset_i(0x10000)); }
INLINE vi fft_crossed(vi a) { return a << 16 | (a >> 16 & 0xffff); }

// Both halves divided by `by`, as a product in Q0.15.
INLINE vi fft_divided(vi a, const int by) {
    const fft_wide product = __builtin_convertvector((fft_halves)a, fft_wide) * (32767 / by);
    return (vi)__builtin_convertvector(((product >> 14) + 1) >> 1, fft_halves);
}
INLINE vi fft_product(vi a, vi w) {
    const vi re = pair_dot(a, fft_conjugate(w)) + (1 << 14);
    const vi im = pair_dot(a, fft_crossed(w)) + (1 << 14);
    return (re >> 15 & 0xffff) | (im << 1 & ~0xffff);
}

// w[q] belongs to v[q]; that of v[0] is none.
INLINE void fft_butterfly(const int RADIX, const vi *w, vi *v) {
    UNROLL(q, RADIX) v[q] = fft_divided(v[q], RADIX);
    for (int q = 1; q < RADIX; q++) v[q] = fft_product(v[q], w[q]);
    if (RADIX == 2) {
        const vi sum = fft_add(v[0], v[1]);
        v[1] = fft_subtract(v[0], v[1]), v[0] = sum;
        return;
    }
    const vi even = fft_add(v[0], v[2]), odd = fft_subtract(v[0], v[2]);
    const vi total = fft_add(v[1], v[3]);
    const vi turned = fft_conjugate(fft_crossed(fft_subtract(v[1], v[3]))); // times -i
    v[0] = fft_add(even, total), v[2] = fft_subtract(even, total);
    v[1] = fft_add(odd, turned), v[3] = fft_subtract(odd, turned);
}

// A stage across: RADIX transforms of M numbers each become one.
INLINE void fft_across(const int RADIX, const int HALF, const int M, const int *twiddles,
                       const int *from, int *to) {
    const int all = HALF / M, rest = all / RADIX;
    for (int k = 0; k < M; k++) {
        vi w[4];
        UNROLL(q, RADIX) w[q] = vset_i(twiddles[k * q * rest]);
        for (int b = 0; b < rest; b += VL) {
            vi v[4];
            UNROLL(q, RADIX) v[q] = vload_i(from + k * all + q * rest + b);
            fft_butterfly(RADIX, w, v);
            UNROLL(q, RADIX) vstore_i(to + (k + q * M) * rest + b, v[q]);
        }
    }
}
// A stage along, in place.
INLINE void fft_along(const int HALF, const int M, const int *turns, int *z) {
    for (int i = 0; i < HALF; i += 4 * M)
        for (int k = 0; k < M; k += VL) {
            vi v[4], w[4];
            UNROLL(q, 4) v[q] = vload_i(z + i + q * M + k);
            for (int q = 1; q < 4; q++) w[q] = vload_i(turns + (q - 1) * M + k);
            fft_butterfly(4, w, v);
            UNROLL(q, 4) vstore_i(z + i + q * M + k, v[q]);
        }
}

INLINE vi fft_reversed(const int *p) {
    const vi v = vload_i(p);
    vi r;
    UNROLL(l, VL) r[l] = v[VL - 1 - l];
    return r;
}
// The bins of the real samples from those of the pairs.
INLINE void fft_real(const int HALF, const int *super_twiddles, const int *z, short *y) {
    const vi first = fft_divided(vset_i(z[0]), 2);
    const int re = (short)first[0], im = first[0] >> 16;
    for (int k = 1; k <= HALF / 2; k += VL) {
        const int mirror = HALF - k - VL + 1;
        const vi near = fft_divided(vload_i(z + k), 2);
        const vi far = fft_divided(fft_conjugate(fft_reversed(z + mirror)), 2);
        const vi total = fft_add(near, far);
        const vi turned = fft_product(fft_subtract(near, far), vload_i(super_twiddles + k - 1));
        int last[VL];
        vstore_i(last, (fft_half_difference(total, turned) & 0xffff) |
                           (fft_half_difference(turned, total) & ~0xffff));
        vstore_i((int *)(void *)(y + 2 * k), fft_half_sum(total, turned));
        vstore_i((int *)(void *)(y + 2 * mirror), fft_reversed(last));
    }
    y[0] = (short)(re + im), y[1] = 0;
    y[2 * HALF] = (short)(re - im), y[2 * HALF + 1] = 0;
}

// n samples, zero-padded to LENGTH -> HALF + 1 bins.
INLINE void fft_s16(const int N, const int LENGTH, const short *x, const fft_constants *c,
                    int *work, short *y) {
    const int HALF = LENGTH / 2, odd = __builtin_ctz((unsigned)HALF) & 1;
    int *from = work, *to = work + HALF, m = 1;
    short *const samples = (short *)(void *)from;
    for (int i = 0; i < N; i++) samples[i] = x[i];
    for (int i = N; i < LENGTH; i++) samples[i] = 0;
    while (m < VL) {
        const int two = odd && m == 1;
        if (two)
            fft_across(2, HALF, m, c->twiddles, from, to);
        else
            fft_across(4, HALF, m, c->twiddles, from, to);
        int *const was = from;
        from = to, to = was, m *= two ? 2 : 4;
    }
    for (int i = 0; i < HALF / m; i++)
        for (int k = 0; k < m; k++) to[i * m + k] = from[k * (HALF / m) + c->order[i]];
    const int *turns = c->turns;
    for (; m < HALF; turns += 3 * m, m *= 4) fft_along(HALF, m, turns, to);
    fft_real(HALF, c->super_twiddles, to, y);
}
