// Products of two matrices of int8 codes, both made at run time:
//     c = zero + requantised(sum over k of (a[k] - a_zero) * (b[k] - b_zero)), single rounding.
//
// b is packed by pack_s8.h. `bias` of a column is -(a_zero + DOT8_SHIFT) times its sum, and `term`
// of a row b_zero times the sum of its a[k] - a_zero, so that sum is bias + a * b - term.
#pragma once
#include "pack_s8.h"

// A multiplier m * 2^-(shift + 32) after a shift left, and the zero point in `round`, as
// requantize.h's single_left_s8 has them. Then, where an addend follows (MASKED): the code times
// `by` plus the column's addend, >> `down`, plus `zero`.
typedef struct {
    int m, shift, round, by, down, zero;
} product_scale;

INLINE void product_tile(const int MR, const int NV, const int LANES, const int K,
                         const int READY, const int LEFT, const int MASKED,
                         const product_scale *s, const s8 *a, const long lda, const s8 *b,
                         const int *bias, const int *terms, const int *addends, s8 *c,
                         const long ldc) {
    vi acc[TILE_ACCUMULATORS], y[TILE_VECTORS];
    tile_start_s8(MR, NV, acc, bias);
    tile_sum_s8(MR, NV, K, READY, 0, acc, a, lda, b, b);
    const vi m = vset_i(s->m), shift = vset_i(s->shift), round = vset_i(s->round);
    UNROLL (i, MR) {
        UNROLL (j, NV) {
            const vi sum = (acc[i * NV + j] - vset_i(terms[i])) << LEFT;
            y[j] = requantize_single(sum, m, shift, round);
            if (MASKED)
                y[j] = ((clamp_i(y[j], -128, 127) * vset_i(s->by) + vload_i(addends + j * VL)) >>
                        vset_i(s->down)) +
                       vset_i(s->zero);
        }
        store_s8(c + i * ldc, y, NV, LANES, -128, 127);
    }
}

// `rows` rows against one panel, shared evenly by as few tiles as MR allows.
INLINE void product_panel(const int rows, const int MR, const int NV, const int LANES, const int K,
                          const int READY, const int LEFT, const int MASKED,
                          const product_scale *s, const s8 *a, const long lda, const s8 *b,
                          const int *bias, const int *terms, const int *addends, s8 *c,
                          const long ldc) {
    const int tiles = (rows + MR - 1) / MR, few = rows / tiles, larger = rows % tiles;
    for (int m = 0; m < larger * (few + 1); m += few + 1)
        product_tile(few + 1, NV, LANES, K, READY, LEFT, MASKED, s, a + m * lda, lda, b, bias,
                     terms + m, addends, c + m * ldc, ldc);
    for (int m = larger * (few + 1); m < rows; m += few)
        product_tile(few, NV, LANES, K, READY, LEFT, MASKED, s, a + m * lda, lda, b, bias,
                     terms + m, addends, c + m * ldc, ldc);
}

// c[rows][N] of a[rows][K] and the packed b. READY: a was written by ready_s8; lda counts
// bytes.
INLINE void product_s8(const int rows, const int N, const int K, const int MR, const int NV,
                       const int READY, const int LEFT, const int MASKED, const product_scale *s,
                       const s8 *a, const long lda, const s8 *b, const int *bias, const int *terms,
                       const int *addends, s8 *c, const long ldc) {
    const int width = NV * VL, whole = N / width, rest = N - whole * width,
              last = (rest + VL - 1) / VL;
    for (int p = 0; p < whole; p++)
        product_panel(rows, MR, NV, VL, K, READY, LEFT, MASKED, s, a, lda,
                      b + (long)p * width * 4 * pack_quads(K), bias + p * width, terms,
                      addends + p * width, c + p * width, ldc);
    if (rest)
        product_panel(rows, MR, last, rest - (last - 1) * VL, K, READY, LEFT, MASKED, s, a, lda,
                      b + (long)whole * width * 4 * pack_quads(K), bias + whole * width, terms,
                      addends + whole * width, c + whole * width, ldc);
}

// terms[i] = b_zero * the sum of a[i][k] - a_zero, for n rows: a product with ones, whose lanes are
// all the same.
INLINE void product_some_terms(const int n, const int K, const int a_zero, const int b_zero,
                               const s8 *a, const long lda, int *terms) {
    static const s8 one[VL * 4] = {[0 ... VL * 4 - 1] = 1};
    const vw ones = quad_load(one);
    const int whole = K / 4 * 4;
    vi sum[4] = {{0}, {0}, {0}, {0}};
    for (int k = 0; k < whole; k += 4)
        UNROLL (i, n) sum[i] = dot4(sum[i], quad_set(a + i * lda + k, 4, 0), ones);
    UNROLL (i, n) {
        int rest = sum[i][0] - whole * DOT8_SHIFT - K * a_zero;
        for (int k = whole; k < K; k++)
            rest += a[i * lda + k];
        terms[i] = b_zero * rest;
    }
}
INLINE void product_terms(const int rows, const int K, const int a_zero, const int b_zero,
                          const s8 *a, const long lda, int *terms) {
    int i = 0;
    for (; i + 4 <= rows; i += 4)
        product_some_terms(4, K, a_zero, b_zero, a + i * lda, lda, terms + i);
    for (; i < rows; i++)
        product_some_terms(1, K, a_zero, b_zero, a + i * lda, lda, terms + i);
}

// Sums of columns become their bias.
INLINE void product_bias(const int N, const int a_zero, int *sums) {
    for (int j = 0; j < (N + VL - 1) / VL * VL; j++)
        sums[j] *= -(a_zero + DOT8_SHIFT);
}
