/* Boxes and regions of interest.
 *
 *   non_max_suppression(...)          f32, see below
 *   roi_align_T(...) max_roi_pool_T(...)   f32 f64 f16 bf16, channels-last, see below
 *
 * Sources: ONNX NonMaxSuppression-11, RoiAlign-22 (He et al. 2017), MaxRoiPool-22 (Girshick 2015).
 */
#ifndef WHET_DETECTION_H
#define WHET_DETECTION_H
#include "math.h"
#include "sort.h"

typedef struct {
    float x0, y0, x1, y1;
} box_corners;

/* A box given by two opposite corners (y, x, y, x), or centred: (x, y, width, height). */
WHET_INLINE box_corners box_load(const float *b, const int centred)
{
    if (centred) {
        const float w = b[2] / 2, h = b[3] / 2;
        return (box_corners){b[0] - w, b[1] - h, b[0] + w, b[1] + h};
    }
    return (box_corners){b[1] < b[3] ? b[1] : b[3], b[0] < b[2] ? b[0] : b[2],
                         b[1] < b[3] ? b[3] : b[1], b[0] < b[2] ? b[2] : b[0]};
}

/* Whether intersection over union exceeds the threshold; empty boxes overlap nothing. */
WHET_INLINE int box_overlaps(const box_corners a, const box_corners b, const float threshold)
{
    const float x0 = a.x0 > b.x0 ? a.x0 : b.x0, x1 = a.x1 < b.x1 ? a.x1 : b.x1;
    const float y0 = a.y0 > b.y0 ? a.y0 : b.y0, y1 = a.y1 < b.y1 ? a.y1 : b.y1;
    if (x1 <= x0 || y1 <= y0)
        return 0;
    const float both = (x1 - x0) * (y1 - y0);
    const float area_a = (a.x1 - a.x0) * (a.y1 - a.y0), area_b = (b.x1 - b.x0) * (b.y1 - b.y0);
    const float either = area_a + area_b - both;
    if (both <= 0 || area_a <= 0 || area_b <= 0 || either <= 0)
        return 0;
    return both / either > threshold;
}

/* boxes[batch][n][4], scores[batch][classes][n] -> rows (batch, class, box) of y, by falling score
 * within each class; at most `limit` a class, only scores above score_threshold if use_threshold.
 * y holds batch * classes * min(limit, n) rows, order n entries of scratch. Returns the rows. */
WHET_INLINE long non_max_suppression(const float *boxes, const float *scores, i64 *y, i64 *order,
                                     const long batch, const long classes, const long n,
                                     const long limit, const float overlap,
                                     const float score_threshold, const int use_threshold,
                                     const int centred)
{
    long rows = 0;
    for (long b = 0; b < batch; b++)
        for (long c = 0; c < classes; c++) {
            const float *score = scores + (b * classes + c) * n;
            const long first = rows;
            long candidates = 0;
            for (long i = 0; i < n; i++)
                if (!use_threshold || score[i] > score_threshold)
                    order[candidates++] = i;
            topk_build_f32(score, 1, 1, order, candidates);
            topk_unwind_f32(score, 1, 1, order, candidates);
            for (long i = 0; i < candidates && rows - first < limit; i++) {
                const long candidate = (long)order[i];
                const box_corners box = box_load(boxes + (b * n + candidate) * 4, centred);
                int keep = 1;
                for (long r = first; r < rows && keep; r++) {
                    const float *kept = boxes + (b * n + (long)y[r * 3 + 2]) * 4;
                    keep = !box_overlaps(box, box_load(kept, centred), overlap);
                }
                if (!keep)
                    continue;
                y[rows * 3] = b;
                y[rows * 3 + 1] = c;
                y[rows * 3 + 2] = candidate;
                rows++;
            }
        }
    return rows;
}

/* y[rois][height][width][channels] pools x[batch][in_height][in_width][channels] over each region
 * (x0, y0, x1, y1) of image batch_indices[roi]: the mean (or, for `largest`, the largest weighted
 * corner) of ratio x ratio bilinear samples a cell; ratio 0 takes one sample an input element. A
 * batch index outside gives zeros and WHET_BAD_INDEX. */
#define ROI_ALIGN_FAMILY(T) \
    WHET_INLINE void roi_sample_##T(const T *image, wide_##T row, wide_##T column, \
                                    const long height, const long width, const long channels, \
                                    T *y, wide_##T *sum, const int largest, const int first) \
    { \
        const int outside = row < -1 || row > (wide_##T)height || column < -1 || \
                            column > (wide_##T)width; \
        row = row > 0 ? row : 0; \
        column = column > 0 ? column : 0; \
        const long i0 = row < (wide_##T)(height - 1) ? (long)row : height - 1; \
        const long j0 = column < (wide_##T)(width - 1) ? (long)column : width - 1; \
        const long i1 = i0 + 1 < height ? i0 + 1 : i0, j1 = j0 + 1 < width ? j0 + 1 : j0; \
        const wide_##T v = i1 > i0 ? row - (wide_##T)i0 : 0; \
        const wide_##T u = j1 > j0 ? column - (wide_##T)j0 : 0; \
        const wide_##T w[4] = {(1 - v) * (1 - u), (1 - v) * u, v * (1 - u), v * u}; \
        const long at[4] = {i0 * width + j0, i0 * width + j1, i1 * width + j0, i1 * width + j1}; \
        for (long c = 0; c < channels; c++) { \
            wide_##T total = 0, top = 0; \
            for (int k = 0; k < 4 && !outside; k++) { \
                const wide_##T part = w[k] * widen_##T(image[at[k] * channels + c]); \
                total += part; \
                top = k == 0 || part > top ? part : top; \
            } \
            if (largest) \
                y[c] = first || top > widen_##T(y[c]) ? narrow_##T(top) : y[c]; \
            else \
                sum[c] = first ? total : sum[c] + total; \
        } \
    } \
    WHET_INLINE void roi_align_one_##T(const T *image, const T *roi, T *y, wide_##T *sum, \
                                       const long in_height, const long in_width, \
                                       const long channels, const long height, \
                                       const long width, const wide_##T scale, const long ratio, \
                                       const int largest, const int half_pixel) \
    { \
        const wide_##T shift = half_pixel ? (wide_##T)0.5 : 0; \
        const wide_##T x0 = widen_##T(roi[0]) * scale - shift; \
        const wide_##T y0 = widen_##T(roi[1]) * scale - shift; \
        wide_##T w = widen_##T(roi[2]) * scale - shift - x0; \
        wide_##T h = widen_##T(roi[3]) * scale - shift - y0; \
        w = half_pixel || w > 1 ? w : 1; \
        h = half_pixel || h > 1 ? h : 1; \
        const wide_##T cell_w = w / (wide_##T)width, cell_h = h / (wide_##T)height; \
        const long grid_w = ratio > 0 ? ratio : (long)math_ceil_f64((double)cell_w); \
        const long grid_h = ratio > 0 ? ratio : (long)math_ceil_f64((double)cell_h); \
        const long samples = grid_w > 0 && grid_h > 0 ? grid_w * grid_h : 0; \
        for (long cell = 0; cell < height * width; cell++, y += channels) { \
            const wide_##T top = y0 + (wide_##T)(cell / width) * cell_h; \
            const wide_##T left = x0 + (wide_##T)(cell % width) * cell_w; \
            for (long s = 0; s < samples; s++) { \
                const wide_##T i = (wide_##T)(s / grid_w) + (wide_##T)0.5; \
                const wide_##T j = (wide_##T)(s % grid_w) + (wide_##T)0.5; \
                roi_sample_##T(image, top + i * cell_h / (wide_##T)grid_h, \
                               left + j * cell_w / (wide_##T)grid_w, in_height, in_width, \
                               channels, y, sum, largest, s == 0); \
            } \
            for (long c = 0; c < channels && (!largest || !samples); c++) \
                y[c] = narrow_##T(samples ? sum[c] / (wide_##T)samples : 0); \
        } \
    } \
    /* sum is scratch of `channels`. */ \
    WHET_INLINE int roi_align_##T(const T *x, const T *rois, const i64 *batch_indices, T *y, \
                                  wide_##T *sum, const long batch, const long in_height, \
                                  const long in_width, const long channels, const long count, \
                                  const long height, const long width, const wide_##T scale, \
                                  const long ratio, const int largest, const int half_pixel) \
    { \
        int status = WHET_OK; \
        const long size = height * width * channels; \
        for (long r = 0; r < count; r++, y += size) { \
            if (batch_indices[r] >= 0 && batch_indices[r] < batch) { \
                roi_align_one_##T(x + batch_indices[r] * in_height * in_width * channels, \
                                  rois + r * 4, y, sum, in_height, in_width, channels, height, \
                                  width, scale, ratio, largest, half_pixel); \
                continue; \
            } \
            status = WHET_BAD_INDEX; \
            for (long i = 0; i < size; i++) \
                y[i] = narrow_##T(0); \
        } \
        return status; \
    }

/* First or one-past-last input element of pooling cell i of `cells` over `size` elements. */
WHET_INLINE long roi_edge(const double start, const double size, const long i, const long cells,
                          const long limit, const int past)
{
    const double at = (double)i * (size / (double)cells);
    const double edge = start + (past ? math_ceil_f64(at) : math_floor_f64(at));
    return edge < 0 ? 0 : edge > (double)limit ? limit : (long)edge;
}

/* To the nearest integer, halves away from zero. */
WHET_INLINE double roi_round(const double x)
{
    return math_copysign_f64(math_floor_f64(math_abs_f64(x) + 0.5), x);
}

/* rois[count][5] = (image, x0, y0, x1, y1), corners included; y[count][height][width][channels] is
 * the largest element of each cell, 0 where a cell is empty. */
#define MAX_ROI_POOL_FAMILY(T) \
    WHET_INLINE int max_roi_pool_##T(const T *x, const T *rois, T *y, const long batch, \
                                     const long in_height, const long in_width, \
                                     const long channels, const long count, const long height, \
                                     const long width, const double scale) \
    { \
        int status = WHET_OK; \
        for (long r = 0; r < count; r++, rois += 5) { \
            double at[5]; \
            for (int i = 1; i < 5; i++) \
                at[i] = roi_round((double)widen_##T(rois[i]) * scale); \
            const double w = at[3] - at[1] < 0 ? 1 : at[3] - at[1] + 1; \
            const double h = at[4] - at[2] < 0 ? 1 : at[4] - at[2] + 1; \
            const wide_##T image = widen_##T(rois[0]); \
            const int inside = image >= 0 && image < (wide_##T)batch; \
            status = inside ? status : WHET_BAD_INDEX; \
            const T *from = x + (inside ? (long)image : 0) * in_height * in_width * channels; \
            for (long cell = 0; cell < height * width; cell++) { \
                const long i0 = roi_edge(at[2], h, cell / width, height, in_height, 0); \
                const long i1 = roi_edge(at[2], h, cell / width + 1, height, in_height, 1); \
                const long j0 = roi_edge(at[1], w, cell % width, width, in_width, 0); \
                const long j1 = roi_edge(at[1], w, cell % width + 1, width, in_width, 1); \
                for (long c = 0; c < channels; c++) { \
                    wide_##T best = lowest_##T(); \
                    for (long i = i0; i < i1 && inside; i++) \
                        for (long j = j0; j < j1; j++) { \
                            const T element = from[(i * in_width + j) * channels + c]; \
                            const wide_##T v = widen_##T(element); \
                            best = v > best ? v : best; \
                        } \
                    const int empty = !inside || i1 <= i0 || j1 <= j0; \
                    *y++ = narrow_##T(empty ? 0 : best); \
                } \
            } \
        } \
        return status; \
    }

WHET_FOR_FLOATS(ROI_ALIGN_FAMILY)
WHET_FOR_FLOATS(MAX_ROI_POOL_FAMILY)

#endif
