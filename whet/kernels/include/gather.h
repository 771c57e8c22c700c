/* Reading by index. Elements are only moved, so sizes are in bytes; indices are i32 or i64
 * (`index_bytes` 4 or 8), and negative ones count from the end. An index outside its axis reads
 * nothing: that piece of y becomes zero and the function returns WHET_BAD_INDEX.
 * Shapes of general rank (at most 8 axes) are arrays: (const long[]){2, 3, 4}.
 * Sources: ONNX Gather-13, GatherElements-13, GatherND-13, OneHot-11, NonZero-13, Compress-11,
 * ReverseSequence-10; numpy.roll.
 */
#ifndef WHET_GATHER_H
#define WHET_GATHER_H
#include "types.h"

enum { INDEX_RANK = 8 };

/* Entry i of an index tensor. */
WHET_INLINE i64 index_load(const void *indices, const long i, const int index_bytes)
{
    return index_bytes == 4 ? (i64)((const i32 *)indices)[i] : ((const i64 *)indices)[i];
}

/* Entry i wrapped into [0, n), or -1 where it is outside [-n, n). */
WHET_INLINE long index_at(const void *indices, const long i, const int index_bytes, const long n)
{
    const i64 index = index_load(indices, i, index_bytes);
    if (index < -(i64)n || index >= (i64)n)
        return -1;
    return (long)(index < 0 ? index + n : index);
}

/* Copy an element or a row; short literal sizes become plain moves. */
WHET_INLINE void index_copy(u8 *to, const u8 *from, const long bytes)
{
    __builtin_memcpy(to, from, (unsigned long)bytes);
}

WHET_INLINE void index_zero(u8 *to, const long bytes)
{
    __builtin_memset(to, 0, (unsigned long)bytes);
}

/* Step `at` through `shape` in row-major order. */
WHET_INLINE void index_next(long *at, const long *shape, const int rank)
{
    for (int axis = rank - 1; axis >= 0; axis--) {
        if (++at[axis] < shape[axis])
            return;
        at[axis] = 0;
    }
}

WHET_INLINE long index_count(const long *shape, const int rank)
{
    long count = 1;
    for (int axis = 0; axis < rank; axis++)
        count *= shape[axis];
    return count;
}

/* Row-major position of `at` in `shape`. */
WHET_INLINE long index_place(const long *at, const long *shape, const int rank)
{
    long place = 0;
    for (int axis = 0; axis < rank; axis++)
        place = place * shape[axis] + at[axis];
    return place;
}

/* y[outer][count][inner] = x[outer][indices[count]][inner], x being [outer][n][inner bytes]. */
WHET_INLINE int gather(const void *x, const void *indices, void *y, const long outer, const long n,
                       const long inner_bytes, const long count, const int index_bytes)
{
    int status = WHET_OK;
    u8 *to = y;
    for (long o = 0; o < outer; o++) {
        const u8 *slice = (const u8 *)x + o * n * inner_bytes;
        for (long i = 0; i < count; i++, to += inner_bytes) {
            const long index = index_at(indices, i, index_bytes, n);
            if (index >= 0) {
                index_copy(to, slice + index * inner_bytes, inner_bytes);
            } else {
                index_zero(to, inner_bytes);
                status = WHET_BAD_INDEX;
            }
        }
    }
    return status;
}

/* y[i][j][k] = x[i][indices[i][j][k]][k] for axis 1, and so on; y has the shape of indices, which
 * is at most x's on the other axes. */
WHET_INLINE int gather_elements(const void *x, const void *indices, void *y, const long *x_shape,
                                const long *index_shape, const int rank, const int axis,
                                const long bytes, const int index_bytes)
{
    int status = WHET_OK;
    u8 *to = y;
    long at[INDEX_RANK] = {0}, from[INDEX_RANK];
    const long count = index_count(index_shape, rank);
    for (long i = 0; i < count; i++, to += bytes, index_next(at, index_shape, rank)) {
        for (int a = 0; a < rank; a++)
            from[a] = at[a];
        from[axis] = index_at(indices, i, index_bytes, x_shape[axis]);
        if (from[axis] >= 0) {
            index_copy(to, (const u8 *)x + index_place(from, x_shape, rank) * bytes, bytes);
        } else {
            index_zero(to, bytes);
            status = WHET_BAD_INDEX;
        }
    }
    return status;
}

/* Position in `shape` of the index tuple at entry i of indices[..][depth], or -1 if outside. */
WHET_INLINE long index_tuple(const void *indices, const long i, const long *shape,
                             const int depth, const int index_bytes)
{
    long place = 0;
    for (int d = 0; d < depth; d++) {
        const long index = index_at(indices, i * depth + d, index_bytes, shape[d]);
        if (index < 0)
            return -1;
        place = place * shape[d] + index;
    }
    return place;
}

/* y[batch][count][inner] = x[batch][tuple][inner], x being [batch][shape...][inner bytes], the
 * tuples indices[batch][count][depth] and shape their `depth` axes. */
WHET_INLINE int gather_nd(const void *x, const void *indices, void *y, const long batch,
                          const long *shape, const int depth, const long count,
                          const long inner_bytes, const int index_bytes)
{
    int status = WHET_OK;
    u8 *to = y;
    const long image = index_count(shape, depth) * inner_bytes;
    for (long b = 0; b < batch; b++)
        for (long i = 0; i < count; i++, to += inner_bytes) {
            const long place = index_tuple(indices, b * count + i, shape, depth, index_bytes);
            if (place >= 0) {
                index_copy(to, (const u8 *)x + b * image + place * inner_bytes, inner_bytes);
            } else {
                index_zero(to, inner_bytes);
                status = WHET_BAD_INDEX;
            }
        }
    return status;
}

/* y[outer][depth][inner] is values[1] where indices[outer][inner] names that depth, else values[0];
 * an index outside [-depth, depth) names none. */
WHET_INLINE void one_hot(const void *indices, const void *values, void *y, const long outer,
                         const long depth, const long inner, const long bytes,
                         const int index_bytes)
{
    const u8 *off = values, *on = off + bytes;
    u8 *to = y;
    for (long o = 0; o < outer; o++)
        for (long d = 0; d < depth; d++)
            for (long i = 0; i < inner; i++, to += bytes) {
                const long index = index_at(indices, o * inner + i, index_bytes, depth);
                index_copy(to, index == d ? on : off, bytes);
            }
}

/* Whether an element is nonzero; a float's sign does not count. */
WHET_INLINE int element_is_true(const u8 *x, const long bytes, const int is_float)
{
    int any = 0;
    for (long i = 0; i < bytes; i++)
        any |= is_float && i == bytes - 1 ? x[i] & 0x7f : x[i];
    return any != 0;
}

WHET_INLINE long nonzero_count(const void *x, const long n, const long bytes, const int is_float)
{
    long count = 0;
    for (long i = 0; i < n; i++)
        count += element_is_true((const u8 *)x + i * bytes, bytes, is_float);
    return count;
}

/* Coordinates of the nonzero elements, y[rank][count]; returns count. y holds rank * size(x). */
WHET_INLINE long nonzero(const void *x, i64 *y, const long *shape, const int rank,
                         const long bytes, const int is_float)
{
    const long n = index_count(shape, rank);
    const long count = nonzero_count(x, n, bytes, is_float);
    long at[INDEX_RANK] = {0}, found = 0;
    for (long i = 0; i < n; i++, index_next(at, shape, rank)) {
        if (!element_is_true((const u8 *)x + i * bytes, bytes, is_float))
            continue;
        for (int axis = 0; axis < rank; axis++)
            y[axis * count + found] = at[axis];
        found++;
    }
    return count;
}

/* y[outer][count][inner] keeps of x[outer][n][inner bytes] the slices whose condition is nonzero;
 * `conditions` <= n of them are given, the rest is dropped. Returns count. */
WHET_INLINE long compress(const void *x, const u8 *condition, void *y, const long outer,
                          const long n, const long inner_bytes, const long conditions)
{
    u8 *to = y;
    long count = 0;
    for (long o = 0; o < outer; o++)
        for (long i = 0; i < n && i < conditions; i++) {
            if (!condition[i])
                continue;
            index_copy(to, (const u8 *)x + (o * n + i) * inner_bytes, inner_bytes);
            to += inner_bytes;
            count += o == 0;
        }
    return count;
}

/* Reverse the first lengths[b] steps of each sequence. x is [batch][time][inner bytes], or
 * [time][batch][inner bytes] if time_major. */
WHET_INLINE int reverse_sequence(const void *x, const i64 *lengths, void *y, const long batch,
                                 const long time, const long inner_bytes, const int time_major)
{
    int status = WHET_OK;
    const long step = (time_major ? batch : 1) * inner_bytes;
    for (long b = 0; b < batch; b++) {
        const long start = b * (time_major ? 1 : time) * inner_bytes;
        const int fits = lengths[b] >= 0 && lengths[b] <= time;
        const long length = fits ? (long)lengths[b] : 0;
        status = fits ? status : WHET_BAD_INDEX;
        for (long t = 0; t < time; t++) {
            const long from = t < length ? length - 1 - t : t;
            index_copy((u8 *)y + start + t * step, (const u8 *)x + start + from * step,
                       inner_bytes);
        }
    }
    return status;
}

/* y[outer][(i + shift) mod n][inner] = x[outer][i][inner], any shift. */
WHET_INLINE void roll(const void *x, void *y, const long outer, const long n,
                      const long inner_bytes, const long shift)
{
    const long by = n ? (shift % n + n) % n : 0;
    for (long o = 0; o < outer; o++)
        for (long i = 0; i < n; i++) {
            const long to = i + by < n ? i + by : i + by - n;
            index_copy((u8 *)y + (o * n + to) * inner_bytes,
                       (const u8 *)x + (o * n + i) * inner_bytes, inner_bytes);
        }
}

#endif
