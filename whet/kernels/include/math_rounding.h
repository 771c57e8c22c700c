/* Sign, rounding to integers, scaling and square root of doubles and floats, without libm. */
#ifndef WHET_MATH_ROUNDING_H
#define WHET_MATH_ROUNDING_H
#include "types.h"

#define MATH_NAN __builtin_nan("")
#define MATH_INFINITY __builtin_inf()

/* Polynomial c[0] + c[1] x + ... + c[n-1] x^(n-1), by Horner's rule. */
WHET_INLINE double math_polynomial(const double *c, const int n, double x)
{
    double sum = c[n - 1];
    for (int i = n - 2; i >= 0; i--)
        sum = sum * x + c[i];
    return sum;
}

WHET_INLINE double math_abs_f64(double x) { return f64_of_bits(bits_of_f64(x) << 1 >> 1); }

WHET_INLINE float math_abs_f32(float x) { return f32_of_bits(bits_of_f32(x) << 1 >> 1); }

WHET_INLINE double math_copysign_f64(double x, double sign)
{
    const u64 mask = 1ull << 63;
    return f64_of_bits((bits_of_f64(x) & ~mask) | (bits_of_f64(sign) & mask));
}

WHET_INLINE float math_copysign_f32(float x, float sign)
{
    const u32 mask = 1u << 31;
    return f32_of_bits((bits_of_f32(x) & ~mask) | (bits_of_f32(sign) & mask));
}

/* Rounding to integers. The builtins are used only where they are one instruction. */
#if defined(__SSE4_1__) || defined(__aarch64__) || defined(__wasm__)
WHET_INLINE double math_trunc_f64(double x) { return __builtin_trunc(x); }
WHET_INLINE double math_floor_f64(double x) { return __builtin_floor(x); }
WHET_INLINE double math_ceil_f64(double x) { return __builtin_ceil(x); }
WHET_INLINE float math_trunc_f32(float x) { return __builtin_truncf(x); }
WHET_INLINE float math_floor_f32(float x) { return __builtin_floorf(x); }
WHET_INLINE float math_ceil_f32(float x) { return __builtin_ceilf(x); }
#else
WHET_INLINE double math_trunc_f64(double x)
{
    if (!(math_abs_f64(x) < 0x1p52))
        return x;
    return math_copysign_f64((double)(i64)x, x);
}

WHET_INLINE double math_floor_f64(double x)
{
    const double whole = math_trunc_f64(x);
    return whole > x ? whole - 1.0 : whole;
}

WHET_INLINE double math_ceil_f64(double x)
{
    const double whole = math_trunc_f64(x);
    return whole < x ? math_copysign_f64(whole + 1.0, x) : whole;
}

WHET_INLINE float math_trunc_f32(float x)
{
    if (!(math_abs_f32(x) < 0x1p23f))
        return x;
    return math_copysign_f32((float)(i32)x, x);
}

WHET_INLINE float math_floor_f32(float x)
{
    const float whole = math_trunc_f32(x);
    return whole > x ? whole - 1.0f : whole;
}

WHET_INLINE float math_ceil_f32(float x)
{
    const float whole = math_trunc_f32(x);
    return whole < x ? math_copysign_f32(whole + 1.0f, x) : whole;
}
#endif

/* To the nearest integer, ties to even: adding 2^52 (2^23) leaves no room for a fraction. */
WHET_INLINE double math_round_f64(double x)
{
    const double size = math_abs_f64(x);
    if (!(size < 0x1p52))
        return x;
    return math_copysign_f64((size + 0x1p52) - 0x1p52, x);
}

WHET_INLINE float math_round_f32(float x)
{
    const float size = math_abs_f32(x);
    if (!(size < 0x1p23f))
        return x;
    return math_copysign_f32((size + 0x1p23f) - 0x1p23f, x);
}

/* x * 2^k for any int k, rounded once even where the result is subnormal. */
WHET_INLINE double math_scale_f64(double x, int k)
{
    if (k > 1023) {
        x *= 0x1p1023;
        k = k - 1023 > 1023 ? 1023 : k - 1023;
    } else if (k < -1022) {
        x *= 0x1p-969; /* stays normal here: callers pass x of normal size */
        k = k + 969 < -1022 ? -1022 : k + 969;
    }
    return x * f64_of_bits((u64)(k + 1023) << 52);
}

/* Square root, correctly rounded: one instruction, or bit by bit where there is none. */
#if defined(__arm__) && !(defined(__ARM_FP) && (__ARM_FP & 8)) && !defined(WHET_SOFTWARE_SQRT)
#define WHET_SOFTWARE_SQRT
#endif
#ifdef WHET_SOFTWARE_SQRT
WHET_INLINE double math_sqrt_f64(double x)
{
    if (!(x > 0.0) || x == MATH_INFINITY)
        return x < 0.0 ? MATH_NAN : x;
    int exponent = 0;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        exponent = -27;
    }
    const int biased = (int)(bits_of_f64(x) >> 52) - 1023;
    u64 rest = (bits_of_f64(x) & ((1ull << 52) - 1)) | 1ull << 52;
    rest <<= 1 + (biased & 1); /* x = rest * 2^(biased - odd - 53), an even power */
    exponent += (biased - (biased & 1)) / 2;
    u64 root = 0, tried = 0;
    for (u64 bit = 1ull << 53; bit; bit >>= 1) {
        if (tried + bit <= rest) {
            tried += bit << 1;
            rest -= tried - bit;
            root += bit;
        }
        rest <<= 1;
    }
    root += rest && (root & 1); /* 54 bits: the last one rounds */
    return math_scale_f64((double)(root >> 1) * 0x1p-52, exponent);
}

WHET_INLINE float math_sqrt_f32(float x)
{
#if defined(__ARM_FP) && defined(__clang__)
    return __builtin_elementwise_sqrt(x);
#elif defined(__ARM_FP)
    return __builtin_sqrtf(x);
#else
    return (float)math_sqrt_f64(x);
#endif
}
#elif defined(__clang__)
/* The elementwise builtins never set errno, so no library call can appear. */
WHET_INLINE double math_sqrt_f64(double x) { return __builtin_elementwise_sqrt(x); }
WHET_INLINE float math_sqrt_f32(float x) { return __builtin_elementwise_sqrt(x); }
#else
WHET_INLINE double math_sqrt_f64(double x) { return __builtin_sqrt(x); }
WHET_INLINE float math_sqrt_f32(float x) { return __builtin_sqrtf(x); }
#endif

#endif
