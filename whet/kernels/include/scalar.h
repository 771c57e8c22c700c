/* Scalar functions of the elementwise ops that C has no operator for, one for each type.
 *
 * min and max give NaN where either operand is NaN, as NumPy and ONNX do. sign(NaN) is NaN.
 * Shifts by the width or more give 0 (or the sign, for a signed right shift).
 */
#ifndef WHET_SCALAR_H
#define WHET_SCALAR_H
#include "math.h"

#define WHET_SCALAR_FLOAT(T, C) \
    WHET_INLINE C min_##T(C a, C b) { return a < b || a != a ? a : b; } \
    WHET_INLINE C max_##T(C a, C b) { return a > b || a != a ? a : b; } \
    WHET_INLINE C sign_##T(C a) { return a != a ? a : (C)((a > 0) - (a < 0)); } \
    WHET_INLINE int is_nan_##T(C a) { return a != a; } \
    WHET_INLINE int is_inf_##T(C a) { return a - a != 0 && a == a; }
WHET_SCALAR_FLOAT(f32, float)
WHET_SCALAR_FLOAT(f64, double)

#define WHET_SCALAR_INTEGER(T, BITS) \
    WHET_INLINE T min_##T(T a, T b) { return a < b ? a : b; } \
    WHET_INLINE T max_##T(T a, T b) { return a > b ? a : b; } \
    WHET_INLINE T sign_##T(T a) { return (T)((a > 0) - (a < 0)); } \
    WHET_INLINE T shift_left_##T(T a, T n) { return (u64)n >= BITS ? 0 : (T)((u64)a << n); } \
    WHET_INLINE T shift_right_##T(T a, T n) \
    { \
        return (u64)n < BITS ? (T)(a >> n) : a < 0 ? (T)-1 : 0; \
    }
WHET_SCALAR_INTEGER(i8, 8)
WHET_SCALAR_INTEGER(i16, 16)
WHET_SCALAR_INTEGER(i32, 32)
WHET_SCALAR_INTEGER(i64, 64)
WHET_SCALAR_INTEGER(u8, 8)
WHET_SCALAR_INTEGER(u16, 16)
WHET_SCALAR_INTEGER(u32, 32)
WHET_SCALAR_INTEGER(u64, 64)

/* Division of sizes, toward minus infinity; b > 0. */
WHET_INLINE i64 floordiv_i64(i64 a, i64 b)
{
    return a / b - (a % b < 0);
}

WHET_INLINE double sigmoid_f64(double x)
{
    const double e = math_exp_f64(x < 0 ? x : -x);
    return (x < 0 ? e : 1.0) / (1.0 + e);
}
WHET_INLINE float sigmoid_f32(float x) { return (float)sigmoid_f64(x); }

WHET_INLINE double gelu_f64(double x)
{
    return 0.5 * x * (1.0 + math_erf_f64(x * 0x1.6a09e667f3bcdp-1));
}
WHET_INLINE float gelu_f32(float x) { return (float)gelu_f64(x); }

/* Float to integer toward zero; out of range wraps through i64 and NaN gives its least value. */
WHET_INLINE i64 to_i64_f64(double x)
{
    return x >= -0x1p63 && x < 0x1p63 ? (i64)x : INT64_MIN;
}
WHET_INLINE u64 to_u64_f64(double x)
{
    return x >= 0x1p63 && x < 0x1p64 ? (u64)(x - 0x1p63) + ((u64)1 << 63) : (u64)to_i64_f64(x);
}
#endif
