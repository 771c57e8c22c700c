/* Pooling, reductions and softmax on integers, portable scalar C: the bits of
 * whet/ops/integer/{pooling,reduction,softmax}.py. */
#ifndef WHET_INTEGER_REDUCTION_H
#define WHET_INTEGER_REDUCTION_H
#include "integer_fixedpoint.h"

/* Mean (average != 0) or maximum of the window inside the image.
 * x [batch][in_h][in_w][channels] -> y [batch][out_h][out_w][channels]. */
WHET_INLINE void integer_pool2d(const int batch, const int in_h, const int in_w,
                                const int channels, const int out_h, const int out_w,
                                const int kernel_h, const int kernel_w, const int stride_h,
                                const int stride_w, const int pad_top, const int pad_left,
                                const int type, const int average, const void *x, const i32 low,
                                const i32 high, void *y)
{
    for (int n = 0; n < batch; n++)
        for (int p = 0; p < out_h * out_w; p++)
            for (int c = 0; c < channels; c++) {
                const int top = p / out_w * stride_h - pad_top;
                const int left = p % out_w * stride_w - pad_left;
                i32 sum = 0, largest = INT32_MIN, count = 0;
                for (int a = 0; a < kernel_h; a++)
                    for (int b = 0; b < kernel_w; b++) {
                        const int i = top + a, j = left + b;
                        if (i < 0 || i >= in_h || j < 0 || j >= in_w)
                            continue;
                        const long at = (((long)n * in_h + i) * in_w + j) * channels + c;
                        const i32 value = integer_load(x, at, type);
                        sum += value;
                        count++;
                        if (value > largest)
                            largest = value;
                    }
                const i32 half = sum > 0 ? count / 2 : -(count / 2);
                const i32 value = average ? (sum + half) / count : largest;
                integer_store(y, ((long)n * out_h * out_w + p) * channels + c,
                              integer_clamp(value, low, high), type);
            }
}

/* y [outer][inner] = rescaled sum over the middle axis of x [outer][count][inner]; offset is
 * x_zero * count. A mean differs only in its multiplier. */
WHET_INLINE void integer_sum(const long outer, const long count, const long inner, const int type,
                             const void *x, const i32 offset, const i32 m, const int t,
                             const i32 y_zero, const i32 low, const i32 high, const int rounding,
                             void *y)
{
    for (long o = 0; o < outer; o++)
        for (long i = 0; i < inner; i++) {
            u32 sum = (u32)-offset;
            for (long k = 0; k < count; k++)
                sum += (u32)integer_load(x, (o * count + k) * inner + i, type);
            const i64 scaled = integer_multiply((i32)sum, m, t, rounding);
            integer_store(y, o * inner + i, integer_clamp(scaled + y_zero, low, high), type);
        }
}

/* y [outer][inner] = largest (or smallest, `minimum`) over the middle axis of x. */
WHET_INLINE void integer_extreme(const long outer, const long count, const long inner,
                                 const int type, const int minimum, const void *x, void *y)
{
    for (long o = 0; o < outer; o++)
        for (long i = 0; i < inner; i++) {
            i32 best = integer_load(x, o * count * inner + i, type);
            for (long k = 1; k < count; k++) {
                const i32 value = integer_load(x, (o * count + k) * inner + i, type);
                if (minimum ? value < best : value > best)
                    best = value;
            }
            integer_store(y, o * inner + i, best, type);
        }
}

/* Largest of depth elements. */
WHET_INLINE i32 integer_row_maximum(const int depth, const void *x, const long at, const int type)
{
    i32 best = INT32_MIN;
    for (int i = 0; i < depth; i++) {
        const i32 value = integer_load(x, at + i, type);
        best = value > best ? value : best;
    }
    return best;
}

WHET_INLINE i32 integer_lowest(const int type)
{
    return type == INTEGER_I8 ? INT8_MIN : type == INTEGER_I16 ? INT16_MIN : 0;
}

WHET_INLINE i32 integer_highest(const int type)
{
    return type == INTEGER_I8 ? INT8_MAX : type == INTEGER_I16 ? INT16_MAX : UINT8_MAX;
}

/* Softmax of each row: exponential by table, exact sum, exact division. */
WHET_INLINE void integer_softmax_single(const long rows, const int depth, const int x_type,
                                        const int y_type, const void *x, const u32 *exp_table,
                                        void *y)
{
    const i32 low = integer_lowest(y_type), high = integer_highest(y_type);
    const int bits = y_type == INTEGER_I16 ? 16 : 8;
    for (long r = 0; r < rows; r++) {
        const i32 best = integer_row_maximum(depth, x, r * depth, x_type);
        u64 sum = 0;
        for (int i = 0; i < depth; i++)
            sum += exp_table[best - integer_load(x, r * depth + i, x_type)];
        for (int i = 0; i < depth; i++) {
            const u64 e = exp_table[best - integer_load(x, r * depth + i, x_type)];
            const i64 value = (i64)(((e << bits) + (sum >> 1)) / sum);
            integer_store(y, r * depth + i, integer_clamp(value + low, low, high), y_type);
        }
    }
}

/* Softmax of each row as TensorFlow Lite Micro: (m, t) scales a difference to Q5.26. */
WHET_INLINE void integer_softmax_double(const long rows, const int depth, const int x_type,
                                        const int y_type, const void *x, const i32 m, const int t,
                                        const i32 diff_min, void *y)
{
    const i32 low = integer_lowest(y_type), high = integer_highest(y_type);
    const int bits = y_type == INTEGER_I16 ? 16 : 8;
    for (long r = 0; r < rows; r++) {
        const i32 best = integer_row_maximum(depth, x, r * depth, x_type);
        i32 sum = 0, over_unit;
        for (int i = 0; i < depth; i++) {
            const i32 diff = integer_load(x, r * depth + i, x_type) - best;
            if (diff >= diff_min) {
                const i32 scaled = integer_mul_high(integer_shift_left(diff, 31 - t), m);
                sum += integer_divide_by_power(integer_exp_on_negative(scaled, 5), 12);
            }
        }
        const i32 inverse = integer_reciprocal(sum, 12, &over_unit);
        for (int i = 0; i < depth; i++) {
            const i32 diff = integer_load(x, r * depth + i, x_type) - best;
            i32 value = low;
            if (diff >= diff_min) {
                const i32 scaled = integer_mul_high(integer_shift_left(diff, 31 - t), m);
                const i32 e = integer_mul_high(inverse, integer_exp_on_negative(scaled, 5));
                value = integer_divide_by_power(e, over_unit + 31 - bits) + low;
            }
            integer_store(y, r * depth + i, integer_clamp(value, low, high), y_type);
        }
    }
}
#endif
