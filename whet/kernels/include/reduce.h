/* Reductions of x[outer][n][inner] over n, giving y[outer][inner].
 *
 *   void reduce_NAME_T(const T *x, T *y, long outer, long n, long inner)
 *
 * NAME is sum mean max min prod sumsq l1 l2 logsum (all types) or logsumexp (floats). An empty
 * reduction gives the identity: 0, 1, or the type's lowest / highest number; its mean is NaN (0 for
 * integers). max and min return NaN where they meet one, as NumPy's do. Integer sums and products
 * wrap; an integer mean, l2 or logsum truncates. Floats accumulate in sum_T, in 16 interleaved
 * partial sums flushed every 4096 elements when inner is 1, so the error grows slowly with n.
 *
 *   void reduce_NAME_parts_T(const T *x, T *y, long n, long inner, sum_T *sums, int part,
 *                            int parts, void (*wait)(void *pool), void *pool)
 *
 * is one thread's part of the same for outer = 1: SHARED_RUNS runs of rows, which the threads
 * share, are reduced to `sums`, SHARED_RUNS * inner of them; after a wait those give y. The result
 * does not depend on the number of threads.
 *
 *   void cumsum_T / cumprod_T(const T *x, T *y, long outer, long n, long inner, int exclusive,
 *                             int reverse)
 * Source: ONNX Reduce*-18, CumSum-14, CumProd-26.
 */
#ifndef WHET_REDUCE_H
#define WHET_REDUCE_H
#include "math.h"
#include "share.h"

enum { REDUCE_LANES = 16, REDUCE_RUN = 4096, REDUCE_WIDTH = 64 };
#if defined(__AVX512F__)
enum { REDUCE_EXTREME_LANES = 64 };
#elif defined(__thumb__)
enum { REDUCE_EXTREME_LANES = 4 };
#else
enum { REDUCE_EXTREME_LANES = 16 };
#endif

/* The pieces of a reduction: how an accumulator takes an element, how two accumulators merge and
 * what the result is; a and b are accumulators of type A, v an element as wide_T. */
#define REDUCE_ADD(A, a, v) ((a) + (A)(v))
#define REDUCE_MULTIPLY(A, a, v) ((a) * (A)(v))
#define REDUCE_ADD_SQUARE(A, a, v) ((a) + (A)(v) * (A)(v))
#define REDUCE_ADD_SIZE(A, a, v) ((a) + ((v) > 0 ? (A)(v) : (A)0 - (A)(v)))
#define REDUCE_TAKE_LARGER(A, a, v) ((v) > (a) || (v) != (v) ? (v) : (a))
#define REDUCE_TAKE_SMALLER(A, a, v) ((v) < (a) || (v) != (v) ? (v) : (a))
#define REDUCE_SELF(T, a, n) narrow_##T((wide_##T)(a))
#define REDUCE_MEAN_FLOAT(T, a, n) narrow_##T((a) / (wide_##T)(n))
#define REDUCE_MEAN_INTEGER(T, a, n) ((n) ? (T)((wide_##T)(a) / (wide_##T)(n)) : (T)0)
#define REDUCE_ROOT(T, a, n) narrow_##T((wide_##T)reduce_sqrt_##T(a))
#define REDUCE_LOG(T, a, n) narrow_##T((wide_##T)reduce_log_##T((wide_##T)(a)))

/* A contiguous run in 16 interleaved accumulators on every target: the order decides the bits. */
#define REDUCE_RUN_KERNEL(NAME, T, A, FIRST, STEP, MERGE) \
    WHET_INLINE A reduce_##NAME##_run_##T(const T *x, const long n) \
    { \
        A lane[REDUCE_LANES]; \
        for (int l = 0; l < REDUCE_LANES; l++) \
            lane[l] = FIRST; \
        long j = 0; \
        for (; j + REDUCE_LANES <= n; j += REDUCE_LANES) \
            for (int l = 0; l < REDUCE_LANES; l++) \
                lane[l] = STEP(A, lane[l], widen_##T(x[j + l])); \
        for (; j < n; j++) \
            lane[0] = STEP(A, lane[0], widen_##T(x[j])); \
        for (int half = REDUCE_LANES / 2; half; half /= 2) \
            for (int l = 0; l < half; l++) \
                lane[l] = MERGE(A, lane[l], lane[l + half]); \
        return lane[0]; \
    }

/* Extremes do not depend on the order, so they take the plain comparison, which vectorises, and
 * look for NaN (`odd`, the count of elements unequal to themselves) on the side. */
#define REDUCE_EXTREME_RUN(NAME, T, FIRST, BETTER, NOT_A_NUMBER) \
    WHET_INLINE wide_##T reduce_##NAME##_run_##T(const T *x, const long n) \
    { \
        wide_##T lane[REDUCE_EXTREME_LANES]; \
        i32 odd[REDUCE_EXTREME_LANES] = {0}; \
        for (int l = 0; l < REDUCE_EXTREME_LANES; l++) \
            lane[l] = FIRST; \
        long j = 0; \
        for (; j + REDUCE_EXTREME_LANES <= n; j += REDUCE_EXTREME_LANES) \
            for (int l = 0; l < REDUCE_EXTREME_LANES; l++) { \
                const wide_##T v = widen_##T(x[j + l]); \
                lane[l] = v BETTER lane[l] ? v : lane[l]; \
                odd[l] |= v != v; \
            } \
        for (int l = 0; j < n; j++, l++) { \
            const wide_##T v = widen_##T(x[j]); \
            lane[l] = v BETTER lane[l] ? v : lane[l]; \
            odd[l] |= v != v; \
        } \
        for (int half = REDUCE_EXTREME_LANES / 2; half; half /= 2) \
            for (int l = 0; l < half; l++) { \
                lane[l] = lane[l + half] BETTER lane[l] ? lane[l + half] : lane[l]; \
                odd[l] |= odd[l + half]; \
            } \
        return odd[0] ? NOT_A_NUMBER : lane[0]; \
    }

#define REDUCE_KERNEL(NAME, RUN, T, A, FIRST, STEP, MERGE, LAST) \
    WHET_INLINE void reduce_##NAME##_block_##T(const T *x, T *y, const long n, const long inner, \
                                               const long width) \
    { \
        A sum[REDUCE_WIDTH]; \
        for (long i = 0; i < width; i++) \
            sum[i] = FIRST; \
        for (long j = 0; j < n; j++) \
            for (long i = 0; i < width; i++) \
                sum[i] = STEP(A, sum[i], widen_##T(x[j * inner + i])); \
        for (long i = 0; i < width; i++) \
            y[i] = LAST(T, sum[i], n); \
    } \
    WHET_INLINE void reduce_##NAME##_rows_##T(const T *x, A *sums, const long n, \
                                              const long inner) \
    { \
        for (long start = 0; start < inner; start += REDUCE_WIDTH) { \
            const long rest = inner - start, width = rest < REDUCE_WIDTH ? rest : REDUCE_WIDTH; \
            A sum[REDUCE_WIDTH]; \
            for (long i = 0; i < width; i++) \
                sum[i] = FIRST; \
            for (long j = 0; j < n; j++) \
                for (long i = 0; i < width; i++) \
                    sum[i] = STEP(A, sum[i], widen_##T(x[j * inner + start + i])); \
            for (long i = 0; i < width; i++) \
                sums[start + i] = sum[i]; \
        } \
    } \
    WHET_INLINE void reduce_##NAME##_parts_##T(const T *x, T *y, const long n, const long inner, \
                                               A *sums, const int part, const int parts, \
                                               void (*wait)(void *pool), void *pool) \
    { \
        for (long k = thread_share(SHARED_RUNS, part, parts); \
             k < thread_share(SHARED_RUNS, part + 1, parts); k++) { \
            const long from = n * k / SHARED_RUNS, past = n * (k + 1) / SHARED_RUNS; \
            reduce_##NAME##_rows_##T(x + from * inner, sums + k * inner, past - from, inner); \
        } \
        if (parts > 1) \
            wait(pool); \
        const long begin = thread_share(inner, part, parts); \
        const long end = thread_share(inner, part + 1, parts); \
        for (long i = begin; i < end; i++) { \
            A sum = sums[i]; \
            for (long k = 1; k < SHARED_RUNS; k++) \
                sum = MERGE(A, sum, sums[k * inner + i]); \
            y[i] = LAST(T, sum, n); \
        } \
    } \
    WHET_INLINE void reduce_##NAME##_##T(const T *x, T *y, const long outer, const long n, \
                                         const long inner) \
    { \
        for (long o = 0; o < outer; o++, x += n * inner, y += inner) { \
            if (inner == 1) { \
                A sum = FIRST; \
                for (long j = 0; j < n; j += REDUCE_RUN) { \
                    const long run = n - j < REDUCE_RUN ? n - j : REDUCE_RUN; \
                    const A part = reduce_##RUN##_run_##T(x + j, run); \
                    sum = MERGE(A, sum, part); \
                } \
                *y = LAST(T, sum, n); \
                continue; \
            } \
            long i = 0; \
            for (; i + REDUCE_WIDTH <= inner; i += REDUCE_WIDTH) \
                reduce_##NAME##_block_##T(x + i, y + i, n, inner, REDUCE_WIDTH); \
            if (i < inner) \
                reduce_##NAME##_block_##T(x + i, y + i, n, inner, inner - i); \
        } \
    }

/* C is the type roots and logarithms are taken in, K its suffix. */
#define REDUCE_FAMILY(T, K, C, MEAN, NOT_A_NUMBER) \
    WHET_INLINE C reduce_sqrt_##T(sum_##T x) { return math_sqrt_##K((C)x); } \
    WHET_INLINE C reduce_log_##T(wide_##T x) { return math_log_##K((C)x); } \
    REDUCE_RUN_KERNEL(sum, T, sum_##T, 0, REDUCE_ADD, REDUCE_ADD) \
    REDUCE_RUN_KERNEL(prod, T, sum_##T, 1, REDUCE_MULTIPLY, REDUCE_MULTIPLY) \
    REDUCE_RUN_KERNEL(sumsq, T, sum_##T, 0, REDUCE_ADD_SQUARE, REDUCE_ADD) \
    REDUCE_RUN_KERNEL(l1, T, sum_##T, 0, REDUCE_ADD_SIZE, REDUCE_ADD) \
    REDUCE_EXTREME_RUN(max, T, lowest_##T(), >, NOT_A_NUMBER) \
    REDUCE_EXTREME_RUN(min, T, highest_##T(), <, NOT_A_NUMBER) \
    REDUCE_KERNEL(sum, sum, T, sum_##T, 0, REDUCE_ADD, REDUCE_ADD, REDUCE_SELF) \
    REDUCE_KERNEL(mean, sum, T, sum_##T, 0, REDUCE_ADD, REDUCE_ADD, MEAN) \
    REDUCE_KERNEL(logsum, sum, T, sum_##T, 0, REDUCE_ADD, REDUCE_ADD, REDUCE_LOG) \
    REDUCE_KERNEL(prod, prod, T, sum_##T, 1, REDUCE_MULTIPLY, REDUCE_MULTIPLY, REDUCE_SELF) \
    REDUCE_KERNEL(sumsq, sumsq, T, sum_##T, 0, REDUCE_ADD_SQUARE, REDUCE_ADD, REDUCE_SELF) \
    REDUCE_KERNEL(l2, sumsq, T, sum_##T, 0, REDUCE_ADD_SQUARE, REDUCE_ADD, REDUCE_ROOT) \
    REDUCE_KERNEL(l1, l1, T, sum_##T, 0, REDUCE_ADD_SIZE, REDUCE_ADD, REDUCE_SELF) \
    REDUCE_KERNEL(max, max, T, wide_##T, lowest_##T(), REDUCE_TAKE_LARGER, REDUCE_TAKE_LARGER, \
                  REDUCE_SELF) \
    REDUCE_KERNEL(min, min, T, wide_##T, highest_##T(), REDUCE_TAKE_SMALLER, \
                  REDUCE_TAKE_SMALLER, REDUCE_SELF)
#define REDUCE_FLOAT(T) REDUCE_FAMILY(T, f32, float, REDUCE_MEAN_FLOAT, WHET_NAN)
#define REDUCE_INTEGER(T) REDUCE_FAMILY(T, f64, double, REDUCE_MEAN_INTEGER, 0)
REDUCE_FLOAT(f32)
REDUCE_FLOAT(f16)
REDUCE_FLOAT(bf16)
REDUCE_FAMILY(f64, f64, double, REDUCE_MEAN_FLOAT, WHET_NAN)
WHET_FOR_INTEGERS(REDUCE_INTEGER)

/* log(sum(exp(x))) around the largest element, which cannot overflow. */
#define REDUCE_LOG_SUM_EXP(T, K) \
    WHET_INLINE void reduce_logsumexp_##T(const T *x, T *y, const long outer, const long n, \
                                          const long inner) \
    { \
        for (long o = 0; o < outer; o++, x += n * inner, y += inner) { \
            for (long i = 0; i < inner; i++) { \
                wide_##T largest = lowest_##T(), sum = 0; \
                for (long j = 0; j < n; j++) \
                    largest = REDUCE_TAKE_LARGER(, largest, widen_##T(x[j * inner + i])); \
                for (long j = 0; j < n; j++) \
                    sum += math_exp_##K(widen_##T(x[j * inner + i]) - largest); \
                const int finite = largest - largest == 0; \
                y[i] = narrow_##T(finite ? largest + math_log_##K(sum) : largest); \
            } \
        } \
    }
REDUCE_LOG_SUM_EXP(f32, f32)
REDUCE_LOG_SUM_EXP(f64, f64)
REDUCE_LOG_SUM_EXP(f16, f32)
REDUCE_LOG_SUM_EXP(bf16, f32)

/* Running sums or products along n. `exclusive` leaves the element itself out; `reverse` runs from
 * the end. x and y may be the same tensor. */
#define CUMULATE_KERNEL(NAME, T, FIRST, OPERATOR) \
    WHET_INLINE void NAME##_##T(const T *x, T *y, const long outer, const long n, \
                                const long inner, const int exclusive, const int reverse) \
    { \
        for (long o = 0; o < outer; o++, x += n * inner, y += inner * n) { \
            for (long start = 0; start < inner; start += REDUCE_WIDTH) { \
                const long rest = inner - start; \
                const long width = rest < REDUCE_WIDTH ? rest : REDUCE_WIDTH; \
                sum_##T total[REDUCE_WIDTH]; \
                for (long i = 0; i < width; i++) \
                    total[i] = FIRST; \
                for (long step = 0; step < n; step++) { \
                    const long at = (reverse ? n - 1 - step : step) * inner + start; \
                    for (long i = 0; i < width; i++) { \
                        const sum_##T before = total[i]; \
                        total[i] = before OPERATOR (sum_##T)widen_##T(x[at + i]); \
                        y[at + i] = narrow_##T((wide_##T)(exclusive ? before : total[i])); \
                    } \
                } \
            } \
        } \
    }
#define CUMULATE_FAMILY(T) CUMULATE_KERNEL(cumsum, T, 0, +) CUMULATE_KERNEL(cumprod, T, 1, *)
WHET_FOR_NUMBERS(CUMULATE_FAMILY)

#endif
