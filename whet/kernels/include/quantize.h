/* Reals to codes and back, one scale and zero point for all: loops that vectorise. */
#ifndef WHET_QUANTIZE_H
#define WHET_QUANTIZE_H
#include "types.h"

/* x / scale, rounded as a division is: where products are exact inside a sum, two corrections of an
 * approximation are fewer cycles. Quotients beyond 2^17 may differ, all saturate. */
WHET_INLINE f32 quantize_quotient(const f32 x, const f32 scale)
{
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
    if (scale > 1e-18f && scale < 1e18f) {
        const f32 far = scale * 131072.0f, inverse = 1.0f / scale;
        const f32 near = x < -far ? -far : x > far ? far : x;
        const f32 first = near * inverse;
        const f32 second = __builtin_fmaf(__builtin_fmaf(-first, scale, near), inverse, first);
        return __builtin_fmaf(__builtin_fmaf(-second, scale, near), inverse, second);
    }
#endif
    return x / scale;
}

/* Adding and subtracting 1.5 * 2^23 rounds a float below 2^22 to the nearest integer, ties to even;
 * the codes that survive the clamp are all below that. NaN counts as 0. */
#define QUANTIZE_FAMILY(T) \
    WHET_INLINE void quantize_##T(const long n, const f32 *x, const f32 scale, const i32 zero, \
                                  const i32 low, const i32 high, T *y) \
    { \
        const f32 least = (f32)(low - zero), most = (f32)(high - zero); \
        for (long i = 0; i < n; i++) { \
            f32 v = quantize_quotient(x[i], scale); \
            v = v != v ? 0.0f : v; \
            v = v < least ? least : v > most ? most : v; \
            v = (v + 12582912.0f) - 12582912.0f; \
            y[i] = (T)((i32)v + zero); \
        } \
    } \
    WHET_INLINE void dequantize_##T(const long n, const T *x, const f32 scale, const i32 zero, \
                                    f32 *y) \
    { \
        for (long i = 0; i < n; i++) \
            y[i] = (f32)(x[i] - zero) * scale; \
    } \
    /* The same scale, another zero point: codes move by `shift`. */ \
    WHET_INLINE void rebase_i8_##T(const long n, const i8 *x, const i32 shift, T *y) \
    { \
        for (long i = 0; i < n; i++) \
            y[i] = (T)(x[i] + shift); \
    } \
    WHET_INLINE void rebase_u8_##T(const long n, const u8 *x, const i32 shift, T *y) \
    { \
        for (long i = 0; i < n; i++) \
            y[i] = (T)(x[i] + shift); \
    }
QUANTIZE_FAMILY(i8)
QUANTIZE_FAMILY(u8)
QUANTIZE_FAMILY(i16)

WHET_INLINE void dequantize_i32(const long n, const i32 *x, const f32 scale, const i32 zero,
                                f32 *y)
{
    for (long i = 0; i < n; i++)
        y[i] = (f32)((i64)x[i] - zero) * scale;
}
#endif
