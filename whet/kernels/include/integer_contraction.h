/* Convolutions and matrix products on integers, portable scalar C: the bits of
 * whet/ops/integer/contraction.py, on every target.
 *
 * Activations are channels-last. x_type is the storage of x and y; w_type that of w. INTEGER_I16
 * activations accumulate in 64 bits (bias i64), the others in 32 (bias i32); bias may be null.
 * m, t: one multiplier per output channel when `per_channel`, else one.
 */
#ifndef WHET_INTEGER_CONTRACTION_H
#define WHET_INTEGER_CONTRACTION_H
#include "integer_requantize.h"

/* acc + sum over i < depth of (x[x_at + i] - x_zero) * (w[w_at + i] - w_zero). */
WHET_INLINE i64 integer_dot(const i64 acc, const int depth, const void *x, const long x_at,
                            const int x_type, const i32 x_zero, const void *w, const long w_at,
                            const int w_type, const i32 w_zero)
{
    if (x_type == INTEGER_I16) {
        i64 wide = acc;
        for (int i = 0; i < depth; i++)
            wide += (i64)(integer_load(x, x_at + i, x_type) - x_zero)
                    * (integer_load(w, w_at + i, w_type) - w_zero);
        return wide;
    }
    u32 sum = (u32)acc;
    for (int i = 0; i < depth; i++)
        sum += (u32)((integer_load(x, x_at + i, x_type) - x_zero)
                     * (integer_load(w, w_at + i, w_type) - w_zero));
    return (i32)sum;
}

/* Add the bias of channel `o`, requantise with its multiplier, clamp. */
WHET_INLINE i32 integer_finish(const i64 acc, const int o, const void *bias, const i32 *m,
                               const i32 *t, const int per_channel, const i32 y_zero,
                               const i32 low, const i32 high, const int x_type,
                               const int rounding)
{
    const int wide = x_type == INTEGER_I16;
    const int c = per_channel ? o : 0;
    i64 sum = acc;
    if (bias && wide)
        sum += ((const i64 *)bias)[o];
    else if (bias)
        sum = (i32)((u32)sum + (u32)((const i32 *)bias)[o]);
    return integer_requantize(sum, m[c], t[c], y_zero, low, high, wide, rounding);
}

/* x [batch][in_h][in_w][in_c], w [out_c][kernel_h][kernel_w][in_c / groups] -> y. */
WHET_INLINE void integer_conv2d(
    const int batch, const int in_h, const int in_w, const int in_c, const int out_h,
    const int out_w, const int out_c, const int kernel_h, const int kernel_w, const int stride_h,
    const int stride_w, const int dilation_h, const int dilation_w, const int pad_top,
    const int pad_left, const int groups, const int x_type, const int w_type, const void *x,
    const i32 x_zero, const void *w, const i32 w_zero, const void *bias, const i32 *m,
    const i32 *t, const int per_channel, const i32 y_zero, const i32 low, const i32 high,
    const int rounding, void *y)
{
    const int depth = in_c / groups;
    for (int n = 0; n < batch; n++)
        for (int p = 0; p < out_h * out_w; p++)
            for (int o = 0; o < out_c; o++) {
                const int top = p / out_w * stride_h - pad_top;
                const int left = p % out_w * stride_w - pad_left;
                const int first = o / (out_c / groups) * depth;
                i64 acc = 0;
                for (int a = 0; a < kernel_h; a++)
                    for (int b = 0; b < kernel_w; b++) {
                        const int i = top + a * dilation_h, j = left + b * dilation_w;
                        if (i < 0 || i >= in_h || j < 0 || j >= in_w)
                            continue;
                        const long x_at = (((long)n * in_h + i) * in_w + j) * in_c + first;
                        const long w_at = (((long)o * kernel_h + a) * kernel_w + b) * depth;
                        acc = integer_dot(acc, depth, x, x_at, x_type, x_zero, w, w_at, w_type,
                                          w_zero);
                    }
                const i32 value = integer_finish(acc, o, bias, m, t, per_channel, y_zero, low,
                                                 high, x_type, rounding);
                integer_store(y, ((long)n * out_h * out_w + p) * out_c + o, value, x_type);
            }
}

/* x [batch][in_h][in_w][in_c], w [kernel_h][kernel_w][out_c] -> y; out_c is a multiple of in_c. */
WHET_INLINE void integer_depthwise_conv2d(
    const int batch, const int in_h, const int in_w, const int in_c, const int out_h,
    const int out_w, const int out_c, const int kernel_h, const int kernel_w, const int stride_h,
    const int stride_w, const int dilation_h, const int dilation_w, const int pad_top,
    const int pad_left, const int x_type, const int w_type, const void *x, const i32 x_zero,
    const void *w, const i32 w_zero, const void *bias, const i32 *m, const i32 *t,
    const int per_channel, const i32 y_zero, const i32 low, const i32 high, const int rounding,
    void *y)
{
    const int multiple = out_c / in_c;
    for (int n = 0; n < batch; n++)
        for (int p = 0; p < out_h * out_w; p++)
            for (int o = 0; o < out_c; o++) {
                const int top = p / out_w * stride_h - pad_top;
                const int left = p % out_w * stride_w - pad_left;
                i64 acc = 0;
                for (int a = 0; a < kernel_h; a++)
                    for (int b = 0; b < kernel_w; b++) {
                        const int i = top + a * dilation_h, j = left + b * dilation_w;
                        if (i < 0 || i >= in_h || j < 0 || j >= in_w)
                            continue;
                        const long x_at = (((long)n * in_h + i) * in_w + j) * in_c + o / multiple;
                        acc = integer_dot(acc, 1, x, x_at, x_type, x_zero, w,
                                          ((long)a * kernel_w + b) * out_c + o, w_type, w_zero);
                    }
                const i32 value = integer_finish(acc, o, bias, m, t, per_channel, y_zero, low,
                                                 high, x_type, rounding);
                integer_store(y, ((long)n * out_h * out_w + p) * out_c + o, value, x_type);
            }
}

/* x [rows][in_c], w [out_c][in_c] -> y [rows][out_c]. */
WHET_INLINE void integer_fully_connected(
    const int rows, const int in_c, const int out_c, const int x_type, const int w_type,
    const void *x, const i32 x_zero, const void *w, const i32 w_zero, const void *bias,
    const i32 *m, const i32 *t, const int per_channel, const i32 y_zero, const i32 low,
    const i32 high, const int rounding, void *y)
{
    for (int r = 0; r < rows; r++)
        for (int o = 0; o < out_c; o++) {
            const i64 acc = integer_dot(0, in_c, x, (long)r * in_c, x_type, x_zero, w,
                                        (long)o * in_c, w_type, w_zero);
            const i32 value = integer_finish(acc, o, bias, m, t, per_channel, y_zero, low, high,
                                             x_type, rounding);
            integer_store(y, (long)r * out_c + o, value, x_type);
        }
}

/* a [batch][rows][depth] times b [batch][depth][columns]; a_stride and b_stride are the elements
 * from one batch to the next, 0 to repeat one. Wide (i16) operands accumulate in 64 bits. */
WHET_INLINE void integer_batch_matmul(const int batch, const int rows, const int depth,
                                      const int columns, const long a_stride, const long b_stride,
                                      const int type, const void *a, const i32 a_zero,
                                      const void *b, const i32 b_zero, const i32 m, const int t,
                                      const i32 y_zero, const i32 low, const i32 high,
                                      const int rounding, void *y)
{
    for (int n = 0; n < batch; n++)
        for (int r = 0; r < rows; r++)
            for (int c = 0; c < columns; c++) {
                i64 acc = 0;
                for (int k = 0; k < depth; k++) {
                    const i32 p = integer_load(a, n * a_stride + (long)r * depth + k, type);
                    const i32 q = integer_load(b, n * b_stride + (long)k * columns + c, type);
                    acc += (i64)(p - a_zero) * (q - b_zero);
                }
                const int wide = type == INTEGER_I16;
                const i32 value =
                    integer_requantize(acc, m, t, y_zero, low, high, wide, rounding);
                integer_store(y, ((long)n * rows + r) * columns + c, value, type);
            }
}

/* x [batch][in_h][in_w][in_c], w [out_c][kernel_h][kernel_w][in_c] -> y: y[i] gathers the x[j] and
 * w[a] with j * stride - pad + a == i. */
WHET_INLINE void integer_transpose_conv2d(
    const int batch, const int in_h, const int in_w, const int in_c, const int out_h,
    const int out_w, const int out_c, const int kernel_h, const int kernel_w, const int stride_h,
    const int stride_w, const int pad_top, const int pad_left, const int x_type,
    const int w_type, const void *x, const i32 x_zero, const void *w, const i32 w_zero,
    const void *bias, const i32 *m, const i32 *t, const int per_channel, const i32 y_zero,
    const i32 low, const i32 high, const int rounding, void *y)
{
    for (int n = 0; n < batch; n++)
        for (int p = 0; p < out_h * out_w; p++)
            for (int o = 0; o < out_c; o++) {
                i64 acc = 0;
                for (int a = 0; a < kernel_h; a++)
                    for (int b = 0; b < kernel_w; b++) {
                        const int down = p / out_w + pad_top - a;
                        const int right = p % out_w + pad_left - b;
                        const int i = down / stride_h, j = right / stride_w;
                        if (down < 0 || right < 0 || down % stride_h || right % stride_w
                            || i >= in_h || j >= in_w)
                            continue;
                        const long x_at = (((long)n * in_h + i) * in_w + j) * in_c;
                        const long w_at = (((long)o * kernel_h + a) * kernel_w + b) * in_c;
                        acc = integer_dot(acc, in_c, x, x_at, x_type, x_zero, w, w_at, w_type,
                                          w_zero);
                    }
                const i32 value = integer_finish(acc, o, bias, m, t, per_channel, y_zero, low,
                                                 high, x_type, rounding);
                integer_store(y, ((long)n * out_h * out_w + p) * out_c + o, value, x_type);
            }
}
#endif
