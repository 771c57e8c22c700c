/* Determinant, triangles, einsum and the adjoint of im2col.
 *
 *   det_T(x, y, scratch, batch, n)       x[batch][n][n]; scratch wide_T[n * n]; floats
 *   trilu(x, y, batch, rows, columns, k, upper, bytes)
 *   einsum_T(x, y, strides, shape, operands, labels, out_labels)   all number types
 *   col2im_T(x, y, shape)                floats
 * Sources: ONNX Det-22, Trilu-14, Einsum-12, Col2Im-18.
 */
#ifndef WHET_LINEAR_ALGEBRA_H
#define WHET_LINEAR_ALGEBRA_H
#include "types.h"
#include "window.h"

enum { EINSUM_LABELS = 16 };

/* Gaussian elimination with row pivots. */
#define DET_FAMILY(T) \
    WHET_INLINE wide_##T det_eliminate_##T(wide_##T *a, const long n) \
    { \
        wide_##T product = 1; \
        for (long p = 0; p < n; p++) { \
            long pivot = p; \
            for (long i = p + 1; i < n; i++) { \
                const wide_##T v = a[i * n + p], top = a[pivot * n + p]; \
                pivot = (v < 0 ? -v : v) > (top < 0 ? -top : top) ? i : pivot; \
            } \
            const wide_##T lead = a[pivot * n + p]; \
            if (lead == 0) \
                return 0; \
            product *= pivot == p ? lead : -lead; \
            for (long j = p; j < n; j++) { \
                const wide_##T moved = a[pivot * n + j]; \
                a[pivot * n + j] = a[p * n + j]; \
                a[p * n + j] = moved; \
            } \
            for (long i = p + 1; i < n; i++) { \
                const wide_##T factor = a[i * n + p] / lead; \
                for (long j = p + 1; j < n; j++) \
                    a[i * n + j] -= factor * a[p * n + j]; \
            } \
        } \
        return product; \
    } \
    WHET_INLINE void det_##T(const T *x, T *y, wide_##T *scratch, const long batch, \
                             const long n) \
    { \
        for (long b = 0; b < batch; b++) { \
            for (long i = 0; i < n * n; i++) \
                scratch[i] = widen_##T(x[b * n * n + i]); \
            y[b] = narrow_##T(det_eliminate_##T(scratch, n)); \
        } \
    }

/* Keep the elements with column - row >= k (upper) or <= k, of [batch][rows][columns]. */
WHET_INLINE void trilu(const void *x, void *y, const long batch, const long rows,
                       const long columns, const i64 k, const int upper, const long bytes)
{
    for (long i = 0; i < batch * rows * columns; i++) {
        const i64 place = (i64)(i % columns) - (i64)(i / columns % rows);
        u8 *to = (u8 *)y + i * bytes;
        if (upper ? place >= k : place <= k)
            __builtin_memcpy(to, (const u8 *)x + i * bytes, (unsigned long)bytes);
        else
            __builtin_memset(to, 0, (unsigned long)bytes);
    }
}

/* y[out labels] = sum over the other labels of the product of the operands. shape[labels] has the
 * output's labels first, in y's order; strides[operand * labels + label] is how far a step along a
 * label moves in that operand, 0 if it lacks the label, and the sum of both for a repeated one. At
 * most 16 labels. */
#define EINSUM_FAMILY(T) \
    WHET_INLINE sum_##T einsum_product_##T(const T *const *x, const long *strides, \
                                           const long *at, const int operands, \
                                           const int labels) \
    { \
        sum_##T product = 1; \
        for (int k = 0; k < operands; k++) { \
            long place = 0; \
            for (int l = 0; l < labels; l++) \
                place += at[l] * strides[k * labels + l]; \
            product *= (sum_##T)widen_##T(x[k][place]); \
        } \
        return product; \
    } \
    WHET_INLINE void einsum_##T(const T *const *x, T *y, const long *strides, const long *shape, \
                                const int operands, const int labels, const int out_labels) \
    { \
        long at[EINSUM_LABELS] = {0}, outputs = 1, terms = 1; \
        for (int l = 0; l < labels; l++) { \
            outputs *= l < out_labels ? shape[l] : 1; \
            terms *= l < out_labels ? 1 : shape[l]; \
        } \
        for (long i = 0; i < outputs; i++) { \
            sum_##T sum = 0; \
            for (long t = 0; t < terms; t++) { \
                sum += einsum_product_##T(x, strides, at, operands, labels); \
                for (int l = labels - 1; l >= out_labels && ++at[l] == shape[l]; l--) \
                    at[l] = 0; \
            } \
            y[i] = narrow_##T((wide_##T)sum); \
            for (int l = out_labels - 1; l >= 0 && ++at[l] == shape[l]; l--) \
                at[l] = 0; \
        } \
    }

/* Add blocks x[batch][channels][kernel taps][out positions] into the image
 * y[batch][channels][in0][in1][in2] they were cut from; `shape` is the geometry of the cutting. */
#define COL2IM_FAMILY(T) \
    WHET_INLINE void col2im_block_##T(const T *x, T *y, const window_shape *s, const long k0, \
                                      const long k1, const long k2) \
    { \
        for (long o0 = 0; o0 < s->out[0]; o0++) \
        for (long o1 = 0; o1 < s->out[1]; o1++) \
        for (long o2 = 0; o2 < s->out[2]; o2++, x++) { \
            const long i0 = o0 * s->stride[0] - s->before[0] + k0 * s->dilation[0]; \
            const long i1 = o1 * s->stride[1] - s->before[1] + k1 * s->dilation[1]; \
            const long i2 = o2 * s->stride[2] - s->before[2] + k2 * s->dilation[2]; \
            if (i0 < 0 || i0 >= s->in[0] || i1 < 0 || i1 >= s->in[1] || i2 < 0 || \
                i2 >= s->in[2]) \
                continue; \
            T *to = y + (i0 * s->in[1] + i1) * s->in[2] + i2; \
            *to = narrow_##T(widen_##T(*to) + widen_##T(*x)); \
        } \
    } \
    WHET_INLINE void col2im_##T(const T *x, T *y, const window_shape *s) \
    { \
        const long image = s->in[0] * s->in[1] * s->in[2]; \
        const long blocks = s->out[0] * s->out[1] * s->out[2]; \
        for (long i = 0; i < s->batch * s->channels * image; i++) \
            y[i] = narrow_##T(0); \
        for (long c = 0; c < s->batch * s->channels; c++, y += image) \
            for (long k0 = 0; k0 < s->kernel[0]; k0++) \
            for (long k1 = 0; k1 < s->kernel[1]; k1++) \
            for (long k2 = 0; k2 < s->kernel[2]; k2++, x += blocks) \
                col2im_block_##T(x, y, s, k0, k1, k2); \
    }

WHET_FOR_FLOATS(DET_FAMILY)
WHET_FOR_NUMBERS(EINSUM_FAMILY)
WHET_FOR_FLOATS(COL2IM_FAMILY)

#endif
