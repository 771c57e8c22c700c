/* Bilinear resizing of images [batch][in_h][in_w][channels], TensorFlow's positions.
 *
 *   void bilinear_T(in_h, in_w, channels, out_h, out_w, x, y0, y1, fy, x0, x1, fx, rounding, y,
 *                   begin, end)                             T is f32, i8 or u8
 *
 * Tables give for each output row (column) its two source rows and the fraction from the first, of
 * codes in 1/1024. Rows begin <= row < end of all batch * out_h are made. Source rows are resized
 * across, by runs of columns, and kept for all output rows between them. The codes are those of
 * whet/ops/integer/resize.py wherever 32 bits hold the sums, which kernels/bilinear.py proves;
 * rounding, of codes only, is WHET_SINGLE, ties up, or WHET_DOUBLE, ties away from zero.
 * Source: TensorFlow Lite RESIZE_BILINEAR.
 */
#ifndef WHET_BILINEAR_H
#define WHET_BILINEAR_H
#include "integer_requantize.h"

/* Elements of a run. */
#if defined(__thumb__)
enum { BILINEAR_RUN = 64 };
#else
enum { BILINEAR_RUN = 2048 };
#endif

WHET_INLINE void bilinear_down_f32(const int n, const f32 *upper, const f32 *lower, const f32 down,
                                   const int rounding, f32 *y)
{
    const f32 up = 1.0f - down;
    (void)rounding;
    for (int i = 0; i < n; i++)
        y[i] = upper[i] * up + lower[i] * down;
}

#define BILINEAR_DOWN(T) \
    WHET_INLINE void bilinear_down_##T(const int n, const i32 *upper, const i32 *lower, \
                                       const i32 down, const int rounding, T *y) \
    { \
        for (int i = 0; i < n; i++) { \
            const i32 sum = upper[i] * 1024 + (lower[i] - upper[i]) * down; \
            const i32 half = (1 << 19) - (rounding == WHET_DOUBLE && sum < 0); \
            y[i] = (T)((sum + half) >> 20); \
        } \
    }
BILINEAR_DOWN(i8)
BILINEAR_DOWN(u8)

/* W is the type of fractions and of what rows are resized to, ONE its unit. `row` is the first
 * source pixel of a row, at the first of `width` channels. */
#define BILINEAR_FAMILY(T, W, ONE) \
    WHET_INLINE void bilinear_across_##T(const int pixels, const int channels, const int width, \
                                         const T *row, const i32 *x0, const i32 *x1, const W *fx, \
                                         W *made) \
    { \
        for (int j = 0; j < pixels; j++) { \
            const T *a = row + (long)x0[j] * channels, *b = row + (long)x1[j] * channels; \
            const W right = fx[j], left = (ONE) - right; \
            for (int c = 0; c < width; c++) \
                made[j * width + c] = a[c] * left + b[c] * right; \
        } \
    } \
    /* Channels [c, c + width) of columns [j, j + pixels): one run, as either is all there are. */ \
    WHET_INLINE void bilinear_run_##T(const int in_h, const int in_w, const int channels, \
                                      const int out_h, const int out_w, const T *x, \
                                      const i32 *y0, const i32 *y1, const W *fy, const i32 *x0, \
                                      const i32 *x1, const W *fx, const int rounding, T *y, \
                                      const int begin, const int end, const int j, \
                                      const int pixels, const int c, const int width) \
    { \
        W room[2][BILINEAR_RUN], *upper = room[0], *lower = room[1]; \
        long above = -1, below = -1; \
        for (int row = begin; row < end; row++) { \
            const int i = row % out_h; \
            const long first = (long)(row / out_h) * in_h; \
            if (above != first + y0[i]) { \
                const long was = above; \
                W *const other = upper; \
                upper = lower; \
                lower = other; \
                above = below; \
                below = was; \
            } \
            if (above != first + y0[i]) { \
                above = first + y0[i]; \
                bilinear_across_##T(pixels, channels, width, x + above * in_w * channels + c, \
                                    x0 + j, x1 + j, fx + j, upper); \
            } \
            if (below != first + y1[i]) { \
                below = first + y1[i]; \
                bilinear_across_##T(pixels, channels, width, x + below * in_w * channels + c, \
                                    x0 + j, x1 + j, fx + j, lower); \
            } \
            bilinear_down_##T(pixels * width, upper, lower, fy[i], rounding, \
                              y + ((long)row * out_w + j) * channels + c); \
        } \
    } \
    WHET_INLINE void bilinear_##T(const int in_h, const int in_w, const int channels, \
                                  const int out_h, const int out_w, const T *x, const i32 *y0, \
                                  const i32 *y1, const W *fy, const i32 *x0, const i32 *x1, \
                                  const W *fx, const int rounding, T *y, const int begin, \
                                  const int end) \
    { \
        const int width = channels < BILINEAR_RUN ? channels : BILINEAR_RUN; \
        const int pixels = BILINEAR_RUN / width; \
        for (int j = 0; j < out_w; j += pixels) \
            for (int c = 0; c < channels; c += width) { \
                const int columns = out_w - j < pixels ? out_w - j : pixels; \
                const int rest = channels - c < width ? channels - c : width; \
                bilinear_run_##T(in_h, in_w, channels, out_h, out_w, x, y0, y1, fy, x0, x1, fx, \
                                 rounding, y, begin, end, j, columns, c, rest); \
            } \
    }
BILINEAR_FAMILY(f32, f32, 1.0f)
BILINEAR_FAMILY(i8, i32, 1024)
BILINEAR_FAMILY(u8, i32, 1024)

#endif
