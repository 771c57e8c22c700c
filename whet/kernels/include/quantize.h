/* Reals to codes and back, one scale and zero point for all: loops that vectorise. */
#ifndef WHET_QUANTIZE_H
#define WHET_QUANTIZE_H
#include "types.h"

/* x / scale, rounded as a division is and then to the nearest of `least` to `most`, ties to even;
 * in the low bits of what is returned, as of a sum with 1.5 * 2^23. NaN counts as 0; least and most
 * are integers below 2^17. Where products are exact inside a sum, two corrections of an
 * approximation are fewer cycles than a division. */
WHET_INLINE i32 quantize_steps(const f32 x, const f32 scale, const f32 least, const f32 most)
{
    const f32 number = x == x ? x : 0.0f;
    f32 v;
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
    if (scale > 1e-18f && scale < 1e18f) {
        /* Beyond the last steps, but nearer to them than to the next. */
        const f32 low = (least - 0.25f) * scale, high = (most + 0.25f) * scale;
        const f32 inverse = 1.0f / scale, below = number < high ? number : high;
        const f32 near = below > low ? below : low, first = near * inverse;
        const f32 second = __builtin_fmaf(__builtin_fmaf(-first, scale, near), inverse, first);
        v = __builtin_fmaf(__builtin_fmaf(-second, scale, near), inverse, second);
    } else
#endif
    {
        v = number / scale;
        v = v < least ? least : v > most ? most : v;
    }
    return (i32)bits_of_f32(v + 12582912.0f);
}

/* Pixels of which each channel is quantised before the channels are brought together. */
enum { QUANTIZE_PIXELS = 256 };

#define QUANTIZE_FAMILY(T) \
    WHET_INLINE void quantize_##T(const long n, const f32 *x, const f32 scale, const i32 zero, \
                                  const i32 low, const i32 high, T *y) \
    { \
        const f32 least = (f32)(low - zero), most = (f32)(high - zero); \
        for (long i = 0; i < n; i++) \
            y[i] = (T)(quantize_steps(x[i], scale, least, most) + zero); \
    } \
    /* The same of n pixels of each of B images of planes, x[B][C][P], as y[B][P][C]; C <= 4. */ \
    WHET_INLINE void quantize_channels_last_##T(const int B, const int C, const long P, \
                                                const long n, const f32 *x, const f32 scale, \
                                                const i32 zero, const i32 low, const i32 high, \
                                                T *y) \
    { \
        T planes[4 * QUANTIZE_PIXELS]; \
        for (long b = 0; b < B; b++) \
            for (long at = 0; at < n; at += QUANTIZE_PIXELS) { \
                const long count = n - at < QUANTIZE_PIXELS ? n - at : QUANTIZE_PIXELS; \
                T *to = y + (b * P + at) * C; \
                for (int c = 0; c < C; c++) \
                    quantize_##T(count, x + (b * C + c) * P + at, scale, zero, low, high, \
                                 planes + c * QUANTIZE_PIXELS); \
                for (long i = 0; i < count; i++) \
                    for (int c = 0; c < C; c++) \
                        to[i * C + c] = planes[c * QUANTIZE_PIXELS + i]; \
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
