/* Functions of i16 values by tables of 513 entries, and the i16 softmax, portable scalar C: the
 * bits of whet/ops/integer/{interpolation,softmax16}.py. */
#ifndef WHET_INTEGER_INTERPOLATION_H
#define WHET_INTEGER_INTERPOLATION_H
#include "integer_requantize.h"

WHET_INLINE i16 integer_interpolate_at(const i16 x, const i16 *table)
{
    const int i = 256 + (x >> 7);
    const i16 slope = (i16)(table[i + 1] - table[i]);
    return (i16)(table[i] + ((slope * (x & 127) + 64) >> 7));
}

WHET_INLINE void integer_interpolate(const long n, const i16 *x, const i16 *table, i16 *y)
{
    for (long i = 0; i < n; i++)
        y[i] = integer_interpolate_at(x[i], table);
}

/* Softmax of each row; y holds the exponentials on the way. */
WHET_INLINE void integer_softmax16(const long rows, const int depth, const i16 *x, const i32 m,
                                   const int t, const i16 *exp_table,
                                   const i16 *reciprocal_table, const int rounding, i16 *y)
{
    for (long r = 0; r < rows; r++) {
        const i16 *from = x + r * depth;
        i16 *to = y + r * depth;
        i32 best = from[0], sum = 0;
        for (int i = 1; i < depth; i++)
            best = from[i] > best ? from[i] : best;
        for (int i = 0; i < depth; i++) {
            const i64 scaled = integer_multiply(from[i] - best, m, t, rounding);
            const i32 at = integer_clamp(scaled + 32767, -32768, 32767);
            to[i] = integer_interpolate_at((i16)at, exp_table);
            sum += to[i];
        }
        const int headroom = __builtin_clz((u32)sum);
        const i64 normal = (((i64)sum << (headroom - 1)) + (1 << 13)) >> 14;
        const i32 v = integer_clamp(normal - ((1 << 15) + (1 << 16)), -32768, 32767);
        const i32 inverse = integer_interpolate_at((i16)v, reciprocal_table);
        const int right = 31 - headroom;
        for (int i = 0; i < depth; i++)
            to[i] = (i16)integer_clamp(((i64)to[i] * inverse + (1 << (right - 1))) >> right, 0,
                                       32767);
    }
}
#endif
