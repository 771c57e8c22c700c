/* Resizing of images, portable scalar C: the bits of whet/ops/integer/resize.py.
 *
 * Positions are compile-time tables: for each output row (column) the two source rows and the
 * fraction in 1/1024 from the first.
 */
#ifndef WHET_INTEGER_RESIZE_H
#define WHET_INTEGER_RESIZE_H
#include "integer_requantize.h"

WHET_INLINE void integer_resize_bilinear(const int batch, const int in_h, const int in_w,
                                         const int channels, const int out_h, const int out_w,
                                         const int type, const void *x, const i32 *y0,
                                         const i32 *y1, const i32 *fy, const i32 *x0,
                                         const i32 *x1, const i32 *fx, const int rounding, void *y)
{
    for (int n = 0; n < batch; n++)
        for (int p = 0; p < out_h * out_w; p++)
            for (int c = 0; c < channels; c++) {
                const int i = p / out_w, j = p % out_w;
                const long upper = ((long)n * in_h + y0[i]) * in_w;
                const long lower = ((long)n * in_h + y1[i]) * in_w;
                const i64 right = fx[j], left = 1024 - right, down = fy[i], up = 1024 - down;
                const i64 top = integer_load(x, (upper + x0[j]) * channels + c, type) * left
                                + integer_load(x, (upper + x1[j]) * channels + c, type) * right;
                const i64 bottom = integer_load(x, (lower + x0[j]) * channels + c, type) * left
                                   + integer_load(x, (lower + x1[j]) * channels + c, type) * right;
                const i64 sum = top * up + bottom * down;
                const i64 half = 1 << 19;
                const i64 value = rounding == WHET_SINGLE || sum > 0 ? (sum + half) >> 20
                                                                     : -((half - sum) >> 20);
                integer_store(y, ((long)n * out_h * out_w + p) * channels + c, (i32)value, type);
            }
}

/* rows and columns: the source index of each output row and column. */
WHET_INLINE void integer_resize_nearest(const int batch, const int in_h, const int in_w,
                                        const int channels, const int out_h, const int out_w,
                                        const int type, const void *x, const i32 *rows,
                                        const i32 *columns, void *y)
{
    for (int n = 0; n < batch; n++)
        for (int p = 0; p < out_h * out_w; p++)
            for (int c = 0; c < channels; c++) {
                const long from = ((long)n * in_h + rows[p / out_w]) * in_w + columns[p % out_w];
                integer_store(y, ((long)n * out_h * out_w + p) * channels + c,
                              integer_load(x, from * channels + c, type), type);
            }
}
#endif
