/* Ordering along an axis: top k (argsort when k = n) and unique.
 *
 *   topk_T(x, values, indices, outer, n, inner, k, largest)
 *       x[outer][n][inner] -> values (may be null) and indices (i64), both [outer][k][inner], in
 *       order; of equals the lower index comes first; NaN counts as larger than any number.
 *       k <= n. ONNX leaves unsorted results free, so sorted ones serve.
 *   unique_T(x, y, indices, inverse, counts, order, outer, n, inner, sorted)
 *       distinct slices of x[outer][n][inner] along n, compared element by element in memory order;
 *       writes y[outer][u][inner] and, i64 all of length n, the first occurrence and the count of
 *       each distinct slice, the inverse map, and `order`, which is scratch. Returns u. Slices come
 *       sorted, or else by first occurrence. A flattened tensor is outer = inner = 1.
 * Both keep a heap in place (Williams 1964) and need no other memory. Sources: ONNX TopK-24,
 * Unique-11.
 */
#ifndef WHET_SORT_H
#define WHET_SORT_H
#include "types.h"

/* Three-way comparison of two numbers with NaN on top. */
#define SORT_COMPARE(a, b) \
    ((a) < (b) || ((b) != (b) && (a) == (a)) ? -1 : (a) > (b) || ((a) != (a) && (b) == (b)))

/* A heap of indices whose root comes last in the wanted order; sink restores it below `root`. */
#define TOPK_FAMILY(T) \
    WHET_INLINE int topk_before_##T(const T *x, const long inner, const int largest, i64 a, \
                                    i64 b) \
    { \
        const wide_##T p = widen_##T(x[a * inner]), q = widen_##T(x[b * inner]); \
        const int order = SORT_COMPARE(p, q); \
        return order == 0 ? a < b : largest ? order > 0 : order < 0; \
    } \
    WHET_INLINE void topk_sink_##T(const T *x, const long inner, const int largest, i64 *heap, \
                                   long root, const long size) \
    { \
        const i64 moved = heap[root * inner]; \
        for (long child; (child = 2 * root + 1) < size; root = child) { \
            child += child + 1 < size && topk_before_##T(x, inner, largest, heap[child * inner], \
                                                         heap[(child + 1) * inner]); \
            if (!topk_before_##T(x, inner, largest, moved, heap[child * inner])) \
                break; \
            heap[root * inner] = heap[child * inner]; \
        } \
        heap[root * inner] = moved; \
    } \
    /* Make a heap of k indices; put the indices of a heap in order. */ \
    WHET_INLINE void topk_build_##T(const T *x, const long inner, const int largest, i64 *heap, \
                                    const long k) \
    { \
        for (long root = k / 2 - 1; root >= 0; root--) \
            topk_sink_##T(x, inner, largest, heap, root, k); \
    } \
    WHET_INLINE void topk_unwind_##T(const T *x, const long inner, const int largest, i64 *heap, \
                                     const long k) \
    { \
        for (long last = k - 1; last > 0; last--) { \
            const i64 top = heap[0]; \
            heap[0] = heap[last * inner]; \
            heap[last * inner] = top; \
            topk_sink_##T(x, inner, largest, heap, 0, last); \
        } \
    } \
    WHET_INLINE void topk_column_##T(const T *x, i64 *heap, const long n, const long inner, \
                                     const long k, const int largest) \
    { \
        for (long i = 0; i < k; i++) \
            heap[i * inner] = i; \
        topk_build_##T(x, inner, largest, heap, k); \
        for (long i = k; i < n && k > 0; i++) \
            if (topk_before_##T(x, inner, largest, i, heap[0])) { \
                heap[0] = i; \
                topk_sink_##T(x, inner, largest, heap, 0, k); \
            } \
        topk_unwind_##T(x, inner, largest, heap, k); \
    } \
    WHET_INLINE void topk_##T(const T *x, T *values, i64 *indices, const long outer, \
                              const long n, const long inner, const long k, const int largest) \
    { \
        for (long o = 0; o < outer; o++) \
            for (long i = 0; i < inner; i++) { \
                const T *column = x + o * n * inner + i; \
                i64 *heap = indices + o * k * inner + i; \
                topk_column_##T(column, heap, n, inner, k, largest); \
                for (long j = 0; values && j < k; j++) \
                    values[(o * k + j) * inner + i] = column[heap[j * inner] * inner]; \
            } \
    }
#define UNIQUE_FAMILY(T) \
    WHET_INLINE int unique_compare_##T(const T *x, const long outer, const long n, \
                                       const long inner, i64 a, i64 b) \
    { \
        for (long o = 0; o < outer; o++) \
            for (long i = 0; i < inner; i++) { \
                const wide_##T p = widen_##T(x[(o * n + a) * inner + i]); \
                const wide_##T q = widen_##T(x[(o * n + b) * inner + i]); \
                const int order = SORT_COMPARE(p, q); \
                if (order) \
                    return order; \
            } \
        return 0; \
    } \
    WHET_INLINE int unique_before_##T(const T *x, const long outer, const long n, \
                                      const long inner, i64 a, i64 b) \
    { \
        const int order = unique_compare_##T(x, outer, n, inner, a, b); \
        return order < 0 || (order == 0 && a < b); \
    } \
    WHET_INLINE void unique_sink_##T(const T *x, const long outer, const long n, \
                                     const long inner, i64 *heap, long root, const long size) \
    { \
        const i64 moved = heap[root]; \
        for (long child; (child = 2 * root + 1) < size; root = child) { \
            child += child + 1 < size && \
                     unique_before_##T(x, outer, n, inner, heap[child], heap[child + 1]); \
            if (!unique_before_##T(x, outer, n, inner, moved, heap[child])) \
                break; \
            heap[root] = heap[child]; \
        } \
        heap[root] = moved; \
    } \
    WHET_INLINE void unique_sort_##T(const T *x, i64 *order, const long outer, const long n, \
                                     const long inner) \
    { \
        for (long i = 0; i < n; i++) \
            order[i] = i; \
        for (long root = n / 2 - 1; root >= 0; root--) \
            unique_sink_##T(x, outer, n, inner, order, root, n); \
        for (long last = n - 1; last > 0; last--) { \
            const i64 top = order[0]; \
            order[0] = order[last]; \
            order[last] = top; \
            unique_sink_##T(x, outer, n, inner, order, 0, last); \
        } \
    } \
    WHET_INLINE long unique_##T(const T *x, T *y, i64 *indices, i64 *inverse, i64 *counts, \
                                i64 *order, const long outer, const long n, const long inner, \
                                const int sorted) \
    { \
        long found = 0; \
        unique_sort_##T(x, order, outer, n, inner); \
        for (long i = 0; i < n; i++) { \
            if (i == 0 || unique_compare_##T(x, outer, n, inner, order[i - 1], order[i])) \
                indices[found++] = order[i]; \
            inverse[order[i]] = found - 1; \
        } \
        if (!sorted) \
            unique_by_occurrence(indices, inverse, order, n); \
        for (long i = 0; i < found; i++) \
            counts[i] = 0; \
        for (long i = 0; i < n; i++) \
            counts[inverse[i]]++; \
        for (long o = 0; o < outer; o++) \
            for (long u = 0; u < found; u++) \
                for (long i = 0; i < inner; i++) \
                    y[(o * found + u) * inner + i] = x[(o * n + indices[u]) * inner + i]; \
        return found; \
    }

/* Renumber sorted classes by first occurrence; `rank` is scratch of length n. */
WHET_INLINE void unique_by_occurrence(i64 *indices, i64 *inverse, i64 *rank, const long n)
{
    long found = 0;
    for (long i = 0; i < n; i++)
        if (indices[inverse[i]] == i)
            rank[inverse[i]] = found++;
    found = 0;
    for (long i = 0; i < n; i++)
        inverse[i] = rank[inverse[i]];
    for (long i = 0; i < n; i++)
        if (inverse[i] == found)
            indices[found++] = i;
}
WHET_FOR_NUMBERS(TOPK_FAMILY)
WHET_FOR_NUMBERS(UNIQUE_FAMILY)

#endif
