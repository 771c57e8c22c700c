/* Plain matrix products over broadcast batches, for types without a tuned kernel.
 *
 *   matmul_T(a, b, y, m, k, n, batch_shape, a_strides, b_strides, rank)     all number types
 *       y[batch_shape...][m][n]; the matrices of a batch element start at the sum of its
 *       coordinates times a_strides (b_strides), in elements: 0 along a broadcast axis; rank <= 8
 *   matmul_integer_A_B(a, b, y, m, k, n, batch_shape, a_strides, b_strides, rank,
 *                      a_zero, a_zero_step, b_zero, b_zero_step)
 *       A, B in u8, i8; y is i32; row i's zero point is a_zero[i * a_zero_step], column j's
 *       b_zero[j * b_zero_step]; null means 0
 * Integers wrap. Sources: ONNX MatMul-13, MatMulInteger-10.
 */
#ifndef WHET_MATMUL_GENERIC_H
#define WHET_MATMUL_GENERIC_H
#include "types.h"

enum { MATMUL_ROWS = 4 };
/* A tile of sums that stays in registers; its size does not decide the bits. */
#if defined(__AVX512F__)
enum { MATMUL_WIDTH = 64 };
#elif defined(__thumb__)
enum { MATMUL_WIDTH = 4 };
#else
enum { MATMUL_WIDTH = 16 };
#endif

/* Where batch element `index` starts. */
WHET_INLINE long matmul_start(long index, const long *shape, const long *strides, const int rank)
{
    long start = 0;
    for (int axis = rank - 1; axis >= 0; axis--) {
        start += index % shape[axis] * strides[axis];
        index /= shape[axis];
    }
    return start;
}

WHET_INLINE long matmul_batches(const long *shape, const int rank)
{
    long count = 1;
    for (int axis = 0; axis < rank; axis++)
        count *= shape[axis];
    return count;
}

#define MATMUL_FAMILY(T) \
    WHET_INLINE void matmul_tile_##T(const T *a, const T *b, T *y, const long k, const long n, \
                                     const long rows, const long width) \
    { \
        sum_##T sum[MATMUL_ROWS][MATMUL_WIDTH]; \
        for (long i = 0; i < rows; i++) \
            for (long j = 0; j < width; j++) \
                sum[i][j] = 0; \
        for (long l = 0; l < k; l++) \
            for (long i = 0; i < rows; i++) { \
                const sum_##T factor = (sum_##T)widen_##T(a[i * k + l]); \
                for (long j = 0; j < width; j++) \
                    sum[i][j] += factor * (sum_##T)widen_##T(b[l * n + j]); \
            } \
        for (long i = 0; i < rows; i++) \
            for (long j = 0; j < width; j++) \
                y[i * n + j] = narrow_##T((wide_##T)sum[i][j]); \
    } \
    WHET_INLINE void matmul_one_##T(const T *a, const T *b, T *y, const long m, const long k, \
                                    const long n) \
    { \
        for (long i = 0; i < m; i += MATMUL_ROWS) \
            for (long j = 0; j < n; j += MATMUL_WIDTH) { \
                const long rows = m - i < MATMUL_ROWS ? m - i : MATMUL_ROWS; \
                const long width = n - j < MATMUL_WIDTH ? n - j : MATMUL_WIDTH; \
                if (rows == MATMUL_ROWS && width == MATMUL_WIDTH) \
                    matmul_tile_##T(a + i * k, b + j, y + i * n + j, k, n, MATMUL_ROWS, \
                                    MATMUL_WIDTH); \
                else \
                    matmul_tile_##T(a + i * k, b + j, y + i * n + j, k, n, rows, width); \
            } \
    } \
    WHET_INLINE void matmul_##T(const T *a, const T *b, T *y, const long m, const long k, \
                                const long n, const long *batch_shape, const long *a_strides, \
                                const long *b_strides, const int rank) \
    { \
        const long batches = matmul_batches(batch_shape, rank); \
        for (long c = 0; c < batches; c++) { \
            const T *left = a + matmul_start(c, batch_shape, a_strides, rank); \
            const T *right = b + matmul_start(c, batch_shape, b_strides, rank); \
            matmul_one_##T(left, right, y + c * m * n, m, k, n); \
        } \
    }

#define MATMUL_INTEGER(A, B) \
    WHET_INLINE void matmul_integer_##A##_##B( \
        const A *a, const B *b, i32 *y, const long m, const long k, const long n, \
        const long *batch_shape, const long *a_strides, const long *b_strides, const int rank, \
        const A *a_zero, const long a_zero_step, const B *b_zero, const long b_zero_step) \
    { \
        const long batches = matmul_batches(batch_shape, rank); \
        for (long c = 0; c < batches; c++) { \
            const A *left = a + matmul_start(c, batch_shape, a_strides, rank); \
            const B *right = b + matmul_start(c, batch_shape, b_strides, rank); \
            for (long i = 0; i < m; i++) { \
                const i32 row_zero = a_zero ? a_zero[i * a_zero_step] : 0; \
                i32 *row = y + (c * m + i) * n; \
                for (long j = 0; j < n; j++) \
                    row[j] = 0; \
                for (long l = 0; l < k; l++) { \
                    const i32 factor = (i32)left[i * k + l] - row_zero; \
                    for (long j = 0; j < n; j++) { \
                        const i32 zero = b_zero ? b_zero[j * b_zero_step] : 0; \
                        const i32 term = factor * ((i32)right[l * n + j] - zero); \
                        row[j] = (i32)((u32)row[j] + (u32)term); \
                    } \
                } \
            } \
        } \
    }

WHET_FOR_NUMBERS(MATMUL_FAMILY)
MATMUL_INTEGER(u8, u8)
MATMUL_INTEGER(u8, i8)
MATMUL_INTEGER(i8, u8)
MATMUL_INTEGER(i8, i8)

#endif
