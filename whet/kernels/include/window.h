/* The geometry shared by pooling and convolution over one to three spatial axes.
 *
 * Tensors are channels-last, [batch][in0][in1][in2][channels]; absent leading axes have size 1. A
 * call writes the geometry as a constant the compiler folds:
 *     &(const window_shape){.batch = 1, .channels = 64, .in = {1, 9, 9}, .out = {1, 4, 4}, ...}
 */
#ifndef WHET_WINDOW_H
#define WHET_WINDOW_H
#include "types.h"

typedef struct {
    long batch, channels;
    long in[3], out[3], kernel[3], stride[3], dilation[3];
    long before[3], after[3]; /* padding at the start and at the end of each axis */
} window_shape;

/* Taps first <= k < past of a window along one axis lie inside the tensor. */
typedef struct {
    long start, first, past;
} window_taps;

WHET_INLINE window_taps window_taps_at(const window_shape *s, const int axis, const long out)
{
    const long dilation = s->dilation[axis], size = s->in[axis], kernel = s->kernel[axis];
    const long start = out * s->stride[axis] - s->before[axis];
    const long past = size > start ? (size - start + dilation - 1) / dilation : 0;
    const window_taps taps = {
        start,
        start < 0 ? (dilation - 1 - start) / dilation : 0,
        past < kernel ? past : kernel,
    };
    return taps;
}

/* Taps of a window that fall inside the tensor or its declared padding. */
WHET_INLINE long window_padded_taps(const window_shape *s, const int axis, const long out)
{
    const long start = out * s->stride[axis] - s->before[axis];
    const long room = s->in[axis] + s->after[axis] - start;
    const long taps = room > 0 ? (room + s->dilation[axis] - 1) / s->dilation[axis] : 0;
    return taps < s->kernel[axis] ? taps : s->kernel[axis];
}

#endif
