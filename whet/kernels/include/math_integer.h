/* Remainders of floats, and integer division, remainder and power that cannot trap. See math.h. */
#ifndef WHET_MATH_INTEGER_H
#define WHET_MATH_INTEGER_H
#include "math_rounding.h"

/* Remainder of x / y with the sign of x (C fmod), exact: long division of the mantissas. */
WHET_INLINE double math_fmod_f64(double x, double y)
{
    const double size = math_abs_f64(x), divisor = math_abs_f64(y);
    if (!(size < MATH_INFINITY) || !(divisor > 0.0))
        return MATH_NAN;
    if (size < divisor)
        return x;
    const u64 hidden = 1ull << 52, fraction = hidden - 1;
    int exponent = (int)(bits_of_f64(size) >> 52), last = (int)(bits_of_f64(divisor) >> 52);
    u64 rest = (bits_of_f64(size) & fraction) | (exponent ? hidden : 0);
    const u64 by = (bits_of_f64(divisor) & fraction) | (last ? hidden : 0);
    exponent += !exponent; /* subnormals scale as the smallest normal exponent does */
    last += !last;
    for (rest %= by; exponent > last && rest; exponent--) {
        rest <<= 1;
        rest -= rest >= by ? by : 0;
    }
    return math_copysign_f64(math_scale_f64((double)rest, last - 1075), x);
}

/* Remainder with the sign of y (Python's %, ONNX Mod). */
WHET_INLINE double math_mod_f64(double x, double y)
{
    const double rest = math_fmod_f64(x, y);
    if (rest == 0.0)
        return math_copysign_f64(0.0, y);
    return (rest < 0.0) == (y < 0.0) ? rest : rest + y;
}

/* Integers: math_div_T truncates toward zero (C, ONNX Div); math_fmod_T has the sign of a (C);
 * math_mod_T the sign of b (Python, ONNX Mod). Division by zero gives 0 and the most negative
 * number divided by -1 wraps. math_pow_T wraps; a negative exponent truncates 1 / a^n. */
#define MATH_INTEGER_FAMILY(T, is_signed) \
    WHET_INLINE T math_div_##T(T a, T b) \
    { \
        if (b == 0) \
            return 0; \
        if (is_signed && b == (T)-1) \
            return (T)((sum_##T)0 - (sum_##T)a); \
        return (T)(a / b); \
    } \
    WHET_INLINE T math_fmod_##T(T a, T b) \
    { \
        if (b == 0 || (is_signed && b == (T)-1)) \
            return 0; \
        return (T)(a % b); \
    } \
    WHET_INLINE T math_mod_##T(T a, T b) \
    { \
        const T rest = math_fmod_##T(a, b); \
        return is_signed && rest != 0 && (rest < 0) != (b < 0) ? (T)(rest + b) : rest; \
    } \
    WHET_INLINE T math_pow_##T(T a, T n) \
    { \
        if (is_signed && n < 0) \
            return a == 1 ? 1 : a == (T)-1 ? (T)(n & 1 ? -1 : 1) : 0; \
        sum_##T power = (sum_##T)a, out = 1; \
        for (u64 left = (u64)n; left; left >>= 1) { \
            out *= left & 1 ? power : 1; \
            power *= power; \
        } \
        return (T)out; \
    }
MATH_INTEGER_FAMILY(i8, 1)
MATH_INTEGER_FAMILY(i16, 1)
MATH_INTEGER_FAMILY(i32, 1)
MATH_INTEGER_FAMILY(i64, 1)
MATH_INTEGER_FAMILY(u8, 0)
MATH_INTEGER_FAMILY(u16, 0)
MATH_INTEGER_FAMILY(u32, 0)
MATH_INTEGER_FAMILY(u64, 0)

#endif
