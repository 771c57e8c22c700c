/* Logistic and tanh of i16 values by linear interpolation, portable scalar C: the bits of
 * whet/ops/integer/sigmoid.py. `table` is its sigmoid_table; (m, shift) scales the input. */
#ifndef WHET_INTEGER_SIGMOID_H
#define WHET_INTEGER_SIGMOID_H
#include "integer_requantize.h"

WHET_INLINE i32 integer_sigmoid_input(const i16 x, const i32 m, const int shift)
{
    return (i32)((u32)x * (u32)m + (((u32)1 << shift) >> 1)) >> shift;
}

/* |value|, linearly interpolated between entries 2^step apart, in Q16 with `step` more bits. */
WHET_INLINE i32 integer_sigmoid_magnitude(const i32 value, const int step, const u16 *table)
{
    const u32 magnitude = value < 0 ? 0u - (u32)value : (u32)value;
    const u32 at = magnitude >> step;
    const u32 rest = magnitude & (((u32)1 << step) - 1);
    if (at >= 255)
        return step == 9 ? 0x7fff << 10 : 0xffff << 8;
    return (i32)(((u32)table[at] << step) + rest * (u32)(table[at + 1] - table[at]));
}

/* 1 / (1 + exp(-x)) in Q0.15. */
WHET_INLINE i16 integer_logistic16_of(const i16 x, const i32 m, const int shift, const u16 *table)
{
    const i32 value = integer_sigmoid_input(x, m, shift);
    const i32 y = integer_sigmoid_magnitude(value, 9, table);
    return (i16)((value >= 0 ? y + (1 << 9) : (1 << 25) - y + (1 << 9) - 1) >> 10);
}

/* tanh(x) in Q0.15. */
WHET_INLINE i16 integer_tanh16_of(const i16 x, const i32 m, const int shift, const u16 *table)
{
    const i32 value = integer_sigmoid_input(x, m, shift);
    const i32 y = integer_sigmoid_magnitude(value, 8, table);
    return (i16)((value >= 0 ? y - (1 << 23) + (1 << 7) : -y + (1 << 23) + (1 << 7) - 1) >> 8);
}

WHET_INLINE void integer_logistic16(const long n, const i16 *x, const i32 m, const int shift,
                                    const u16 *table, i16 *y)
{
    for (long i = 0; i < n; i++)
        y[i] = integer_logistic16_of(x[i], m, shift, table);
}

WHET_INLINE void integer_tanh16(const long n, const i16 *x, const i32 m, const int shift,
                                const u16 *table, i16 *y)
{
    for (long i = 0; i < n; i++)
        y[i] = integer_tanh16_of(x[i], m, shift, table);
}
#endif
