// gemm_f32 over a batch of matrices: c[batch...][M][N] = a[...][M][K] * b[...][K][N].
//
// a and b of a batch element start at the sum of its coordinates times a_strides (b_strides), in
// floats, 0 along a broadcast axis. Work is batches * units, `units` being those of one product.
#pragma once
#include "gemm_f32.h"
#include "matmul_generic.h"

INLINE void gemm_batch_f32(const int units, const long *batch_shape, const long *a_strides,
                           const long *b_strides, const int rank, const int M, const int N,
                           const int K, const int MR, const int NV, const int MC, const int begin,
                           const int end, const float *a, const float *b, const float *bias,
                           float *c) {
    for (int at = begin; at < end;) {
        const long index = at / units;
        const int first = at % units, last = end - at < units - first ? first + end - at : units;
        gemm_f32(4, M, N, K, K, N, N, MR, NV, MC, first, last,
                 a + matmul_start(index, batch_shape, a_strides, rank),
                 b + matmul_start(index, batch_shape, b_strides, rank), bias, c + index * M * N, 0,
                 0, 0, 0, identity_f32);
        at += last - first;
    }
}
