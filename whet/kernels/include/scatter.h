/* Writing by index. y arrives holding the data that stay; indices are as in gather.h, and one that
 * is outside writes nothing and gives WHET_BAD_INDEX. Later updates of one place come after earlier
 * ones. The reductions of scatter_elements_T and scatter_nd_T are SCATTER_ADD, MULTIPLY, MAX, MIN;
 * plain writing moves bytes. Sources: ONNX ScatterElements-18, ScatterND-18, TensorScatter-24.
 */
#ifndef WHET_SCATTER_H
#define WHET_SCATTER_H
#include "gather.h"

enum { SCATTER_ADD = 1, SCATTER_MULTIPLY, SCATTER_MAX, SCATTER_MIN };

/* Place in y of element i of an index tensor whose coordinates are `at`, or -1 if outside. */
WHET_INLINE long scatter_place(const void *indices, const long i, const long *at,
                               const long *y_shape, const int rank, const int axis,
                               const int index_bytes)
{
    long to[INDEX_RANK];
    for (int a = 0; a < rank; a++)
        to[a] = at[a];
    to[axis] = index_at(indices, i, index_bytes, y_shape[axis]);
    return to[axis] < 0 ? -1 : index_place(to, y_shape, rank);
}

/* y[i][indices[i][j][k]][k] = updates[i][j][k] for axis 1, and so on. */
WHET_INLINE int scatter_elements(void *y, const void *indices, const void *updates,
                                 const long *y_shape, const long *index_shape, const int rank,
                                 const int axis, const long bytes, const int index_bytes)
{
    int status = WHET_OK;
    long at[INDEX_RANK] = {0};
    const long count = index_count(index_shape, rank);
    for (long i = 0; i < count; i++, index_next(at, index_shape, rank)) {
        const long place = scatter_place(indices, i, at, y_shape, rank, axis, index_bytes);
        if (place < 0)
            status = WHET_BAD_INDEX;
        else
            index_copy((u8 *)y + place * bytes, (const u8 *)updates + i * bytes, bytes);
    }
    return status;
}

/* y[tuple][inner] = updates[count][inner], y being [shape...][inner bytes] and the tuples
 * indices[count][depth]. */
WHET_INLINE int scatter_nd(void *y, const void *indices, const void *updates, const long *shape,
                           const int depth, const long count, const long inner_bytes,
                           const int index_bytes)
{
    int status = WHET_OK;
    for (long i = 0; i < count; i++) {
        const long place = index_tuple(indices, i, shape, depth, index_bytes);
        if (place < 0)
            status = WHET_BAD_INDEX;
        else
            index_copy((u8 *)y + place * inner_bytes, (const u8 *)updates + i * inner_bytes,
                       inner_bytes);
    }
    return status;
}

#define SCATTER_FAMILY(T) \
    WHET_INLINE T scatter_combine_##T(T old, T update, const int reduction) \
    { \
        const wide_##T a = widen_##T(old), b = widen_##T(update); \
        const sum_##T p = (sum_##T)a, q = (sum_##T)b; \
        if (reduction == SCATTER_ADD) \
            return narrow_##T((wide_##T)(p + q)); \
        if (reduction == SCATTER_MULTIPLY) \
            return narrow_##T((wide_##T)(p * q)); \
        if (reduction == SCATTER_MAX) \
            return b > a || b != b ? update : old; \
        return b < a || b != b ? update : old; \
    } \
    WHET_INLINE int scatter_elements_##T(T *y, const void *indices, const T *updates, \
                                         const long *y_shape, const long *index_shape, \
                                         const int rank, const int axis, \
                                         const int index_bytes, const int reduction) \
    { \
        int status = WHET_OK; \
        long at[INDEX_RANK] = {0}; \
        const long count = index_count(index_shape, rank); \
        for (long i = 0; i < count; i++, index_next(at, index_shape, rank)) { \
            const long place = scatter_place(indices, i, at, y_shape, rank, axis, index_bytes); \
            if (place < 0) \
                status = WHET_BAD_INDEX; \
            else \
                y[place] = scatter_combine_##T(y[place], updates[i], reduction); \
        } \
        return status; \
    } \
    WHET_INLINE int scatter_nd_##T(T *y, const void *indices, const T *updates, \
                                   const long *shape, const int depth, const long count, \
                                   const long inner, const int index_bytes, \
                                   const int reduction) \
    { \
        int status = WHET_OK; \
        for (long i = 0; i < count; i++) { \
            const long place = index_tuple(indices, i, shape, depth, index_bytes); \
            if (place < 0) { \
                status = WHET_BAD_INDEX; \
                continue; \
            } \
            for (long k = 0; k < inner; k++) { \
                T *to = y + place * inner + k; \
                *to = scatter_combine_##T(*to, updates[i * inner + k], reduction); \
            } \
        } \
        return status; \
    }
WHET_FOR_NUMBERS(SCATTER_FAMILY)

/* Write update[batch][prefix][steps][inner bytes] into y[batch][prefix][size][inner bytes] from
 * step starts[batch] on (0 if starts is null); `circular` wraps past the end. */
WHET_INLINE int tensor_scatter(void *y, const void *update, const void *starts, const long batch,
                               const long prefix, const long size, const long steps,
                               const long inner_bytes, const int circular, const int index_bytes)
{
    int status = WHET_OK;
    for (long b = 0; b < batch; b++) {
        const i64 start = starts ? index_load(starts, b, index_bytes) : 0;
        for (long t = 0; t < steps; t++) {
            i64 to = start + t;
            if (circular && size)
                to = (to % size + size) % size;
            if (to < 0 || to >= size) {
                status = WHET_BAD_INDEX;
                continue;
            }
            for (long p = b * prefix; p < (b + 1) * prefix; p++)
                index_copy((u8 *)y + (p * size + (long)to) * inner_bytes,
                           (const u8 *)update + (p * steps + t) * inner_bytes, inner_bytes);
        }
    }
    return status;
}

#endif
