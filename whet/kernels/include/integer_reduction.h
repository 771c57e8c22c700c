/* Pooling, reductions and softmax on integers, portable scalar C: the bits of
 * whet/ops/integer/{pooling,reduction,softmax}.py. */
#ifndef WHET_INTEGER_REDUCTION_H
#define WHET_INTEGER_REDUCTION_H
#include "integer_fixedpoint.h"
#include "share.h"

/* Channels that pooling and sums hold at once, in 32-bit lanes. */
enum { INTEGER_SPAN = 64 };

/* best or sum [width], over one window of the image at x [in_h][in_w][channels]; how many pixels
 * of it lie inside. */
WHET_INLINE i32 integer_pooled(const int in_h, const int in_w, const int channels, const int width,
                               const int kernel_h, const int kernel_w, const int top,
                               const int left, const int type, const int average, const void *x,
                               const long first, i32 *held)
{
    const int above = top < 0 ? 0 : top, before = left < 0 ? 0 : left;
    const int bottom = top + kernel_h < in_h ? top + kernel_h : in_h;
    const int right = left + kernel_w < in_w ? left + kernel_w : in_w;
    for (int c = 0; c < width; c++)
        held[c] = average ? 0 : INT32_MIN;
    for (int i = above; i < bottom; i++)
        for (int j = before; j < right; j++) {
            const long at = first + ((long)i * in_w + j) * channels;
            for (int c = 0; c < width; c++) {
                const i32 value = integer_load(x, at + c, type);
                held[c] = average ? held[c] + value : value > held[c] ? value : held[c];
            }
        }
    return (bottom - above) * (right - before);
}

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
            for (int from = 0; from < channels; from += INTEGER_SPAN) {
                const int rest = channels - from;
                const int width = rest < INTEGER_SPAN ? rest : INTEGER_SPAN;
                const int top = p / out_w * stride_h - pad_top;
                const int left = p % out_w * stride_w - pad_left;
                const long first = (long)n * in_h * in_w * channels + from;
                i32 held[INTEGER_SPAN];
                const i32 count = integer_pooled(in_h, in_w, channels, width, kernel_h, kernel_w,
                                                 top, left, type, average, x, first, held);
                for (int c = 0; c < width; c++) {
                    const i32 half = held[c] > 0 ? count / 2 : -(count / 2);
                    const i32 value = average ? (held[c] + half) / count : held[c];
                    const long at = ((long)n * out_h * out_w + p) * channels + from + c;
                    integer_store(y, at, integer_clamp(value, low, high), type);
                }
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
        for (long from = 0; from < inner; from += INTEGER_SPAN) {
            const long rest = inner - from;
            const int width = rest < INTEGER_SPAN ? (int)rest : INTEGER_SPAN;
            u32 sum[INTEGER_SPAN];
            for (int i = 0; i < width; i++)
                sum[i] = (u32)-offset;
            for (long k = 0; k < count; k++)
                for (int i = 0; i < width; i++)
                    sum[i] += (u32)integer_load(x, (o * count + k) * inner + from + i, type);
            for (int i = 0; i < width; i++) {
                const i32 value = integer_scaled((i32)sum[i], m, t, y_zero, low, high, rounding);
                integer_store(y, o * inner + from + i, value, type);
            }
        }
}

/* One thread's part of integer_sum for outer = 1: SHARED_RUNS runs of rows, which the threads
 * share, are summed to `sums`, SHARED_RUNS * inner of them; after a wait those give y. */
WHET_INLINE void integer_sum_parts(const long count, const long inner, const int type,
                                   const void *x, const i32 offset, const i32 m, const int t,
                                   const i32 y_zero, const i32 low, const i32 high,
                                   const int rounding, void *y, u32 *sums, const int part,
                                   const int parts, void (*wait)(void *pool), void *pool)
{
    for (long k = thread_share(SHARED_RUNS, part, parts);
         k < thread_share(SHARED_RUNS, part + 1, parts); k++)
        for (long from = 0; from < inner; from += INTEGER_SPAN) {
            const long rest = inner - from;
            const int width = rest < INTEGER_SPAN ? (int)rest : INTEGER_SPAN;
            u32 sum[INTEGER_SPAN];
            for (int i = 0; i < width; i++)
                sum[i] = 0;
            for (long r = count * k / SHARED_RUNS; r < count * (k + 1) / SHARED_RUNS; r++)
                for (int i = 0; i < width; i++)
                    sum[i] += (u32)integer_load(x, r * inner + from + i, type);
            for (int i = 0; i < width; i++)
                sums[k * inner + from + i] = sum[i];
        }
    if (parts > 1)
        wait(pool);
    for (long i = thread_share(inner, part, parts); i < thread_share(inner, part + 1, parts); i++) {
        u32 sum = (u32)-offset;
        for (long k = 0; k < SHARED_RUNS; k++)
            sum += sums[k * inner + i];
        const i32 value = integer_scaled((i32)sum, m, t, y_zero, low, high, rounding);
        integer_store(y, i, value, type);
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
