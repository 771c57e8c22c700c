/* Linear and kernel machines and their pre- and post-processing. T is f32 or f64.
 *
 *   ml_post_transform_T(x, rows, n, kind)          in place, over rows of n scores
 *   linear_model_T(x, w, bias, y, batch, features, outputs)   w[outputs][features], bias or null
 *   svm_regressor_T(x, y, model, batch, one_class)            y[batch]
 *   svm_classifier_T(x, scores, votes, model, batch, classes)
 *       pairwise decision values scores[batch][classes (classes - 1) / 2], votes[batch][classes]
 *   svm_probabilities_T(scores, a, b, y, scratch, batch, classes)
 *       class probabilities from the decision values by Platt scaling and pairwise coupling (Wu,
 *       Lin, Weng 2004, second method); scratch is T[classes * (2 * classes + 1)]
 *   scaler_T(x, offset, scale, y, rows, n, step)   (x - offset) * scale; step 0: one for all
 *   normalizer_T(x, y, rows, n, kind)              ML_NORM_MAX, L1, L2
 *   imputer_T(x, values, y, rows, n, step, missing)  missing NaN replaces NaN
 *   label_encode(keys, values, fallback, x, y, ...)  see below
 * A binarizer, a feature vectorizer, an array feature extractor and a one-hot encoder are
 * elementwise, concatenation, gather and one_hot. Sources: the ai.onnx.ml operators named so.
 */
#ifndef WHET_CLASSIC_ML_H
#define WHET_CLASSIC_ML_H
#include "math.h"

enum { ML_NONE, ML_SOFTMAX, ML_LOGISTIC, ML_SOFTMAX_ZERO, ML_PROBIT };
enum { ML_NORM_MAX, ML_NORM_L1, ML_NORM_L2 };
enum { SVM_LINEAR, SVM_POLYNOMIAL, SVM_RBF, SVM_SIGMOID };

/* Standard normal quantile, by Winitzki's approximation as ai.onnx.ml runtimes take it. */
WHET_INLINE double ml_probit(const double p)
{
    const double x = 2 * p - 1, product = (1 - x) * (1 + x);
    if (product == 0)
        return 0;
    const double logarithm = math_log_f64(product);
    const double v = 2 / (MATH_PI * 0.147) + 0.5 * logarithm;
    const double root = math_sqrt_f64(math_sqrt_f64(v * v - logarithm / 0.147) - v);
    return 1.41421356 * (x < 0 ? -root : root);
}

WHET_INLINE double ml_logistic(const double x)
{
    const double e = math_exp_f64(-math_abs_f64(x));
    return (x < 0 ? e : 1.0) / (1.0 + e);
}

#define ML_SCORES_FAMILY(T) \
    WHET_INLINE void ml_softmax_##T(T *x, const long n, const int keep_zeros) \
    { \
        double top = (double)x[0], sum = 0; \
        for (long i = 1; i < n; i++) \
            top = (double)x[i] > top ? (double)x[i] : top; \
        for (long i = 0; i < n; i++) { \
            const double v = (double)x[i]; \
            const int zero = keep_zeros && v <= 1e-7 && v >= -1e-7; \
            x[i] = (T)(zero ? v * math_exp_f64(-top) : math_exp_f64(v - top)); \
            sum += (double)x[i]; \
        } \
        for (long i = 0; i < n; i++) \
            x[i] = (T)(sum == 0 ? 0.5 : (double)x[i] / sum); \
    } \
    WHET_INLINE void ml_post_transform_##T(T *x, const long rows, const long n, const int kind) \
    { \
        for (long r = 0; r < rows; r++, x += n) { \
            if (kind == ML_SOFTMAX || kind == ML_SOFTMAX_ZERO) \
                ml_softmax_##T(x, n, kind == ML_SOFTMAX_ZERO); \
            for (long i = 0; i < n && kind == ML_LOGISTIC; i++) \
                x[i] = (T)ml_logistic((double)x[i]); \
            for (long i = 0; i < n && kind == ML_PROBIT; i++) \
                x[i] = (T)ml_probit((double)x[i]); \
        } \
    } \
    WHET_INLINE T ml_dot_##T(const T *a, const T *b, const long n) \
    { \
        T sum[8] = {0}; \
        long i = 0; \
        for (; i + 8 <= n; i += 8) \
            for (int l = 0; l < 8; l++) \
                sum[l] += a[i + l] * b[i + l]; \
        for (; i < n; i++) \
            sum[0] += a[i] * b[i]; \
        return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7])); \
    } \
    WHET_INLINE void linear_model_##T(const T *x, const T *w, const T *bias, T *y, \
                                      const long batch, const long features, \
                                      const long outputs) \
    { \
        for (long b = 0; b < batch; b++, x += features) \
            for (long o = 0; o < outputs; o++) \
                *y++ = ml_dot_##T(x, w + o * features, features) + (bias ? bias[o] : 0); \
    }

/* supports vectors[supports][features]; coefficients[classes - 1][supports] (one row for a
 * regressor); starts[classes + 1] splits the supports by class; rho one a pair of classes. Without
 * supports the regressor is linear, coefficients[features]. */
#define SVM_FAMILY(T) \
    typedef struct { \
        int kernel; \
        T gamma, coef0, degree; \
        long supports, features; \
        const T *vectors, *coefficients, *rho; \
        const i32 *starts; \
    } svm_model_##T; \
    WHET_INLINE T svm_kernel_##T(const svm_model_##T *m, const T *a, const T *b) \
    { \
        if (m->kernel == SVM_RBF) { \
            T sum = 0; \
            for (long i = 0; i < m->features; i++) \
                sum += (a[i] - b[i]) * (a[i] - b[i]); \
            return math_exp_##T(-m->gamma * sum); \
        } \
        const T dot = ml_dot_##T(a, b, m->features); \
        if (m->kernel == SVM_LINEAR) \
            return dot; \
        const T shifted = m->gamma * dot + m->coef0; \
        return m->kernel == SVM_SIGMOID ? math_tanh_##T(shifted) \
                                        : math_pow_##T(shifted, m->degree); \
    } \
    WHET_INLINE void svm_regressor_##T(const T *x, T *y, const svm_model_##T *m, \
                                       const long batch, const int one_class) \
    { \
        for (long b = 0; b < batch; b++, x += m->features) { \
            T sum = m->supports ? 0 : ml_dot_##T(x, m->coefficients, m->features); \
            for (long s = 0; s < m->supports; s++) \
                sum += m->coefficients[s] * svm_kernel_##T(m, x, m->vectors + s * m->features); \
            sum += m->rho[0]; \
            y[b] = one_class ? (sum > 0 ? 1 : -1) : sum; \
        } \
    } \
    /* Add one support's kernel value to the decision values it takes part in. */ \
    WHET_INLINE void svm_add_support_##T(T *scores, const svm_model_##T *m, const long s, \
                                         const long own, const long classes, const T value) \
    { \
        long pair = 0; \
        for (long i = 0; i < classes; i++) \
            for (long j = i + 1; j < classes; j++, pair++) { \
                if (own == i) \
                    scores[pair] += m->coefficients[(j - 1) * m->supports + s] * value; \
                else if (own == j) \
                    scores[pair] += m->coefficients[i * m->supports + s] * value; \
            } \
    } \
    WHET_INLINE void svm_classifier_##T(const T *x, T *scores, T *votes, \
                                        const svm_model_##T *m, const long batch, \
                                        const long classes) \
    { \
        const long pairs = classes * (classes - 1) / 2; \
        for (long b = 0; b < batch; b++, scores += pairs, votes += classes) { \
            const T *row = x + b * m->features; \
            for (long p = 0; p < pairs; p++) \
                scores[p] = m->rho[p]; \
            for (long c = 0; c < classes; c++) { \
                votes[c] = 0; \
                for (long s = m->starts[c]; s < m->starts[c + 1]; s++) { \
                    const T *vector = m->vectors + s * m->features; \
                    const T value = svm_kernel_##T(m, row, vector); \
                    svm_add_support_##T(scores, m, s, c, classes, value); \
                } \
            } \
            long pair = 0; \
            for (long i = 0; i < classes; i++) \
                for (long j = i + 1; j < classes; j++, pair++) \
                    votes[scores[pair] > 0 ? i : j] += 1; \
        } \
    }

#define SVM_PROBABILITY_FAMILY(T) \
    /* One sweep of the coupling iteration; returns the largest change still due. */ \
    WHET_INLINE T svm_couple_##T(T *p, const T *q, T *qp, const long n) \
    { \
        T total = 0, worst = 0; \
        for (long t = 0; t < n; t++) { \
            qp[t] = ml_dot_##T(q + t * n, p, n); \
            total += p[t] * qp[t]; \
        } \
        for (long t = 0; t < n; t++) { \
            const T error = qp[t] < total ? total - qp[t] : qp[t] - total; \
            worst = error > worst ? error : worst; \
        } \
        if (worst < (T)0.005 / (T)n) \
            return worst; \
        for (long t = 0; t < n; t++) { \
            const T step = (total - qp[t]) / q[t * n + t]; \
            p[t] += step; \
            total = (total + step * (step * q[t * n + t] + 2 * qp[t])) / \
                    ((1 + step) * (1 + step)); \
            for (long j = 0; j < n; j++) { \
                qp[j] = (qp[j] + step * q[t * n + j]) / (1 + step); \
                p[j] /= 1 + step; \
            } \
        } \
        return worst; \
    } \
    WHET_INLINE void svm_probabilities_##T(const T *scores, const T *a, const T *b, T *y, \
                                           T *scratch, const long batch, const long classes) \
    { \
        const long n = classes; \
        T *r = scratch, *q = scratch + n * n, *qp = scratch + 2 * n * n; \
        for (long k = 0; k < batch; k++, scores += n * (n - 1) / 2, y += n) { \
            long pair = 0; \
            for (long i = 0; i < n; i++) \
                for (long j = i + 1; j < n; j++, pair++) { \
                    const double at = (double)(scores[pair] * a[pair] + b[pair]); \
                    double v = 1 - ml_logistic(at); \
                    v = v < 1e-7 ? 1e-7 : v > 1 - 1e-7 ? 1 - 1e-7 : v; \
                    r[i * n + j] = (T)v; \
                    r[j * n + i] = (T)(1 - v); \
                } \
            for (long i = 0; i < n; i++) { \
                y[i] = 1 / (T)n; \
                q[i * n + i] = 0; \
                for (long j = 0; j < n; j++) \
                    if (j != i) { \
                        q[i * n + i] += r[j * n + i] * r[j * n + i]; \
                        q[i * n + j] = -r[j * n + i] * r[i * n + j]; \
                    } \
            } \
            const long rounds = n > 100 ? n : 100; \
            for (long round = 0; round < rounds; round++) \
                if (svm_couple_##T(y, q, qp, n) < (T)0.005 / (T)n) \
                    break; \
        } \
    }

#define ML_TABLE_FAMILY(T) \
    WHET_INLINE void scaler_##T(const T *x, const T *offset, const T *scale, T *y, \
                                const long rows, const long n, const long step) \
    { \
        for (long i = 0; i < rows * n; i++) \
            y[i] = (x[i] - offset[i % n * step]) * scale[i % n * step]; \
    } \
    WHET_INLINE void normalizer_##T(const T *x, T *y, const long rows, const long n, \
                                    const int kind) \
    { \
        for (long r = 0; r < rows; r++, x += n, y += n) { \
            T norm = 0; \
            for (long i = 0; i < n; i++) { \
                const T size = x[i] < 0 ? -x[i] : x[i]; \
                if (kind == ML_NORM_MAX) \
                    norm = size > norm ? size : norm; \
                else \
                    norm += kind == ML_NORM_L1 ? size : size * size; \
            } \
            norm = kind == ML_NORM_L2 ? math_sqrt_##T(norm) : norm; \
            norm = norm > (T)1e-30 ? norm : (T)1e-30; \
            for (long i = 0; i < n; i++) \
                y[i] = x[i] / norm; \
        } \
    } \
    WHET_INLINE void imputer_##T(const T *x, const T *values, T *y, const long rows, \
                                 const long n, const long step, const T missing) \
    { \
        for (long i = 0; i < rows * n; i++) { \
            const int gone = missing != missing ? x[i] != x[i] : x[i] == missing; \
            y[i] = gone ? values[i % n * step] : x[i]; \
        } \
    }

/* y[i] = values[k] for the last k with keys[k] == x[i], else fallback; keys and x are compared as
 * bytes, values and y are moved as bytes. */
WHET_INLINE void label_encode(const void *keys, const void *values, const void *fallback,
                              const void *x, void *y, const long n, const long entries,
                              const long key_bytes, const long value_bytes)
{
    for (long i = 0; i < n; i++) {
        const u8 *sought = (const u8 *)x + i * key_bytes, *found = fallback;
        for (long k = 0; k < entries; k++) {
            long same = 0;
            while (same < key_bytes && ((const u8 *)keys)[k * key_bytes + same] == sought[same])
                same++;
            found = same == key_bytes ? (const u8 *)values + k * value_bytes : found;
        }
        __builtin_memcpy((u8 *)y + i * value_bytes, found, (unsigned long)value_bytes);
    }
}

ML_SCORES_FAMILY(f32)
ML_SCORES_FAMILY(f64)
SVM_FAMILY(f32)
SVM_FAMILY(f64)
SVM_PROBABILITY_FAMILY(f32)
SVM_PROBABILITY_FAMILY(f64)
ML_TABLE_FAMILY(f32)
ML_TABLE_FAMILY(f64)

#endif
