/* Sampling an image at given points, and the points of an affine map.
 *
 *   grid_sample_T(x, grid, y, batch, in, out, channels, dims, mode, padding, align_corners)
 *       x[batch][in0][in1][in2][channels], grid[batch][out0][out1][out2][dims] in [-1, 1] with the
 *       last axis first (x, y, z), y[batch][out0][out1][out2][channels]; in and out are long[3]
 *       with leading ones where dims is 2. A NaN coordinate counts as far outside.
 *   affine_grid_T(theta, grid, batch, out, dims, align_corners)
 *       theta[batch][dims][dims + 1] -> the grid above; T is f32 or f64.
 * Sources: ONNX GridSample-22, AffineGrid-20.
 */
#ifndef WHET_GRID_SAMPLE_H
#define WHET_GRID_SAMPLE_H
#include "math.h"

enum { GRID_NEAREST, GRID_LINEAR, GRID_CUBIC };
enum { GRID_ZEROS, GRID_BORDER, GRID_REFLECTION };
enum { GRID_WIDTH = 64 };

/* Fold x into [low, high] by mirroring at both ends. */
WHET_INLINE double grid_reflect(const double x, const double low, const double high)
{
    const double span = high - low;
    if (!(span > 0.0))
        return low;
    const double away = math_abs_f64(x < low ? low - x : x - high);
    if (x >= low && x <= high)
        return x;
    const double turns = math_floor_f64(away / span), rest = away - turns * span;
    const int even = math_floor_f64(turns / 2) * 2 == turns;
    return (x < low) == even ? low + rest : high - rest;
}

/* What one axis contributes: the elements to read (-1 reads zero) and their weights. */
typedef struct {
    int count;
    long index[4];
    double weight[4];
} grid_taps;

WHET_INLINE long grid_index(double k, const long size, const int padding, const double low,
                            const double high)
{
    if (k >= 0.0 && k < (double)size)
        return (long)k;
    if (padding == GRID_ZEROS)
        return -1;
    if (padding == GRID_REFLECTION)
        k = grid_reflect(k, low, high);
    return k < 0.0 ? 0 : k < (double)size ? (long)k : size - 1;
}

/* Cubic convolution weight with a = -3/4 at distance d (Keys 1981). */
WHET_INLINE double grid_cubic(double d)
{
    d = math_abs_f64(d);
    return d <= 1.0 ? (1.25 * d - 2.25) * d * d + 1.0
                    : ((-0.75 * d + 3.75) * d - 6.0) * d + 3.0;
}

WHET_INLINE grid_taps grid_taps_at(const double coordinate, const long size, const int mode,
                                   const int padding, const int align_corners)
{
    const double n = (double)size;
    const double low = align_corners ? 0.0 : -0.5, high = align_corners ? n - 1.0 : n - 0.5;
    double x = align_corners ? (coordinate + 1.0) / 2.0 * (n - 1.0)
                             : ((coordinate + 1.0) * n - 1.0) / 2.0;
    x = x < 0x1p30 ? (x > -0x1p30 ? x : -0x1p30) : x >= 0x1p30 ? 0x1p30 : -0x1p30;
    if (mode == GRID_NEAREST)
        x = math_round_f64(x);
    if (x < low || x > high) {
        if (padding == GRID_BORDER)
            x = x < 0.0 ? 0.0 : n - 1.0;
        else if (padding == GRID_REFLECTION)
            x = grid_reflect(x, low, high);
    }
    const double base = mode == GRID_NEAREST ? math_trunc_f64(x) : math_floor_f64(x);
    const int first = mode == GRID_CUBIC ? -1 : 0;
    grid_taps taps = {.count = mode == GRID_NEAREST ? 1 : mode == GRID_LINEAR ? 2 : 4};
    for (int t = 0; t < taps.count; t++) {
        const double k = base + (double)(t + first), d = x - k;
        taps.index[t] = grid_index(k, size, padding, low, high);
        taps.weight[t] = mode == GRID_NEAREST  ? 1.0
                         : mode == GRID_LINEAR ? 1.0 - math_abs_f64(d)
                                               : grid_cubic(d);
    }
    return taps;
}

#define GRID_SAMPLE_FAMILY(T) \
    WHET_INLINE void grid_point_##T(const T *image, T *y, const long *in, const long channels, \
                                    const grid_taps *taps) \
    { \
        for (long start = 0; start < channels; start += GRID_WIDTH) { \
            const long rest = channels - start, width = rest < GRID_WIDTH ? rest : GRID_WIDTH; \
            wide_##T sum[GRID_WIDTH] = {0}; \
            for (int i = 0; i < taps[0].count; i++) \
            for (int j = 0; j < taps[1].count; j++) \
            for (int k = 0; k < taps[2].count; k++) { \
                const long a = taps[0].index[i], b = taps[1].index[j], c = taps[2].index[k]; \
                if (a < 0 || b < 0 || c < 0) \
                    continue; \
                const double w = taps[0].weight[i] * taps[1].weight[j] * taps[2].weight[k]; \
                const T *from = image + ((a * in[1] + b) * in[2] + c) * channels + start; \
                for (long l = 0; l < width; l++) \
                    sum[l] += (wide_##T)w * widen_##T(from[l]); \
            } \
            for (long l = 0; l < width; l++) \
                y[start + l] = narrow_##T(sum[l]); \
        } \
    } \
    WHET_INLINE void grid_sample_##T(const T *x, const T *grid, T *y, const long batch, \
                                     const long *in, const long *out, const long channels, \
                                     const int dims, const int mode, const int padding, \
                                     const int align_corners) \
    { \
        const long points = out[0] * out[1] * out[2], size = in[0] * in[1] * in[2]; \
        for (long b = 0; b < batch; b++) \
            for (long p = b * points; p < (b + 1) * points; p++) { \
                grid_taps taps[3] = {{.count = 1, .weight = {1.0}}}; \
                for (int axis = 3 - dims; axis < 3; axis++) \
                    taps[axis] = grid_taps_at((double)widen_##T(grid[p * dims + 2 - axis]), \
                                              in[axis], mode, padding, align_corners); \
                grid_point_##T(x + b * size * channels, y + p * channels, in, channels, taps); \
            } \
    }

/* Normalised coordinate of element i of n. */
WHET_INLINE double grid_coordinate(const long i, const long n, const int align_corners)
{
    if (align_corners)
        return n > 1 ? 2.0 * (double)i / (double)(n - 1) - 1.0 : 0.0;
    return (2.0 * (double)i + 1.0) / (double)n - 1.0;
}

#define AFFINE_GRID_FAMILY(T) \
    WHET_INLINE void affine_grid_##T(const T *theta, T *grid, const long batch, const long *out, \
                                     const int dims, const int align_corners) \
    { \
        for (long b = 0; b < batch; b++, theta += dims * (dims + 1)) \
        for (long i = 0; i < out[0]; i++) \
        for (long j = 0; j < out[1]; j++) \
        for (long k = 0; k < out[2]; k++) { \
            const double point[3] = {grid_coordinate(k, out[2], align_corners), \
                                     grid_coordinate(j, out[1], align_corners), \
                                     grid_coordinate(i, out[0], align_corners)}; \
            for (int d = 0; d < dims; d++) { \
                double sum = (double)theta[d * (dims + 1) + dims]; \
                for (int e = 0; e < dims; e++) \
                    sum += (double)theta[d * (dims + 1) + e] * point[e]; \
                *grid++ = (T)sum; \
            } \
        } \
    }

WHET_FOR_FLOATS(GRID_SAMPLE_FAMILY)
AFFINE_GRID_FAMILY(f32)
AFFINE_GRID_FAMILY(f64)

#endif
