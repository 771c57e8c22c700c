/* Sums, products, tables and copies of quantised tensors, portable scalar C: the bits of
 * whet/ops/integer/{addition,multiplication,unary}.py.
 *
 * n elements of each operand, already broadcast, except where a stride (0 or 1) says otherwise.
 * `type` is the storage of every tensor. y may be one of the operands: of them element i is read
 * for element i of y alone, so that loops over vectors are right.
 */
#ifndef WHET_INTEGER_ELEMENTWISE_H
#define WHET_INTEGER_ELEMENTWISE_H
#include "integer_requantize.h"
#if defined(__AVX512VBMI__) && defined(__AVX512BW__)
#include <immintrin.h>
#endif

/* y = table[x], the table indexed by the byte of x: any function of one 8-bit input. */
WHET_INLINE void integer_table(const long n, const u8 *x, const u8 *table, u8 *y)
{
    long i = 0;
#if defined(__AVX512VBMI__) && defined(__AVX512BW__)
    const __m512i a = _mm512_loadu_si512(table), b = _mm512_loadu_si512(table + 64);
    const __m512i c = _mm512_loadu_si512(table + 128), d = _mm512_loadu_si512(table + 192);
    for (; i + 64 <= n; i += 64) {
        const __m512i v = _mm512_loadu_si512(x + i);
        const __m512i low = _mm512_permutex2var_epi8(a, v, b);
        const __m512i high = _mm512_permutex2var_epi8(c, v, d);
        _mm512_storeu_si512(y + i, _mm512_mask_blend_epi8(_mm512_movepi8_mask(v), low, high));
    }
#endif
    for (; i < n; i++)
        y[i] = table[x[i]];
}

/* y = clamp(y_zero + ((a' * a_m + b' * b_m + 2^(t-1)) >> t)); b_m is negative to subtract. */
WHET_INLINE void integer_add_single(const long n, const int a_stride, const int b_stride,
                                    const int type, const void *a, const i32 a_zero, const i32 a_m,
                                    const void *b, const i32 b_zero, const i32 b_m, const int t,
                                    const i32 y_zero, const i32 low, const i32 high, void *y)
{
#pragma clang loop vectorize(assume_safety)
    for (long i = 0; i < n; i++) {
        const i32 a_value = integer_load(a, i * a_stride, type) - a_zero;
        const i32 b_value = integer_load(b, i * b_stride, type) - b_zero;
        if (type == INTEGER_I16) {
            const i64 sum = ((i64)a_value * a_m + (i64)b_value * b_m + ((i64)1 << (t - 1))) >> t;
            integer_store(y, i, integer_clamp(sum + y_zero, low, high), type);
            continue;
        }
        const i32 sum = ((a_value * a_m + b_value * b_m + (1 << (t - 1))) >> t) + y_zero;
        integer_store(y, i, sum < low ? low : sum > high ? high : sum, type);
    }
}

/* Three roundings, as TensorFlow Lite Micro; sign is +1 to add and -1 to subtract. */
WHET_INLINE void integer_add_double(const long n, const int a_stride, const int b_stride,
                                    const int type, const int left, const int sign, const void *a,
                                    const i32 a_zero, const i32 a_m, const int a_t, const void *b,
                                    const i32 b_zero, const i32 b_m, const int b_t, const i32 y_m,
                                    const int y_t, const i32 y_zero, const i32 low, const i32 high,
                                    void *y)
{
#pragma clang loop vectorize(assume_safety)
    for (long i = 0; i < n; i++) {
        const i32 a_value = integer_load(a, i * a_stride, type) - a_zero;
        const i32 b_value = integer_load(b, i * b_stride, type) - b_zero;
        const u32 a_scaled = (u32)integer_multiply(integer_shift_left(a_value, left), a_m, a_t,
                                                   WHET_DOUBLE);
        const u32 b_scaled = (u32)integer_multiply(integer_shift_left(b_value, left), b_m, b_t,
                                                   WHET_DOUBLE);
        const i32 sum = (i32)(sign > 0 ? a_scaled + b_scaled : a_scaled - b_scaled);
        integer_store(y, i, integer_scaled(sum, y_m, y_t, y_zero, low, high, WHET_DOUBLE), type);
    }
}

/* y = clamp(y_zero + (a' * b') * m * 2^-t), rows of a width; an operand's elements lie a_row apart
 * from row to row and a_step from each to the next, 0 where one serves all. */
WHET_INLINE void integer_mul(const long rows, const long width, const int type, const void *a,
                             const long a_row, const long a_step, const i32 a_zero, const void *b,
                             const long b_row, const long b_step, const i32 b_zero, const i32 m,
                             const int t, const i32 y_zero, const i32 low, const i32 high,
                             const int rounding, void *y)
{
    for (long r = 0; r < rows; r++)
#pragma clang loop vectorize(assume_safety)
        for (long i = 0; i < width; i++) {
            const u32 a_value = (u32)(integer_load(a, r * a_row + i * a_step, type) - a_zero);
            const u32 b_value = (u32)(integer_load(b, r * b_row + i * b_step, type) - b_zero);
            const i32 scaled = integer_scaled((i32)(a_value * b_value), m, t, y_zero, low, high,
                                              rounding);
            integer_store(y, r * width + i, scaled, type);
        }
}

/* y = (a - b)^2 at the common scale of a_m, b_m. */
WHET_INLINE void integer_squared_difference(
    const long n, const int a_stride, const int b_stride, const int type, const int left,
    const void *a, const i32 a_zero, const i32 a_m, const int a_t, const void *b,
    const i32 b_zero, const i32 b_m, const int b_t, const i32 y_m, const int y_t,
    const i32 y_zero, const i32 low, const i32 high, const int rounding, void *y)
{
#pragma clang loop vectorize(assume_safety)
    for (long i = 0; i < n; i++) {
        const i32 a_value = integer_shift_left(integer_load(a, i * a_stride, type) - a_zero, left);
        const i32 b_value = integer_shift_left(integer_load(b, i * b_stride, type) - b_zero, left);
        const u32 difference = (u32)(integer_multiply(a_value, a_m, a_t, rounding)
                                     - integer_multiply(b_value, b_m, b_t, rounding));
        const i64 scaled = integer_multiply((i32)(difference * difference), y_m, y_t, rounding);
        integer_store(y, i, integer_clamp(scaled + y_zero, low, high), type);
    }
}

/* y = x where x >= 0, else alpha * x; alpha repeats after `alphas` elements (its last axes). */
WHET_INLINE void integer_prelu(const long n, const long alphas, const int type, const void *x,
                               const i32 x_zero, const void *alpha, const i32 alpha_zero,
                               const i32 positive_m, const int positive_t, const i32 negative_m,
                               const int negative_t, const i32 y_zero, const i32 low,
                               const i32 high, const int rounding, void *y)
{
#pragma clang loop vectorize(assume_safety)
    for (long i = 0; i < n; i++) {
        const i32 value = integer_load(x, i, type) - x_zero;
        const i32 slope = integer_load(alpha, i % alphas, type) - alpha_zero;
        const i64 scaled = value >= 0
            ? integer_multiply(value, positive_m, positive_t, rounding)
            : integer_multiply((i32)((u32)value * (u32)slope), negative_m, negative_t, rounding);
        integer_store(y, i, integer_clamp(scaled + y_zero, low, high), type);
    }
}

/* y = clamp(y_zero + (x - x_zero) * m * 2^-t), from any storage type to any other. */
WHET_INLINE void integer_rescale(const long n, const int x_type, const int y_type, const void *x,
                                 const i32 x_zero, const i32 m, const int t, const i32 y_zero,
                                 const i32 low, const i32 high, const int rounding, void *y)
{
#pragma clang loop vectorize(assume_safety)
    for (long i = 0; i < n; i++) {
        const i32 value = (i32)((u32)integer_load(x, i, x_type) - (u32)x_zero);
        integer_store(y, i, integer_scaled(value, m, t, y_zero, low, high, rounding), y_type);
    }
}

/* y = max(a, b), or min: operands and result share one quantisation. */
WHET_INLINE void integer_maximum(const long n, const int a_stride, const int b_stride,
                                 const int type, const int minimum, const void *a, const void *b,
                                 void *y)
{
#pragma clang loop vectorize(assume_safety)
    for (long i = 0; i < n; i++) {
        const i32 p = integer_load(a, i * a_stride, type);
        const i32 q = integer_load(b, i * b_stride, type);
        integer_store(y, i, (p < q) == minimum ? p : q, type);
    }
}
#endif
