/* L2 normalisation of i8 rows, portable scalar C: the bits of
 * whet/ops/integer/normalization.py. */
#ifndef WHET_INTEGER_NORMALIZATION_H
#define WHET_INTEGER_NORMALIZATION_H
#include "integer_fixedpoint.h"

/* floor(sqrt(x)) for x < 2^62, one result bit a step. */
WHET_INLINE u32 integer_sqrt(const u64 x)
{
    u64 rest = x, root = 0;
    u64 bit = (u64)1 << 62;
    while (bit > rest)
        bit >>= 2;
    for (; bit; bit >>= 2) {
        const int take = rest >= root + bit;
        rest -= take ? root + bit : 0;
        root = (root >> 1) + (take ? bit : 0);
    }
    return (u32)root;
}

/* 1 / sqrt(x) = result * 2^(*exponent - 31), *exponent <= 0; 0 is treated as 1. */
WHET_INLINE i32 integer_inverse_sqrt(const i32 x, int *exponent)
{
    *exponent = 0;
    if (x <= 1)
        return INT32_MAX;
    i32 value = x, shift = 11;
    for (; value >= 1 << 29; shift++)
        value /= 4;
    const int pairs = (__builtin_clz((u32)value) - 1) / 2 - 1;
    value = integer_shift_left(value, 2 * pairs);
    shift -= pairs;
    const i32 half = integer_divide_by_power(value >> 1, 1);
    i32 guess = 1 << 28;
    for (int i = 0; i < 5; i++) {
        const i32 cube = integer_shift_left_saturating(
            integer_mul_high(integer_mul_high(guess, guess), guess), 6);
        const i32 step = integer_mul_high(guess, (1 << 28) + (1 << 27))
                         - integer_mul_high(half, cube);
        guess = integer_shift_left_saturating(step, 3);
    }
    const i32 m = integer_mul_high(guess, 1518500250);
    *exponent = shift < 0 ? 0 : -shift;
    return shift < 0 ? integer_shift_left(m, -shift) : m;
}

/* y = x / norm(x) with 7 fractional bits, each row on its own. */
WHET_INLINE void integer_l2_normalize(const long rows, const int depth, const i8 *x,
                                      const i32 x_zero, const int rounding, i8 *y)
{
    for (long r = 0; r < rows; r++) {
        u32 sum = 0;
        for (int i = 0; i < depth; i++) {
            const i32 value = x[r * depth + i] - x_zero;
            sum += (u32)(value * value);
        }
        int exponent;
        const i32 m = integer_inverse_sqrt((i32)sum, &exponent);
        for (int i = 0; i < depth; i++) {
            const i32 value = x[r * depth + i] - x_zero;
            i64 scaled;
            if (rounding == WHET_SINGLE) {
                const u64 ratio = ((u64)(value * value) << 16) / (sum ? sum : 1);
                const i32 magnitude = (i32)((integer_sqrt(ratio) + 1) >> 1);
                scaled = value < 0 ? -magnitude : magnitude;
            } else {
                scaled = integer_multiply(value, m, 31 - exponent - 7, WHET_DOUBLE);
            }
            y[r * depth + i] = (i8)integer_clamp(scaled, -128, 127);
        }
    }
}
#endif
