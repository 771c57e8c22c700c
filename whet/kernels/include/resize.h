/* Resize along one axis of x[outer][in][inner] to y[outer][out][inner], `count` of the `out` from
 * `first` on; more axes are more passes.
 *
 *   resize_T(x, y, outer, in, out, first, count, inner, rule)  linear or cubic; T: f32 f64 f16 bf16
 *   resize_nearest(x, y, outer, in, out, first, count, inner_bytes, rule, nearest, fill,
 *                  element_bytes)
 *   resize_round_T(float)     i8 i16 i32 u8 u16: to nearest even, saturating, for integer tensors,
 *                             which are resized as f32 and rounded once at the end
 *
 * Weights and coordinates are double, as in the ONNX reference. `scale` is out / in unless the
 * model gives it. Source: ONNX Resize-19 (Upsample: RESIZE_ASYMMETRIC, RESIZE_FLOOR).
 */
#ifndef WHET_RESIZE_H
#define WHET_RESIZE_H
#include "math.h"

enum { /* coordinate_transformation_mode */
    RESIZE_HALF_PIXEL,
    RESIZE_HALF_PIXEL_SYMMETRIC,
    RESIZE_PYTORCH_HALF_PIXEL,
    RESIZE_ALIGN_CORNERS,
    RESIZE_ASYMMETRIC,
    RESIZE_CROP /* tf_crop_and_resize */
};
enum { RESIZE_ROUND_PREFER_FLOOR, RESIZE_ROUND_PREFER_CEIL, RESIZE_FLOOR, RESIZE_CEIL };
enum { RESIZE_LINEAR = 1, RESIZE_CUBIC = 2 }; /* filter: its reach in input elements */
enum { RESIZE_CACHED = 8, RESIZE_WIDTH = 64 };

typedef struct {
    int transform, filter, antialias, exclude_outside;
    double scale, cubic_a;
    double roi_start, roi_end, extrapolation; /* RESIZE_CROP only */
} resize_rule;

/* Where output element i lies on the input axis. */
WHET_INLINE double resize_coordinate(const resize_rule *r, const long in, const long out,
                                     const long i)
{
    const double width = r->scale * (double)in, last = (double)(in - 1);
    switch (r->transform) {
    case RESIZE_ALIGN_CORNERS:
        return width == 1.0 ? 0.0 : (double)i * last / (width - 1.0);
    case RESIZE_ASYMMETRIC:
        return (double)i / r->scale;
    case RESIZE_CROP: {
        const double span = (r->roi_end - r->roi_start) * last;
        return r->roi_start * last + (width == 1.0 ? span / 2 : (double)i * span / (width - 1.0));
    }
    case RESIZE_PYTORCH_HALF_PIXEL:
        return width == 1.0 ? -0.5 : ((double)i + 0.5) / r->scale - 0.5;
    case RESIZE_HALF_PIXEL_SYMMETRIC: {
        const double offset = (double)in / 2 * (1.0 - (double)out / width);
        return offset + ((double)i + 0.5) / r->scale - 0.5;
    }
    default:
        return ((double)i + 0.5) / r->scale - 0.5;
    }
}

WHET_INLINE int resize_is_outside(const resize_rule *r, const long in, const double x)
{
    return r->transform == RESIZE_CROP && (x < 0.0 || x > (double)(in - 1));
}

/* Weight of an input element at distance d: a tent, or the cubic convolution of Keys (1981). */
WHET_INLINE double resize_filter(const resize_rule *r, double d)
{
    d = math_abs_f64(d);
    if (r->filter == RESIZE_LINEAR)
        return d < 1.0 ? 1.0 - d : 0.0;
    const double a = r->cubic_a;
    if (d <= 1.0)
        return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2.0 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0.0;
}

/* The input elements first <= k < past that one output element reads: each weighs
 * resize_filter(shrink * (k - x)) / total, beyond the ends the end elements stand in. */
typedef struct {
    long first, past;
    double x, shrink, total;
} resize_taps;

WHET_INLINE double resize_weight(const resize_rule *r, const resize_taps *t, const long in,
                                 const long k)
{
    if (r->exclude_outside && (k < 0 || k >= in))
        return 0.0;
    return resize_filter(r, t->shrink * ((double)k - t->x));
}

WHET_INLINE resize_taps resize_taps_at(const resize_rule *r, const long in, const double x)
{
    resize_taps t = {.x = x, .shrink = r->antialias && r->scale < 1.0 ? r->scale : 1.0};
    const double reach = (double)r->filter / t.shrink;
    t.first = (long)math_floor_f64(x - reach) + 1;
    t.past = (long)math_ceil_f64(x + reach);
    for (long k = t.first; k < t.past; k++)
        t.total += resize_weight(r, &t, in, k);
    t.total = t.total == 0.0 ? 1.0 : t.total;
    return t;
}

WHET_INLINE long resize_clamp(const long k, const long in)
{
    return k < 0 ? 0 : k < in ? k : in - 1;
}

#define RESIZE_FAMILY(T) \
    WHET_INLINE void resize_row_##T(const T *x, T *y, const long in, const long inner, \
                                    const resize_rule *r, const resize_taps *t, \
                                    const wide_##T *cached) \
    { \
        for (long start = 0; start < inner; start += RESIZE_WIDTH) { \
            const long rest = inner - start, width = rest < RESIZE_WIDTH ? rest : RESIZE_WIDTH; \
            wide_##T sum[RESIZE_WIDTH] = {0}; \
            for (long k = t->first; k < t->past; k++) { \
                const long tap = k - t->first; \
                const wide_##T w = tap < RESIZE_CACHED \
                                       ? cached[tap] \
                                       : (wide_##T)(resize_weight(r, t, in, k) / t->total); \
                const T *row = x + resize_clamp(k, in) * inner + start; \
                for (long i = 0; i < width; i++) \
                    sum[i] += w * widen_##T(row[i]); \
            } \
            for (long i = 0; i < width; i++) \
                y[start + i] = narrow_##T(sum[i]); \
        } \
    } \
    WHET_INLINE void resize_##T(const T *x, T *y, const long outer, const long in, \
                                const long out, const long first, const long count, \
                                const long inner, const resize_rule *r) \
    { \
        for (long j = first; j < first + count; j++) { \
            const double at = resize_coordinate(r, in, out, j); \
            const int outside = resize_is_outside(r, in, at); \
            const resize_taps t = resize_taps_at(r, in, outside ? 0.0 : at); \
            wide_##T cached[RESIZE_CACHED]; \
            for (long k = 0; k < RESIZE_CACHED && k < t.past - t.first; k++) \
                cached[k] = (wide_##T)(resize_weight(r, &t, in, t.first + k) / t.total); \
            for (long o = 0; o < outer; o++) { \
                T *row = y + (o * out + j) * inner; \
                if (!outside) \
                    resize_row_##T(x + o * in * inner, row, in, inner, r, &t, cached); \
                for (long i = 0; outside && i < inner; i++) \
                    row[i] = narrow_##T((wide_##T)r->extrapolation); \
            } \
        } \
    }

#define RESIZE_ROUND_FAMILY(T) \
    WHET_INLINE T resize_round_##T(float x) \
    { \
        const float whole = math_round_f32(x); \
        if (!(whole > (float)lowest_##T())) \
            return x != x ? (T)0 : (T)lowest_##T(); \
        return whole >= (float)highest_##T() ? (T)highest_##T() : (T)whole; \
    }

/* Nearest input element of coordinate x. */
WHET_INLINE long resize_nearest_index(const double x, const long in, const int nearest)
{
    const double low = math_floor_f64(x), fraction = x - low;
    int up = nearest == RESIZE_CEIL && fraction > 0.0;
    if (nearest == RESIZE_ROUND_PREFER_FLOOR)
        up = fraction > 0.5;
    else if (nearest == RESIZE_ROUND_PREFER_CEIL)
        up = fraction >= 0.5;
    return resize_clamp((long)low + up, in);
}

/* `fill`, one element of element_bytes, is what RESIZE_CROP puts outside; null without it. Sources
 * are found for RESIZE_WIDTH outputs at a time, so that y is written in order. */
WHET_INLINE void resize_nearest(const void *x, void *y, const long outer, const long in,
                                const long out, const long first, const long count,
                                const long inner_bytes, const resize_rule *r, const int nearest,
                                const void *fill, const long element_bytes)
{
    long from[RESIZE_WIDTH];
    for (long start = first; start < first + count; start += RESIZE_WIDTH) {
        const long rest = first + count - start, width = rest < RESIZE_WIDTH ? rest : RESIZE_WIDTH;
        for (long j = 0; j < width; j++) {
            const double at = resize_coordinate(r, in, out, start + j);
            const int outside = resize_is_outside(r, in, at);
            from[j] = outside ? -1 : resize_nearest_index(at, in, nearest);
        }
        for (long o = 0; o < outer; o++) {
            const u8 *source = (const u8 *)x + o * in * inner_bytes;
            u8 *row = (u8 *)y + (o * out + start) * inner_bytes;
            for (long j = 0; j < width; j++, row += inner_bytes) {
                if (from[j] >= 0)
                    __builtin_memcpy(row, source + from[j] * inner_bytes,
                                     (unsigned long)inner_bytes);
                for (long i = 0; from[j] < 0 && i < inner_bytes; i += element_bytes)
                    __builtin_memcpy(row + i, fill, (unsigned long)element_bytes);
            }
        }
    }
}

WHET_FOR_FLOATS(RESIZE_FAMILY)
RESIZE_ROUND_FAMILY(i8)
RESIZE_ROUND_FAMILY(i16)
RESIZE_ROUND_FAMILY(i32)
RESIZE_ROUND_FAMILY(u8)
RESIZE_ROUND_FAMILY(u16)

#endif
