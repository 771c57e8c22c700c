/* Plain convolution over one to three spatial axes, for the types and shapes without a tuned
 * kernel. Tensors are channels-last; window.h has the geometry.
 *
 *   conv_plain_T(x, w, bias, y, shape, outputs, groups)         f32 f64 f16 bf16
 *   conv_transpose_T(x, w, bias, y, shape, outputs, groups)
 *       x[batch][in][channels], y[batch][out][outputs], w[outputs][k0][k1][k2][channels / groups]
 *       for both directions (ONNX keeps the transposed one's channels first); bias[outputs] may be
 *       null. Transposed, `stride` spreads the input and `before` is cut off the output's start.
 *   conv_integer_A_B(x, w, y, shape, outputs, groups, x_zero, w_zero, w_zero_step)
 *       A, B in u8, i8; y is i32 and wraps; padding counts as x_zero; the weight zero point of
 *       output o is w_zero[o * w_zero_step] (step 0: one for all; null: 0)
 *   deform_conv_T(x, w, offset, mask, bias, y, shape, outputs, groups, offset_groups)
 *       two spatial axes; offset[batch][out][offset_groups][k1][k2][2] holds (row, column) shifts,
 *       mask[batch][out][offset_groups][k1][k2] may be null
 * Sources: ONNX Conv-22, ConvTranspose-22, ConvInteger-10, DeformConv-22.
 */
#ifndef WHET_CONV_GENERIC_H
#define WHET_CONV_GENERIC_H
#include "math.h"
#include "window.h"

/* Row of y (all its channels) at output position (b, o0, o1, o2). */
WHET_INLINE long conv_row(const long *size, const long b, const long i0, const long i1,
                          const long i2)
{
    return ((b * size[0] + i0) * size[1] + i1) * size[2] + i2;
}

#define CONV_OUTPUTS(s) \
    for (long b = 0; b < (s)->batch; b++) \
    for (long o0 = 0; o0 < (s)->out[0]; o0++) \
    for (long o1 = 0; o1 < (s)->out[1]; o1++) \
    for (long o2 = 0; o2 < (s)->out[2]; o2++)

/* Sum of products of n channels, in 8 interleaved partial sums. */
#define CONV_DOT(T) \
    WHET_INLINE wide_##T conv_dot_##T(const T *x, const T *w, const long n) \
    { \
        wide_##T sum[8] = {0}; \
        long i = 0; \
        for (; i + 8 <= n; i += 8) \
            for (int l = 0; l < 8; l++) \
                sum[l] += widen_##T(x[i + l]) * widen_##T(w[i + l]); \
        for (; i < n; i++) \
            sum[0] += widen_##T(x[i]) * widen_##T(w[i]); \
        for (int half = 4; half; half /= 2) \
            for (int l = 0; l < half; l++) \
                sum[l] += sum[l + half]; \
        return sum[0]; \
    }

#define CONV_FORWARD(T) \
    WHET_INLINE wide_##T conv_point_##T(const T *x, const T *w, const window_shape *s, \
                                        const long b, const window_taps *taps, const long depth) \
    { \
        wide_##T sum = 0; \
        for (long k0 = taps[0].first; k0 < taps[0].past; k0++) \
        for (long k1 = taps[1].first; k1 < taps[1].past; k1++) \
        for (long k2 = taps[2].first; k2 < taps[2].past; k2++) { \
            const long row = conv_row(s->in, b, taps[0].start + k0 * s->dilation[0], \
                                      taps[1].start + k1 * s->dilation[1], \
                                      taps[2].start + k2 * s->dilation[2]); \
            const long tap = (k0 * s->kernel[1] + k1) * s->kernel[2] + k2; \
            sum += conv_dot_##T(x + row * s->channels, w + tap * depth, depth); \
        } \
        return sum; \
    } \
    WHET_INLINE void conv_plain_##T(const T *x, const T *w, const T *bias, T *y, \
                              const window_shape *s, const long outputs, const long groups) \
    { \
        const long depth = s->channels / groups, share = outputs / groups; \
        const long taps_all = s->kernel[0] * s->kernel[1] * s->kernel[2]; \
        CONV_OUTPUTS(s) { \
            const window_taps taps[3] = {window_taps_at(s, 0, o0), window_taps_at(s, 1, o1), \
                                         window_taps_at(s, 2, o2)}; \
            T *row = y + conv_row(s->out, b, o0, o1, o2) * outputs; \
            for (long o = 0; o < outputs; o++) { \
                const wide_##T sum = conv_point_##T(x + o / share * depth, \
                                                    w + o * taps_all * depth, s, b, taps, depth); \
                row[o] = narrow_##T(sum + (bias ? widen_##T(bias[o]) : 0)); \
            } \
        } \
    }

/* Input element that reaches output o through tap k, or -1. */
WHET_INLINE long conv_transpose_source(const window_shape *s, const int axis, const long o,
                                       const long k)
{
    const long at = o + s->before[axis] - k * s->dilation[axis];
    if (at < 0 || at % s->stride[axis] || at / s->stride[axis] >= s->in[axis])
        return -1;
    return at / s->stride[axis];
}

#define CONV_TRANSPOSE(T) \
    WHET_INLINE wide_##T conv_transpose_point_##T(const T *x, const T *w, const window_shape *s, \
                                                  const long b, const long *at, \
                                                  const long depth) \
    { \
        wide_##T sum = 0; \
        for (long k0 = 0; k0 < s->kernel[0]; k0++) \
        for (long k1 = 0; k1 < s->kernel[1]; k1++) \
        for (long k2 = 0; k2 < s->kernel[2]; k2++) { \
            const long i0 = conv_transpose_source(s, 0, at[0], k0); \
            const long i1 = conv_transpose_source(s, 1, at[1], k1); \
            const long i2 = conv_transpose_source(s, 2, at[2], k2); \
            if (i0 < 0 || i1 < 0 || i2 < 0) \
                continue; \
            const long tap = (k0 * s->kernel[1] + k1) * s->kernel[2] + k2; \
            sum += conv_dot_##T(x + conv_row(s->in, b, i0, i1, i2) * s->channels, \
                                w + tap * depth, depth); \
        } \
        return sum; \
    } \
    WHET_INLINE void conv_transpose_##T(const T *x, const T *w, const T *bias, T *y, \
                                        const window_shape *s, const long outputs, \
                                        const long groups) \
    { \
        const long depth = s->channels / groups, share = outputs / groups; \
        const long taps_all = s->kernel[0] * s->kernel[1] * s->kernel[2]; \
        CONV_OUTPUTS(s) { \
            const long at[3] = {o0, o1, o2}; \
            T *row = y + conv_row(s->out, b, o0, o1, o2) * outputs; \
            for (long o = 0; o < outputs; o++) { \
                const wide_##T sum = conv_transpose_point_##T( \
                    x + o / share * depth, w + o * taps_all * depth, s, b, at, depth); \
                row[o] = narrow_##T(sum + (bias ? widen_##T(bias[o]) : 0)); \
            } \
        } \
    }

#define CONV_INTEGER(A, B) \
    WHET_INLINE i32 conv_integer_point_##A##_##B(const A *x, const B *w, const window_shape *s, \
                                                 const long b, const window_taps *taps, \
                                                 const long depth, const i32 x_zero, \
                                                 const i32 w_zero) \
    { \
        u32 sum = 0; \
        for (long k0 = taps[0].first; k0 < taps[0].past; k0++) \
        for (long k1 = taps[1].first; k1 < taps[1].past; k1++) \
        for (long k2 = taps[2].first; k2 < taps[2].past; k2++) { \
            const long row = conv_row(s->in, b, taps[0].start + k0 * s->dilation[0], \
                                      taps[1].start + k1 * s->dilation[1], \
                                      taps[2].start + k2 * s->dilation[2]); \
            const long tap = (k0 * s->kernel[1] + k1) * s->kernel[2] + k2; \
            for (long c = 0; c < depth; c++) \
                sum += (u32)(((i32)x[row * s->channels + c] - x_zero) * \
                             ((i32)w[tap * depth + c] - w_zero)); \
        } \
        return (i32)sum; \
    } \
    WHET_INLINE void conv_integer_##A##_##B(const A *x, const B *w, i32 *y, \
                                            const window_shape *s, const long outputs, \
                                            const long groups, const int x_zero, \
                                            const B *w_zero, const long w_zero_step) \
    { \
        const long depth = s->channels / groups, share = outputs / groups; \
        const long taps_all = s->kernel[0] * s->kernel[1] * s->kernel[2]; \
        CONV_OUTPUTS(s) { \
            const window_taps taps[3] = {window_taps_at(s, 0, o0), window_taps_at(s, 1, o1), \
                                         window_taps_at(s, 2, o2)}; \
            i32 *row = y + conv_row(s->out, b, o0, o1, o2) * outputs; \
            for (long o = 0; o < outputs; o++) \
                row[o] = conv_integer_point_##A##_##B( \
                    x + o / share * depth, w + o * taps_all * depth, s, b, taps, depth, x_zero, \
                    w_zero ? w_zero[o * w_zero_step] : 0); \
        } \
    }

/* x at a fractional (row, column) of one channel, bilinear, zero outside. */
#define DEFORM_CONV(T) \
    WHET_INLINE double deform_pixel_##T(const T *x, const window_shape *s, const long i, \
                                        const long j) \
    { \
        const int inside = i >= 0 && i < s->in[1] && j >= 0 && j < s->in[2]; \
        return inside ? (double)widen_##T(x[(i * s->in[2] + j) * s->channels]) : 0.0; \
    } \
    WHET_INLINE double deform_sample_##T(const T *x, const window_shape *s, const double row, \
                                         const double column) \
    { \
        if (!(row > -1.0 && row < (double)s->in[1] && column > -1.0 && \
              column < (double)s->in[2])) \
            return 0.0; \
        const double top = math_floor_f64(row), left = math_floor_f64(column); \
        const double v = row - top, u = column - left; \
        const long i = (long)top, j = (long)left; \
        return (1 - v) * ((1 - u) * deform_pixel_##T(x, s, i, j) + \
                          u * deform_pixel_##T(x, s, i, j + 1)) + \
               v * ((1 - u) * deform_pixel_##T(x, s, i + 1, j) + \
                    u * deform_pixel_##T(x, s, i + 1, j + 1)); \
    } \
    WHET_INLINE void deform_conv_##T(const T *x, const T *w, const T *offset, const T *mask, \
                                     const T *bias, T *y, const window_shape *s, \
                                     const long outputs, const long groups, \
                                     const long offset_groups) \
    { \
        const long depth = s->channels / groups, share = outputs / groups; \
        const long taps = s->kernel[1] * s->kernel[2], span = s->channels / offset_groups; \
        CONV_OUTPUTS(s) { \
            const long at = conv_row(s->out, b, o0, o1, o2); \
            const T *image = x + b * s->in[1] * s->in[2] * s->channels; \
            for (long o = 0; o < outputs; o++) { \
                double sum = bias ? (double)widen_##T(bias[o]) : 0.0; \
                for (long tap = 0; tap < taps; tap++) \
                    for (long k = 0; k < depth; k++) { \
                        const long c = o / share * depth + k; \
                        const long move = (at * offset_groups + c / span) * taps + tap; \
                        const long row = o1 * s->stride[1] - s->before[1] + \
                                         tap / s->kernel[2] * s->dilation[1]; \
                        const long column = o2 * s->stride[2] - s->before[2] + \
                                            tap % s->kernel[2] * s->dilation[2]; \
                        const double v = deform_sample_##T( \
                            image + c, s, (double)row + (double)widen_##T(offset[2 * move]), \
                            (double)column + (double)widen_##T(offset[2 * move + 1])); \
                        const double m = mask ? (double)widen_##T(mask[move]) : 1.0; \
                        sum += v * m * (double)widen_##T(w[(o * taps + tap) * depth + k]); \
                    } \
                y[at * outputs + o] = narrow_##T((wide_##T)sum); \
            } \
        } \
    }

#define CONV_FAMILY(T) CONV_DOT(T) CONV_FORWARD(T) CONV_TRANSPOSE(T) DEFORM_CONV(T)
WHET_FOR_FLOATS(CONV_FAMILY)
CONV_INTEGER(u8, u8)
CONV_INTEGER(u8, i8)
CONV_INTEGER(i8, u8)
CONV_INTEGER(i8, i8)

#endif
