/* ONNX Cast between element types, one element at a time: y = cast_i8_of_f32(x).
 *
 * Every pair of f64 f32 f16 bf16 i8 i16 i32 i64 u8 u16 u32 u64 has cast_DST_of_SRC, every source
 * cast_bool_of_SRC (0 or 1). Float to float rounds to nearest even; integers to integers keep the
 * low bits; float to integer truncates and, where ONNX leaves the result undefined, saturates (NaN
 * gives 0) so that every target agrees. bf16 is reached through float, as ml_dtypes does.
 * The small formats convert from and to f32 only:
 *   cast_f8e4m3fn_of_f32(x, saturate)  f8e4m3fnuz  f8e5m2  f8e5m2fnuz   -> u8 code
 *   cast_f8e8m0_of_f32(x, saturate, mode)  cast_f4e2m1_of_f32(x)        -> u8 code
 *   cast_f32_of_f8e4m3fn(code) and so on                                <- u8 code
 *   cast_i4_of_i32(x)  u4  i2  u2: the low bits, held in one byte
 * Sources: ONNX Cast-25; OCP 8-bit floating point and microscaling (MX) specifications.
 */
#ifndef WHET_CONVERT_H
#define WHET_CONVERT_H
#include "types.h"

/* float nearest x, except that an inexact result gets an odd last bit: rounding it again to at most
 * 22 bits gives what rounding x once would (Boldo and Melquiond 2008). */
WHET_INLINE float f32_odd_of_f64(double x)
{
    const float nearest = (float)x;
    const double error = x - (double)nearest;
    const u32 bits = bits_of_f32(nearest);
    if (!(error < 0.0 || error > 0.0) || (bits & 1u) || (bits & 0x7fffffffu) == 0x7f800000u)
        return nearest;
    const int toward_larger = (error > 0.0) == !(bits >> 31);
    if ((bits & 0x7fffffffu) == 0)
        return f32_of_bits(bits | 1u);
    return f32_of_bits(toward_larger ? bits + 1u : bits - 1u);
}

#define CAST_FLOAT(T, S) \
    WHET_INLINE T cast_##T##_of_##S(S x) { return narrow_##T((wide_##T)widen_##S(x)); }
#define CAST_INTEGER(T, S) \
    WHET_INLINE T cast_##T##_of_##S(S x) { return (T)x; }
#define CAST_TRUNCATE(T, S) \
    WHET_INLINE T cast_##T##_of_##S(S element) \
    { \
        const wide_##S x = widen_##S(element); \
        if (!(x > (wide_##S)lowest_##T())) \
            return x != x ? (T)0 : (T)lowest_##T(); \
        return x >= (wide_##S)highest_##T() ? (T)highest_##T() : (T)x; \
    }
#define CAST_BOOL(S) \
    WHET_INLINE u8 cast_bool_of_##S(S x) { return widen_##S(x) != 0; }
#define CAST_FROM_INTEGERS(CAST, T) \
    CAST(T, i8) CAST(T, i16) CAST(T, i32) CAST(T, i64) CAST(T, u8) CAST(T, u16) CAST(T, u32) \
    CAST(T, u64)
#define CAST_FROM_FLOATS(CAST, T) CAST(T, f32) CAST(T, f16) CAST(T, bf16)
#define CAST_TO_FLOAT(T) CAST_FROM_INTEGERS(CAST_FLOAT, T) CAST_FROM_FLOATS(CAST_FLOAT, T)
#define CAST_TO_INTEGER(T) \
    CAST_FROM_INTEGERS(CAST_INTEGER, T) CAST_FROM_FLOATS(CAST_TRUNCATE, T) CAST_TRUNCATE(T, f64)

WHET_FOR_FLOATS(CAST_TO_FLOAT)
WHET_FOR_INTEGERS(CAST_TO_INTEGER)
WHET_FOR_NUMBERS(CAST_BOOL)
CAST_FLOAT(f64, f64)
CAST_FLOAT(f32, f64)
CAST_FLOAT(bf16, f64)
WHET_INLINE f16 cast_f16_of_f64(double x) { return narrow_f16(f32_odd_of_f64(x)); }

/* |x| in a format of `mantissa` bits after the point and exponent bias `bias`, to nearest even, as
 * its code without sign; codes run on past the format's largest. x is not NaN. */
WHET_INLINE u32 minifloat_code(float x, const int mantissa, const int bias)
{
    const u32 rest = bits_of_f32(x) & 0x7fffffffu;
    if (rest < (u32)(128 - bias) << 23) { /* subnormal: adding 2^23 leaves the rounded multiple */
        const float scale = f32_of_bits((u32)(127 + bias - 1 + mantissa) << 23);
        return (u32)(i32)((f32_of_bits(rest) * scale + 0x1p23f) - 0x1p23f);
    }
    const int shift = 23 - mantissa;
    const u32 rounded = (rest + (1u << (shift - 1)) - 1u + (rest >> shift & 1u)) >> shift;
    return rounded - ((u32)(127 - bias) << mantissa);
}

/* The value of a code without sign of such a format. */
WHET_INLINE float minifloat_value(u32 code, const int mantissa, const int bias)
{
    if (code >> mantissa == 0)
        return (float)(i32)code * f32_of_bits((u32)(127 + 1 - bias - mantissa) << 23);
    return f32_of_bits((code << (23 - mantissa)) + ((u32)(127 - bias) << 23));
}

/* Formats with infinities or signed NaN: largest finite code, code past it, NaN code. */
WHET_INLINE u8 f8_signed_code(float x, const int saturate, const int mantissa, const int bias,
                              const u32 largest, const u32 overflow, const u32 not_a_number)
{
    const u32 sign = bits_of_f32(x) >> 24 & 0x80u;
    if (x != x)
        return (u8)(sign | not_a_number);
    const u32 code = minifloat_code(x, mantissa, bias);
    return (u8)(sign | (code <= largest ? code : saturate ? largest : overflow));
}

/* Formats without infinities and negative zero, whose one NaN is 0x80. */
WHET_INLINE u8 f8_unsigned_zero_code(float x, const int saturate, const int mantissa,
                                     const int bias)
{
    const u32 sign = bits_of_f32(x) >> 24 & 0x80u;
    if (x != x)
        return 0x80u;
    const u32 code = minifloat_code(x, mantissa, bias);
    if (code > 0x7fu)
        return saturate ? (u8)(sign | 0x7fu) : 0x80u;
    return code ? (u8)(sign | code) : 0;
}

WHET_INLINE u8 cast_f8e4m3fn_of_f32(float x, const int saturate)
{
    return f8_signed_code(x, saturate, 3, 7, 0x7e, 0x7f, 0x7f);
}

WHET_INLINE u8 cast_f8e5m2_of_f32(float x, const int saturate)
{
    return f8_signed_code(x, saturate, 2, 15, 0x7b, 0x7c, 0x7e);
}

WHET_INLINE u8 cast_f8e4m3fnuz_of_f32(float x, const int saturate)
{
    return f8_unsigned_zero_code(x, saturate, 3, 8);
}

WHET_INLINE u8 cast_f8e5m2fnuz_of_f32(float x, const int saturate)
{
    return f8_unsigned_zero_code(x, saturate, 2, 16);
}

WHET_INLINE float cast_f32_of_f8e4m3fn(u8 code)
{
    const u32 rest = code & 0x7fu;
    const float size = rest == 0x7fu ? WHET_NAN : minifloat_value(rest, 3, 7);
    return code >> 7 ? -size : size;
}

WHET_INLINE float cast_f32_of_f8e5m2(u8 code)
{
    const f16 half = {(u16)(code << 8)};
    return widen_f16(half);
}

WHET_INLINE float cast_f32_of_f8e4m3fnuz(u8 code)
{
    const float size = code == 0x80u ? WHET_NAN : minifloat_value(code & 0x7fu, 3, 8);
    return code >> 7 ? -size : size;
}

WHET_INLINE float cast_f32_of_f8e5m2fnuz(u8 code)
{
    const float size = code == 0x80u ? WHET_NAN : minifloat_value(code & 0x7fu, 2, 16);
    return code >> 7 ? -size : size;
}

/* f8e8m0 is the exponent of a float; its sign is ignored. Infinity and NaN give NaN (0xff). */
enum { F8E8M0_UP, F8E8M0_DOWN, F8E8M0_NEAREST };

WHET_INLINE u8 cast_f8e8m0_of_f32(float x, const int saturate, const int mode)
{
    const u32 bits = bits_of_f32(x), exponent = bits >> 23 & 0xffu, fraction = bits & 0x7fffffu;
    if (exponent == 0xffu)
        return 0xffu;
    int up = 0;
    if (mode == F8E8M0_UP)
        up = fraction != 0;
    else if (mode == F8E8M0_NEAREST)
        up = fraction > 0x400000u || (fraction == 0x400000u && exponent > 0);
    return (u8)(exponent + (u32)(up && !(saturate && exponent == 0xfeu)));
}

WHET_INLINE float cast_f32_of_f8e8m0(u8 code)
{
    if (code == 0xffu)
        return WHET_NAN;
    return f32_of_bits(code ? (u32)code << 23 : 0x400000u);
}

/* f4e2m1 always saturates, at 6; NaN, which it lacks, becomes a zero of the other sign, as in
 * ml_dtypes. */
WHET_INLINE u8 cast_f4e2m1_of_f32(float x)
{
    const u32 sign = bits_of_f32(x) >> 28 & 8u;
    if (x != x)
        return (u8)(sign ^ 8u);
    const u32 code = minifloat_code(x, 1, 1);
    return (u8)(sign | (code < 7u ? code : 7u));
}

WHET_INLINE float cast_f32_of_f4e2m1(u8 code)
{
    const float size = minifloat_value(code & 7u, 1, 1);
    return code & 8u ? -size : size;
}

WHET_INLINE i8 cast_i4_of_i32(i32 x) { return (i8)((x & 15) - ((x & 8) << 1)); }

WHET_INLINE u8 cast_u4_of_i32(i32 x) { return (u8)(x & 15); }

WHET_INLINE i8 cast_i2_of_i32(i32 x) { return (i8)((x & 3) - ((x & 2) << 1)); }

WHET_INLINE u8 cast_u2_of_i32(i32 x) { return (u8)(x & 3); }

#endif
