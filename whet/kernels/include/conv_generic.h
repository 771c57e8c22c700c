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

/* Channels go CONV_LANES at a time through a vector of wide_T, which clang and GCC split as the
 * machine needs; four output pixels share each weight. */
#if defined(__thumb__)
enum { CONV_LANES = 4, CONV_PIXELS = 4 };
#else
enum { CONV_LANES = 16, CONV_PIXELS = 4 };
#endif

#define CONV_SUMS(T) \
    typedef wide_##T conv_vector_##T __attribute__((vector_size(sizeof(wide_##T) * CONV_LANES))); \
    WHET_INLINE void conv_load_##T(conv_vector_##T *v, const T *x, const long count) \
    { \
        conv_vector_##T loaded = {0}; \
        if (count >= CONV_LANES) \
            for (int l = 0; l < CONV_LANES; l++) \
                loaded[l] = widen_##T(x[l]); \
        else \
            for (long l = 0; l < count; l++) \
                loaded[l] = widen_##T(x[l]); \
        *v = loaded; \
    } \
    /* Add one tap to the sums of `pixels` outputs: `depth` channels of the elements i, */ \
    /* i + step, ... of a line of `size` elements, times w; one outside the line adds nothing. */ \
    WHET_INLINE void conv_add_##T(conv_vector_##T *sum, const T *line, const T *w, \
                                  const long depth, const long i, const long step, \
                                  const long size, const long channels, const long pixels) \
    { \
        const int whole = pixels == CONV_PIXELS && i >= 0 && i + (CONV_PIXELS - 1) * step < size; \
        for (long c = 0; c < depth; c += CONV_LANES) { \
            conv_vector_##T factor, v; \
            conv_load_##T(&factor, w + c, depth - c); \
            for (int p = 0; p < CONV_PIXELS; p++) { \
                const long at = i + p * step; \
                if (whole || (p < pixels && at >= 0 && at < size)) { \
                    conv_load_##T(&v, line + at * channels + c, depth - c); \
                    sum[p] += factor * v; \
                } \
            } \
        } \
    } \
    /* Finish output channel `o` of the pixels, `step` elements apart in y. */ \
    WHET_INLINE void conv_store_##T(const conv_vector_##T *sum, const T *bias, T *y, \
                                    const long o, const long step, const long pixels) \
    { \
        for (int p = 0; p < CONV_PIXELS; p++) { \
            wide_##T lane[CONV_LANES]; \
            for (int l = 0; l < CONV_LANES; l++) \
                lane[l] = sum[p][l]; \
            for (int half = CONV_LANES / 2; half; half /= 2) \
                for (int l = 0; l < half; l++) \
                    lane[l] += lane[l + half]; \
            if (p < pixels) \
                y[p * step + o] = narrow_##T(lane[0] + (bias ? widen_##T(bias[o]) : 0)); \
        } \
    }

#define CONV_FORWARD(T) \
    WHET_INLINE void conv_pixels_##T(const T *x, const T *w, const T *bias, T *y, \
                                     const window_shape *s, const long b, const long o0, \
                                     const long o1, const long o2, const long pixels, \
                                     const long outputs, const long groups) \
    { \
        const long depth = s->channels / groups, share = outputs / groups; \
        const long taps = s->kernel[0] * s->kernel[1] * s->kernel[2]; \
        const window_taps t0 = window_taps_at(s, 0, o0), t1 = window_taps_at(s, 1, o1); \
        const long start = o2 * s->stride[2] - s->before[2]; \
        for (long o = 0; o < outputs; o++) { \
            conv_vector_##T sum[CONV_PIXELS] = {{0}, {0}, {0}, {0}}; \
            for (long k0 = t0.first; k0 < t0.past; k0++) \
            for (long k1 = t1.first; k1 < t1.past; k1++) { \
                const long row = conv_row(s->in, b, t0.start + k0 * s->dilation[0], \
                                          t1.start + k1 * s->dilation[1], 0); \
                const T *line = x + row * s->channels + o / share * depth; \
                const T *factors = \
                    w + (o * taps + (k0 * s->kernel[1] + k1) * s->kernel[2]) * depth; \
                for (long k2 = 0; k2 < s->kernel[2]; k2++) \
                    conv_add_##T(sum, line, factors + k2 * depth, depth, \
                                 start + k2 * s->dilation[2], s->stride[2], s->in[2], \
                                 s->channels, pixels); \
            } \
            conv_store_##T(sum, bias, y, o, outputs, pixels); \
        } \
    } \
    WHET_INLINE void conv_plain_##T(const T *x, const T *w, const T *bias, T *y, \
                              const window_shape *s, const long outputs, const long groups) \
    { \
        for (long b = 0; b < s->batch; b++) \
        for (long o0 = 0; o0 < s->out[0]; o0++) \
        for (long o1 = 0; o1 < s->out[1]; o1++) \
        for (long o2 = 0; o2 < s->out[2]; o2 += CONV_PIXELS) { \
            const long rest = s->out[2] - o2; \
            T *row = y + conv_row(s->out, b, o0, o1, o2) * outputs; \
            conv_pixels_##T(x, w, bias, row, s, b, o0, o1, o2, \
                            rest < CONV_PIXELS ? rest : CONV_PIXELS, outputs, groups); \
        } \
    }

/* Whether tap k reaches output o from some (perhaps absent) input element, whose place is *i. */
WHET_INLINE int conv_transpose_source(const window_shape *s, const int axis, const long o,
                                      const long k, long *i)
{
    const long stride = s->stride[axis], at = o + s->before[axis] - k * s->dilation[axis];
    *i = at >= 0 ? at / stride : -((stride - 1 - at) / stride);
    return *i * stride == at;
}

/* Outputs a stride apart on the last axis read the same taps, of neighbouring input elements. */
#define CONV_TRANSPOSE(T) \
    WHET_INLINE void conv_transpose_pixels_##T( \
        const T *x, const T *w, const T *bias, T *y, const window_shape *s, const long b, \
        const long o0, const long o1, const long o2, const long pixels, const long outputs, \
        const long groups) \
    { \
        const long depth = s->channels / groups, share = outputs / groups; \
        const long taps = s->kernel[0] * s->kernel[1] * s->kernel[2]; \
        for (long o = 0; o < outputs; o++) { \
            conv_vector_##T sum[CONV_PIXELS] = {{0}, {0}, {0}, {0}}; \
            for (long k0 = 0; k0 < s->kernel[0]; k0++) \
            for (long k1 = 0; k1 < s->kernel[1]; k1++) { \
                long i0, i1, i2; \
                if (!conv_transpose_source(s, 0, o0, k0, &i0) || i0 < 0 || i0 >= s->in[0]) \
                    continue; \
                if (!conv_transpose_source(s, 1, o1, k1, &i1) || i1 < 0 || i1 >= s->in[1]) \
                    continue; \
                const T *line = \
                    x + conv_row(s->in, b, i0, i1, 0) * s->channels + o / share * depth; \
                const T *factors = \
                    w + (o * taps + (k0 * s->kernel[1] + k1) * s->kernel[2]) * depth; \
                for (long k2 = 0; k2 < s->kernel[2]; k2++) \
                    if (conv_transpose_source(s, 2, o2, k2, &i2)) \
                        conv_add_##T(sum, line, factors + k2 * depth, depth, i2, 1, s->in[2], \
                                     s->channels, pixels); \
            } \
            conv_store_##T(sum, bias, y, o, s->stride[2] * outputs, pixels); \
        } \
    } \
    WHET_INLINE void conv_transpose_##T(const T *x, const T *w, const T *bias, T *y, \
                                        const window_shape *s, const long outputs, \
                                        const long groups) \
    { \
        const long stride = s->stride[2]; \
        for (long b = 0; b < s->batch; b++) \
        for (long o0 = 0; o0 < s->out[0]; o0++) \
        for (long o1 = 0; o1 < s->out[1]; o1++) \
        for (long phase = 0; phase < stride; phase++) \
        for (long o2 = phase; o2 < s->out[2]; o2 += CONV_PIXELS * stride) { \
            const long rest = (s->out[2] - o2 + stride - 1) / stride; \
            T *row = y + conv_row(s->out, b, o0, o1, o2) * outputs; \
            conv_transpose_pixels_##T(x, w, bias, row, s, b, o0, o1, o2, \
                                      rest < CONV_PIXELS ? rest : CONV_PIXELS, outputs, groups); \
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

#define CONV_FAMILY(T) CONV_SUMS(T) CONV_FORWARD(T) CONV_TRANSPOSE(T) DEFORM_CONV(T)
WHET_FOR_FLOATS(CONV_FAMILY)
CONV_INTEGER(u8, u8)
CONV_INTEGER(u8, i8)
CONV_INTEGER(i8, u8)
CONV_INTEGER(i8, i8)

#endif
