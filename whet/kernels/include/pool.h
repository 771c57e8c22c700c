/* Pooling of channels-last tensors over one to three spatial axes; window.h has the geometry.
 *
 *   max_pool_T(x, y, shape)                    all number types; NaN wins
 *   max_pool_indices_T(x, y, indices, shape, column_major)
 *       also the winner's flat index in the tensor stored [batch][channels][in0][in1][in2] (i64);
 *       column_major numbers the spatial axes first-fastest (ONNX storage_order = 1)
 *   average_pool_T(x, y, shape, include_pad)   floats
 *   lp_pool_T(x, y, shape, p)                  floats; p >= 1
 *   max_unpool: see below
 * Global pooling is a reduction (reduce.h). Sources: ONNX MaxPool-22, AveragePool-22, LpPool-22,
 * MaxUnpool-22.
 */
#ifndef WHET_POOL_H
#define WHET_POOL_H
#include "math.h"
#include "window.h"

enum { POOL_WIDTH = 64 };

/* Visit every tap of every window: BODY sees `at` (the tap's first channel in x), `c` (the first of
 * `width` channels), `out` (the output's first channel) and the tap's coordinates t0 t1 t2. BEGIN
 * and END run around the taps of one window and block of channels. */
#define POOL_WINDOWS(s, BEGIN, BODY, END) \
    for (long b = 0; b < (s)->batch; b++) \
    for (long o0 = 0; o0 < (s)->out[0]; o0++) \
    for (long o1 = 0; o1 < (s)->out[1]; o1++) \
    for (long o2 = 0; o2 < (s)->out[2]; o2++) { \
        const window_taps w0 = window_taps_at(s, 0, o0), w1 = window_taps_at(s, 1, o1); \
        const window_taps w2 = window_taps_at(s, 2, o2); \
        const long out_row = ((b * (s)->out[0] + o0) * (s)->out[1] + o1) * (s)->out[2] + o2; \
        for (long c = 0; c < (s)->channels; c += POOL_WIDTH) { \
            const long rest = (s)->channels - c, width = rest < POOL_WIDTH ? rest : POOL_WIDTH; \
            const long out = out_row * (s)->channels + c; \
            BEGIN \
            for (long k0 = w0.first; k0 < w0.past; k0++) \
            for (long k1 = w1.first; k1 < w1.past; k1++) \
            for (long k2 = w2.first; k2 < w2.past; k2++) { \
                const long t0 = w0.start + k0 * (s)->dilation[0]; \
                const long t1 = w1.start + k1 * (s)->dilation[1]; \
                const long t2 = w2.start + k2 * (s)->dilation[2]; \
                const long row = ((b * (s)->in[0] + t0) * (s)->in[1] + t1) * (s)->in[2] + t2; \
                const long at = row * (s)->channels + c; \
                BODY \
            } \
            END \
        } \
    }

#define POOL_EACH for (long i = 0; i < width; i++)

#define MAX_POOL_FAMILY(T) \
    WHET_INLINE void max_pool_##T(const T *x, T *y, const window_shape *s) \
    { \
        wide_##T best[POOL_WIDTH]; \
        POOL_WINDOWS(s, \
            POOL_EACH best[i] = lowest_##T();, \
            POOL_EACH { \
                const wide_##T v = widen_##T(x[at + i]); \
                best[i] = v > best[i] || v != v ? v : best[i]; \
            }, \
            POOL_EACH y[out + i] = narrow_##T(best[i]);) \
    } \
    WHET_INLINE void max_pool_indices_##T(const T *x, T *y, i64 *indices, \
                                          const window_shape *s, const int column_major) \
    { \
        wide_##T best[POOL_WIDTH]; \
        i64 winner[POOL_WIDTH]; \
        POOL_WINDOWS(s, \
            POOL_EACH { \
                best[i] = lowest_##T(); \
                winner[i] = -1; \
            }, \
            const long place = column_major ? t0 + s->in[0] * (t1 + s->in[1] * t2) \
                                            : (t0 * s->in[1] + t1) * s->in[2] + t2; \
            POOL_EACH { \
                const wide_##T v = widen_##T(x[at + i]); \
                const int better = v > best[i] || winner[i] < 0 || (v != v && best[i] == best[i]); \
                best[i] = better ? v : best[i]; \
                winner[i] = better ? place : winner[i]; \
            }, \
            POOL_EACH { \
                const i64 image = b * s->channels + c + i; \
                y[out + i] = narrow_##T(best[i]); \
                indices[out + i] = image * (s->in[0] * s->in[1] * s->in[2]) + winner[i]; \
            }) \
    }
/* K is the suffix roots are taken in. */
#define MEAN_POOL_FAMILY(T, K) \
    WHET_INLINE void average_pool_##T(const T *x, T *y, const window_shape *s, \
                                      const int include_pad) \
    { \
        wide_##T sum[POOL_WIDTH]; \
        POOL_WINDOWS(s, \
            const long taps = include_pad ? window_padded_taps(s, 0, o0) * \
                                            window_padded_taps(s, 1, o1) * \
                                            window_padded_taps(s, 2, o2) \
                                          : (w0.past - w0.first) * (w1.past - w1.first) * \
                                            (w2.past - w2.first); \
            POOL_EACH sum[i] = 0;, \
            POOL_EACH sum[i] += widen_##T(x[at + i]);, \
            POOL_EACH y[out + i] = narrow_##T(sum[i] / (wide_##T)taps);) \
    } \
    WHET_INLINE wide_##T lp_pool_power_##T(wide_##T x, const int p) \
    { \
        wide_##T power = x < 0 ? -x : x; \
        const wide_##T size = power; \
        for (int i = 1; i < p; i++) \
            power *= size; \
        return power; \
    } \
    WHET_INLINE void lp_pool_##T(const T *x, T *y, const window_shape *s, const int p) \
    { \
        wide_##T sum[POOL_WIDTH]; \
        POOL_WINDOWS(s, \
            POOL_EACH sum[i] = 0;, \
            POOL_EACH sum[i] += lp_pool_power_##T(widen_##T(x[at + i]), p);, \
            POOL_EACH { \
                const wide_##T root = p == 1 ? sum[i] \
                                    : p == 2 ? math_sqrt_##K(sum[i]) \
                                             : math_pow_##K(sum[i], 1 / (wide_##T)p); \
                y[out + i] = narrow_##T(root); \
            }) \
    }
/* Undo max pooling: y is zero but where `indices`, of x's layout [batch][in][channels], put x's
 * elements. An index counts in [batch][channels][unpooled], `unpooled` being the shape pooling
 * would have had as its input; y is [batch][out][channels], its out >= unpooled on each axis.
 * Returns WHET_BAD_INDEX, leaving that element out, where an index is outside. */
WHET_INLINE int max_unpool(const void *x, const i64 *indices, void *y, const long batch,
                           const long channels, const long in_size, const long *unpooled,
                           const long *out, const long bytes)
{
    const long size = unpooled[0] * unpooled[1] * unpooled[2];
    const u8 *from = x;
    u8 *to = y;
    int status = WHET_OK;
    for (long i = 0; i < batch * out[0] * out[1] * out[2] * channels * bytes; i++)
        to[i] = 0;
    for (long i = 0; i < batch * in_size * channels; i++) {
        if (indices[i] < 0 || indices[i] >= (i64)batch * channels * size) {
            status = WHET_BAD_INDEX;
            continue;
        }
        const long image = (long)(indices[i] / size), place = (long)(indices[i] % size);
        const long t2 = place % unpooled[2], t1 = place / unpooled[2] % unpooled[1];
        const long t0 = place / unpooled[2] / unpooled[1];
        const long row = ((image / channels * out[0] + t0) * out[1] + t1) * out[2] + t2;
        __builtin_memcpy(to + (row * channels + image % channels) * bytes, from + i * bytes,
                         (unsigned long)bytes);
    }
    return status;
}

WHET_FOR_NUMBERS(MAX_POOL_FAMILY)
MEAN_POOL_FAMILY(f32, f32)
MEAN_POOL_FAMILY(f64, f64)
MEAN_POOL_FAMILY(f16, f32)
MEAN_POOL_FAMILY(bf16, f32)

#endif
