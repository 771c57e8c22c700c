/* Normalisations. T is f32 f64 f16 bf16; statistics take two passes (mean, squared differences)
 * in sum_T, as the ONNX functions are written. x and y may be the same tensor, except in lrn.
 *
 *   layer_norm_T(x, scale, bias, y, mean, inverse, outer, n, epsilon)     x[outer][n]
 *       y = (x - mean) / sqrt(var + epsilon) * scale[n] + bias[n]; bias, mean[outer] and
 *       inverse[outer] (1 / deviation) may be null
 *   rms_norm_T(x, scale, y, outer, n, epsilon)                            x[outer][n]
 *   group_norm_T(x, scale, bias, y, batch, spatial, channels, groups, epsilon)
 *       channels-last x[batch][spatial][channels]; statistics over one group of channels of one
 *       image; scale and bias have one value a channel. groups == channels: instance norm.
 *   batch_norm_T(x, scale, bias, mean, var, y, outer, channels, inner, epsilon)   inference
 *   mean_variance_norm_T(x, y, batch, spatial, channels)   over batch and spatial, per channel
 *   lp_norm_T(x, y, outer, n, inner, p)                    p is 1 or 2; a zero norm gives zeros
 *   lrn_T(x, y, outer, channels, inner, size, alpha, beta, bias)
 * Sources: ONNX LayerNormalization-17, RMSNormalization-23, GroupNormalization-21,
 * InstanceNormalization-22, BatchNormalization-15, MeanVarianceNormalization-13,
 * LpNormalization-22, LRN-13.
 */
#ifndef WHET_NORM_H
#define WHET_NORM_H
#include "reduce.h"

/* Sum of (x - mean)^2 over a contiguous run. */
#define NORM_SQUARES(T) \
    WHET_INLINE wide_##T norm_squares_##T(const T *x, const long n, const wide_##T mean) \
    { \
        wide_##T sum[REDUCE_LANES] = {0}; \
        long j = 0; \
        for (; j + REDUCE_LANES <= n; j += REDUCE_LANES) \
            for (int l = 0; l < REDUCE_LANES; l++) { \
                const wide_##T d = widen_##T(x[j + l]) - mean; \
                sum[l] += d * d; \
            } \
        for (; j < n; j++) { \
            const wide_##T d = widen_##T(x[j]) - mean; \
            sum[0] += d * d; \
        } \
        for (int half = REDUCE_LANES / 2; half; half /= 2) \
            for (int l = 0; l < half; l++) \
                sum[l] += sum[l + half]; \
        return sum[0]; \
    }

#define NORM_ROWS(T, K) \
    WHET_INLINE void layer_norm_##T(const T *x, const T *scale, const T *bias, T *y, T *means, \
                                    T *inverses, const long outer, const long n, \
                                    const wide_##T epsilon) \
    { \
        for (long o = 0; o < outer; o++, x += n, y += n) { \
            const wide_##T mean = reduce_sum_run_##T(x, n) / (wide_##T)n; \
            const wide_##T variance = norm_squares_##T(x, n, mean) / (wide_##T)n; \
            const wide_##T inverse = 1 / math_sqrt_##K(variance + epsilon); \
            for (long j = 0; j < n; j++) { \
                const wide_##T unit = (widen_##T(x[j]) - mean) * inverse; \
                const wide_##T shift = bias ? widen_##T(bias[j]) : 0; \
                y[j] = narrow_##T(unit * widen_##T(scale[j]) + shift); \
            } \
            if (means) \
                means[o] = narrow_##T(mean); \
            if (inverses) \
                inverses[o] = narrow_##T(inverse); \
        } \
    } \
    WHET_INLINE void rms_norm_##T(const T *x, const T *scale, T *y, const long outer, \
                                  const long n, const wide_##T epsilon) \
    { \
        for (long o = 0; o < outer; o++, x += n, y += n) { \
            const wide_##T square = norm_squares_##T(x, n, 0) / (wide_##T)n; \
            const wide_##T inverse = 1 / math_sqrt_##K(square + epsilon); \
            for (long j = 0; j < n; j++) \
                y[j] = narrow_##T(widen_##T(x[j]) * inverse * widen_##T(scale[j])); \
        } \
    }

/* Statistics of a [spatial] x [width] patch whose rows are `stride` apart. */
#define NORM_CHANNELS(T, K) \
    WHET_INLINE void norm_patch_##T(const T *x, const T *scale, const T *bias, T *y, \
                                    const long spatial, const long width, const long stride, \
                                    const wide_##T epsilon) \
    { \
        const wide_##T count = (wide_##T)spatial * (wide_##T)width; \
        wide_##T sum = 0, squares = 0; \
        for (long s = 0; s < spatial; s++) \
            sum += reduce_sum_run_##T(x + s * stride, width); \
        const wide_##T mean = sum / count; \
        for (long s = 0; s < spatial; s++) \
            squares += norm_squares_##T(x + s * stride, width, mean); \
        const wide_##T inverse = 1 / math_sqrt_##K(squares / count + epsilon); \
        for (long s = 0; s < spatial; s++) \
            for (long c = 0; c < width; c++) { \
                const wide_##T unit = (widen_##T(x[s * stride + c]) - mean) * inverse; \
                y[s * stride + c] = \
                    narrow_##T(unit * widen_##T(scale[c]) + widen_##T(bias[c])); \
            } \
    } \
    /* `width` <= REDUCE_WIDTH columns, each `group` of them sharing a mean and a variance; */ \
    /* scale and bias may be null. */ \
    WHET_INLINE void norm_share_##T(wide_##T *sums, const long width, const long group, \
                                    const wide_##T count) \
    { \
        for (long c = 0; c < width; c += group) { \
            wide_##T sum = 0; \
            for (long k = 0; k < group; k++) \
                sum += sums[c + k]; \
            for (long k = 0; k < group; k++) \
                sums[c + k] = sum / count; \
        } \
    } \
    WHET_INLINE void norm_columns_##T(const T *x, const T *scale, const T *bias, T *y, \
                                      const long n, const long width, const long group, \
                                      const long stride, const wide_##T epsilon) \
    { \
        wide_##T mean[REDUCE_WIDTH], inverse[REDUCE_WIDTH]; \
        for (long c = 0; c < width; c++) \
            mean[c] = inverse[c] = 0; \
        for (long s = 0; s < n; s++) \
            for (long c = 0; c < width; c++) \
                mean[c] += widen_##T(x[s * stride + c]); \
        norm_share_##T(mean, width, group, (wide_##T)n * (wide_##T)group); \
        for (long s = 0; s < n; s++) \
            for (long c = 0; c < width; c++) { \
                const wide_##T d = widen_##T(x[s * stride + c]) - mean[c]; \
                inverse[c] += d * d; \
            } \
        norm_share_##T(inverse, width, group, (wide_##T)n * (wide_##T)group); \
        for (long c = 0; c < width; c++) { \
            inverse[c] = 1 / math_sqrt_##K(inverse[c] + epsilon); \
            inverse[c] *= scale ? widen_##T(scale[c]) : 1; \
        } \
        for (long s = 0; s < n; s++) \
            for (long c = 0; c < width; c++) { \
                const wide_##T d = widen_##T(x[s * stride + c]) - mean[c]; \
                const wide_##T shift = bias ? widen_##T(bias[c]) : 0; \
                y[s * stride + c] = narrow_##T(d * inverse[c] + shift); \
            } \
    } \
    WHET_INLINE void norm_all_columns_##T(const T *x, const T *scale, const T *bias, T *y, \
                                          const long n, const long channels, const long group, \
                                          const wide_##T epsilon) \
    { \
        const long step = REDUCE_WIDTH / group * group; \
        for (long c = 0; c < channels; c += step) { \
            const long rest = channels - c; \
            norm_columns_##T(x + c, scale ? scale + c : 0, bias ? bias + c : 0, y + c, n, \
                             rest < step ? rest : step, group, channels, epsilon); \
        } \
    } \
    WHET_INLINE void group_norm_##T(const T *x, const T *scale, const T *bias, T *y, \
                                    const long batch, const long spatial, const long channels, \
                                    const long groups, const wide_##T epsilon) \
    { \
        const long width = channels / groups, image = spatial * channels; \
        for (long b = 0; b < batch; b++, x += image, y += image) { \
            if (width <= REDUCE_WIDTH) { \
                norm_all_columns_##T(x, scale, bias, y, spatial, channels, width, epsilon); \
                continue; \
            } \
            for (long c = 0; c < channels; c += width) \
                norm_patch_##T(x + c, scale + c, bias + c, y + c, spatial, width, channels, \
                               epsilon); \
        } \
    } \
    WHET_INLINE void mean_variance_norm_##T(const T *x, T *y, const long batch, \
                                            const long spatial, const long channels) \
    { \
        norm_all_columns_##T(x, 0, 0, y, batch * spatial, channels, 1, 0); \
    }

#define NORM_ELEMENTS(T, K) \
    WHET_INLINE void batch_norm_##T(const T *x, const T *scale, const T *bias, const T *mean, \
                                    const T *var, T *y, const long outer, const long channels, \
                                    const long inner, const wide_##T epsilon) \
    { \
        for (long start = 0; start < channels; start += REDUCE_WIDTH) { \
            const long rest = channels - start, width = rest < REDUCE_WIDTH ? rest : REDUCE_WIDTH; \
            wide_##T factor[REDUCE_WIDTH], shift[REDUCE_WIDTH]; \
            for (long c = 0; c < width; c++) { \
                const wide_##T deviation = math_sqrt_##K(widen_##T(var[start + c]) + epsilon); \
                factor[c] = widen_##T(scale[start + c]) / deviation; \
                shift[c] = widen_##T(bias[start + c]) - widen_##T(mean[start + c]) * factor[c]; \
            } \
            for (long o = 0; o < outer; o++) { \
                const long at = (o * channels + start) * inner; \
                for (long c = 0; c < width; c++) \
                    for (long i = 0; i < inner; i++) { \
                        const wide_##T v = widen_##T(x[at + c * inner + i]); \
                        y[at + c * inner + i] = narrow_##T(v * factor[c] + shift[c]); \
                    } \
            } \
        } \
    } \
    WHET_INLINE void lp_norm_##T(const T *x, T *y, const long outer, const long n, \
                                 const long inner, const int p) \
    { \
        for (long o = 0; o < outer; o++, x += n * inner, y += n * inner) \
            for (long i = 0; i < inner; i++) { \
                wide_##T sum = 0; \
                for (long j = 0; j < n; j++) { \
                    const wide_##T v = widen_##T(x[j * inner + i]); \
                    sum += p == 1 ? (v < 0 ? -v : v) : v * v; \
                } \
                const wide_##T norm = p == 1 ? sum : math_sqrt_##K(sum); \
                for (long j = 0; j < n; j++) { \
                    const wide_##T v = widen_##T(x[j * inner + i]); \
                    y[j * inner + i] = narrow_##T(norm == 0 ? 0 : v / norm); \
                } \
            } \
    } \
    WHET_INLINE void lrn_##T(const T *x, T *y, const long outer, const long channels, \
                             const long inner, const long size, const wide_##T alpha, \
                             const wide_##T beta, const wide_##T bias) \
    { \
        for (long o = 0; o < outer; o++, x += channels * inner, y += channels * inner) \
            for (long c = 0; c < channels; c++) { \
                const long first = c - (size - 1) / 2 < 0 ? 0 : c - (size - 1) / 2; \
                const long past = c + size / 2 + 1 > channels ? channels : c + size / 2 + 1; \
                for (long i = 0; i < inner; i++) { \
                    wide_##T sum = 0; \
                    for (long k = first; k < past; k++) { \
                        const wide_##T v = widen_##T(x[k * inner + i]); \
                        sum += v * v; \
                    } \
                    const wide_##T base = bias + alpha / (wide_##T)size * sum; \
                    const wide_##T v = widen_##T(x[c * inner + i]); \
                    y[c * inner + i] = narrow_##T(v / math_pow_##K(base, beta)); \
                } \
            } \
    }

#define NORM_FAMILY(T, K) NORM_SQUARES(T) NORM_ROWS(T, K) NORM_CHANNELS(T, K) NORM_ELEMENTS(T, K)
NORM_FAMILY(f32, f32)
NORM_FAMILY(f64, f64)
NORM_FAMILY(f16, f32)
NORM_FAMILY(bf16, f32)

#endif
