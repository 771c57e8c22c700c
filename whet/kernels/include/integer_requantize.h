/* Requantisation and element access shared by the integer kernels, portable scalar C.
 *
 * Every `rounding` argument is WHET_SINGLE or WHET_DOUBLE. A multiplier is (m, t), m * 2^-t, with m
 * in [2^30, 2^31) or 0 and t in 1..62; the bits are those of whet/ops/integer/requantize.py.
 */
#ifndef WHET_INTEGER_REQUANTIZE_H
#define WHET_INTEGER_REQUANTIZE_H
#include "types.h"

enum { WHET_SINGLE = 0, WHET_DOUBLE = 1 };

/* Storage type of a tensor argument, always a literal. */
enum { INTEGER_I8, INTEGER_U8, INTEGER_I16, INTEGER_I32 };

WHET_INLINE i32 integer_load(const void *x, const long i, const int type)
{
    switch (type) {
    case INTEGER_I8: return ((const i8 *)x)[i];
    case INTEGER_U8: return ((const u8 *)x)[i];
    case INTEGER_I16: return ((const i16 *)x)[i];
    default: return ((const i32 *)x)[i];
    }
}

WHET_INLINE void integer_store(void *y, const long i, const i32 value, const int type)
{
    switch (type) {
    case INTEGER_I8: ((i8 *)y)[i] = (i8)value; break;
    case INTEGER_U8: ((u8 *)y)[i] = (u8)value; break;
    case INTEGER_I16: ((i16 *)y)[i] = (i16)value; break;
    default: ((i32 *)y)[i] = value; break;
    }
}

WHET_INLINE i32 integer_clamp(const i64 x, const i32 low, const i32 high)
{
    return x < low ? low : x > high ? high : (i32)x;
}

/* x * 2^by modulo 2^32. */
WHET_INLINE i32 integer_shift_left(const i32 x, const int by) { return (i32)((u32)x << by); }

/* (2 * a * b) >> 32 to nearest, ties up: the product of two Q0.31 numbers. */
WHET_INLINE i32 integer_mul_high(const i32 a, const i32 b)
{
    return (i32)(((i64)a * b + (1 << 30)) >> 31);
}

/* x / 2^exponent to nearest, ties away from zero; exponent in 0..31. */
WHET_INLINE i32 integer_divide_by_power(const i32 x, const int exponent)
{
    const u32 mask = ((u32)1 << exponent) - 1;
    const u32 remainder = (u32)x & mask;
    return (x >> exponent) + (remainder > (mask >> 1) + (x < 0));
}

/* x * m * 2^-t, with one rounding or with two. */
WHET_INLINE i64 integer_multiply(const i32 x, const i32 m, const int t, const int rounding)
{
    if (rounding == WHET_SINGLE)
        return ((i64)x * m + ((i64)1 << (t - 1))) >> t;
    const int left = t < 31 ? 31 - t : 0;
    const int right = t > 31 ? t - 31 : 0;
    return integer_divide_by_power(integer_mul_high(integer_shift_left(x, left), m), right);
}

/* clamp(zero + x * m * 2^-t), zero of up to 16 bits. */
WHET_INLINE i32 integer_scaled(const i32 x, const i32 m, const int t, const i32 zero,
                               const i32 low, const i32 high, const int rounding)
{
    if (t < 33)
        return integer_clamp(integer_multiply(x, m, t, rounding) + zero, low, high);
    /* The high half of the product is enough, and all that follows fits 32 bits. */
    const i32 scaled = rounding == WHET_SINGLE
        ? ((i32)((i64)x * m >> 32) + (1 << (t - 33))) >> (t - 32)
        : (i32)integer_multiply(x, m, t, rounding);
    const i32 y = scaled + zero;
    return y < low ? low : y > high ? high : y;
}

/* x * m * 2^-t for x of up to 48 bits, the significand cut to 15 bits; t in 17..62. */
WHET_INLINE i32 integer_multiply_wide(const i64 x, const i32 m, const int t)
{
    const i32 reduced = m < 0x7fff0000 ? (m + (1 << 15)) >> 16 : 0x7fff;
    return (i32)((x * reduced + ((i64)1 << (t - 17))) >> (t - 16));
}

/* clamp(zero + acc * m * 2^-t); a `wide` accumulator has 64 bits, another one its low 32. */
WHET_INLINE i32 integer_requantize(const i64 acc, const i32 m, const int t, const i32 zero,
                                   const i32 low, const i32 high, const int wide,
                                   const int rounding)
{
    const i64 y = wide ? integer_multiply_wide(acc, m, t)
                       : integer_multiply((i32)acc, m, t, rounding);
    return integer_clamp(y + zero, low, high);
}
#endif
