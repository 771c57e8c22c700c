// A batch of products of int8 codes made at run time: c[batch...][M][N] of a[...][M][K] and
// b[...][K][N], as product_s8.h defines one.
//
// a and b of a batch element start at the sum of its coordinates times a_strides (b_strides), 0
// along a broadcast axis. Work is units of MC rows of a matrix; a call does [begin, end) and the
// result does not depend on the split. scratch: the packed b, its bias, the terms of MC rows and,
// with DOT8_PAIRS, these rows ready, each rounded up to 64 bytes, for each thread.
#pragma once
#include "matmul_generic.h"
#include "product_s8.h"

typedef struct {
    int a_zero, b_zero;
    product_scale scale;
} gemm_batch_constants;

INLINE void gemm_batch_s8(const long *batch_shape, const long *a_strides, const long *b_strides,
                          const int rank, const int M, const int N, const int K, const int MR,
                          const int NV, const int MC, const int LEFT, const int begin,
                          const int end, const void *constants, const s8 *a, const s8 *b, s8 *c,
                          s8 *scratch) {
    const gemm_batch_constants *const s = constants;
    const int units = (M + MC - 1) / MC, last = M - (units - 1) * MC;
    const long columns = (N + VL - 1) / VL * VL;
    int *bias = (int *)(scratch + (columns * 4 * pack_quads(K) + 63) / 64 * 64);
    int *terms = bias + (columns + 15) / 16 * 16;
    s8 *ready = (s8 *)(terms + (MC + 15) / 16 * 16);
    const int step = DOT8_PAIRS ? K * DOT8_BYTES : K;
    for (int u = begin; u < end; u++) {
        const long index = u / units, row = u % units * MC;
        if (u == begin || row == 0) {
            pack_s8(N, K, NV, 0, 0, b + matmul_start(index, batch_shape, b_strides, rank), N,
                    scratch, bias);
            product_bias(N, s->a_zero, bias);
        }
        const s8 *from = a + matmul_start(index, batch_shape, a_strides, rank) + row * K;
        s8 *to = c + (index * M + row) * N;
        const int rows = row + MC < M ? MC : last;
        product_terms(rows, K, s->a_zero, s->b_zero, from, K, terms);
        if (DOT8_PAIRS) {
            ready_s8((long)rows * K, from, ready);
            from = ready;
        }
        if (row + MC < M)
            product_s8(MC, N, K, MR, NV, DOT8_PAIRS, LEFT, 0, &s->scale, from, step, scratch, bias,
                       terms, bias, to, N);
        else
            product_s8(last, N, K, MR, NV, DOT8_PAIRS, LEFT, 0, &s->scale, from, step, scratch,
                       bias, terms, bias, to, N);
    }
}
