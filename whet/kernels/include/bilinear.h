/* Bilinear resizing of float images [batch][in_h][in_w][channels], TensorFlow's positions.
 *
 * Tables give for each output row (column) its two source rows and the fraction from the first.
 * Rows begin <= row < end of all batch * out_h are made. Source: TensorFlow Lite RESIZE_BILINEAR.
 */
#ifndef WHET_BILINEAR_H
#define WHET_BILINEAR_H
#include "types.h"

WHET_INLINE void bilinear_f32(const int in_h, const int in_w, const int channels,
                              const int out_h, const int out_w, const f32 *x, const i32 *y0,
                              const i32 *y1, const f32 *fy, const i32 *x0, const i32 *x1,
                              const f32 *fx, f32 *y, const int begin, const int end)
{
    for (int row = begin; row < end; row++) {
        const f32 *image = x + (long)(row / out_h) * in_h * in_w * channels;
        const f32 down = fy[row % out_h], up = 1.0f - down;
        const f32 *upper = image + (long)y0[row % out_h] * in_w * channels;
        const f32 *lower = image + (long)y1[row % out_h] * in_w * channels;
        for (int j = 0; j < out_w; j++) {
            const f32 right = fx[j], left = 1.0f - right;
            const long a = (long)x0[j] * channels, b = (long)x1[j] * channels;
            f32 *out = y + ((long)row * out_w + j) * channels;
            for (int c = 0; c < channels; c++) {
                const f32 top = upper[a + c] * left + upper[b + c] * right;
                const f32 bottom = lower[a + c] * left + lower[b + c] * right;
                out[c] = top * up + bottom * down;
            }
        }
    }
}
#endif
