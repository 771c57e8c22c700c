/* Softmax, log-softmax and hardmax of x[outer][n][inner] along n. x and y may be the same tensor.
 *
 *   void softmax_T / log_softmax_T / hardmax_T(const T *x, T *y, long outer, long n, long inner)
 *
 * Source: ONNX Softmax-13, LogSoftmax-13, Hardmax-13 (earlier versions: collapse the axes).
 */
#ifndef WHET_SOFTMAX_H
#define WHET_SOFTMAX_H
#include "quick_f32.h"
#include "reduce.h"

WHET_INLINE float softmax_exp_f32(float x) { return quick_exp_negative_f32(x); }

WHET_INLINE double softmax_exp_f64(double x) { return math_exp_f64(x); }

/* One row of n elements, and `width` columns of n elements `inner` apart side by side. */
#define SOFTMAX_KERNELS(T, K) \
    WHET_INLINE void softmax_row_##T(const T *x, T *y, const long n) \
    { \
        const wide_##T largest = reduce_max_run_##T(x, n); \
        for (long j = 0; j < n; j++) \
            y[j] = narrow_##T(softmax_exp_##K(widen_##T(x[j]) - largest)); \
        const wide_##T scale = 1 / reduce_sum_run_##T(y, n); \
        for (long j = 0; j < n; j++) \
            y[j] = narrow_##T(widen_##T(y[j]) * scale); \
    } \
    WHET_INLINE void log_softmax_row_##T(const T *x, T *y, const long n) \
    { \
        const wide_##T largest = reduce_max_run_##T(x, n); \
        wide_##T sum[REDUCE_LANES] = {0}; \
        long j = 0; \
        for (; j + REDUCE_LANES <= n; j += REDUCE_LANES) \
            for (int l = 0; l < REDUCE_LANES; l++) \
                sum[l] += softmax_exp_##K(widen_##T(x[j + l]) - largest); \
        for (int l = 0; j < n; j++, l++) \
            sum[l] += softmax_exp_##K(widen_##T(x[j]) - largest); \
        for (int half = REDUCE_LANES / 2; half; half /= 2) \
            for (int l = 0; l < half; l++) \
                sum[l] += sum[l + half]; \
        const wide_##T log_sum = math_log_##K(sum[0]); \
        for (long i = 0; i < n; i++) \
            y[i] = narrow_##T((widen_##T(x[i]) - largest) - log_sum); \
    } \
    WHET_INLINE void softmax_columns_##T(const T *x, T *y, const long n, const long inner, \
                                         const long width, const int logarithm) \
    { \
        wide_##T largest[REDUCE_WIDTH], sum[REDUCE_WIDTH]; \
        for (long i = 0; i < width; i++) { \
            largest[i] = lowest_##T(); \
            sum[i] = 0; \
        } \
        for (long j = 0; j < n; j++) \
            for (long i = 0; i < width; i++) { \
                const wide_##T v = widen_##T(x[j * inner + i]); \
                largest[i] = v > largest[i] || v != v ? v : largest[i]; \
            } \
        for (long j = 0; j < n; j++) \
            for (long i = 0; i < width; i++) { \
                const wide_##T v = widen_##T(x[j * inner + i]) - largest[i]; \
                const wide_##T e = softmax_exp_##K(v); \
                sum[i] += e; \
                y[j * inner + i] = narrow_##T(logarithm ? v : e); \
            } \
        for (long i = 0; i < width; i++) \
            sum[i] = logarithm ? math_log_##K(sum[i]) : 1 / sum[i]; \
        for (long j = 0; j < n; j++) \
            for (long i = 0; i < width; i++) { \
                const wide_##T v = widen_##T(y[j * inner + i]); \
                y[j * inner + i] = narrow_##T(logarithm ? v - sum[i] : v * sum[i]); \
            } \
    } \
    WHET_INLINE void softmax_all_columns_##T(const T *x, T *y, const long n, const long inner, \
                                             const int logarithm) \
    { \
        long i = 0; \
        for (; i + REDUCE_WIDTH <= inner; i += REDUCE_WIDTH) \
            softmax_columns_##T(x + i, y + i, n, inner, REDUCE_WIDTH, logarithm); \
        if (i < inner) \
            softmax_columns_##T(x + i, y + i, n, inner, inner - i, logarithm); \
    }

#define SOFTMAX_FAMILY(T, K) \
    SOFTMAX_KERNELS(T, K) \
    WHET_INLINE void softmax_##T(const T *x, T *y, const long outer, const long n, \
                                 const long inner) \
    { \
        for (long o = 0; o < outer; o++) { \
            if (inner == 1) \
                softmax_row_##T(x + o * n, y + o * n, n); \
            else \
                softmax_all_columns_##T(x + o * n * inner, y + o * n * inner, n, inner, 0); \
        } \
    } \
    WHET_INLINE void log_softmax_##T(const T *x, T *y, const long outer, const long n, \
                                     const long inner) \
    { \
        for (long o = 0; o < outer; o++) { \
            if (inner == 1) \
                log_softmax_row_##T(x + o * n, y + o * n, n); \
            else \
                softmax_all_columns_##T(x + o * n * inner, y + o * n * inner, n, inner, 1); \
        } \
    } \
    WHET_INLINE void hardmax_##T(const T *x, T *y, const long outer, const long n, \
                                 const long inner) \
    { \
        for (long o = 0; o < outer; o++, x += n * inner, y += n * inner) { \
            for (long i = 0; i < inner; i++) { \
                long best = 0; \
                for (long j = 1; j < n; j++) { \
                    const wide_##T v = widen_##T(x[j * inner + i]); \
                    const wide_##T top = widen_##T(x[best * inner + i]); \
                    best = v > top || (v != v && top == top) ? j : best; \
                } \
                for (long j = 0; j < n; j++) \
                    y[j * inner + i] = narrow_##T(j == best ? 1 : 0); \
            } \
        } \
    }
SOFTMAX_FAMILY(f32, f32)
SOFTMAX_FAMILY(f64, f64)
SOFTMAX_FAMILY(f16, f32)
SOFTMAX_FAMILY(bf16, f32)

#endif
