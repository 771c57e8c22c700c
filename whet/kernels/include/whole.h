/* Whole numbers that are known as sizes: written as data, checked where only a run knows them. */
#ifndef WHET_WHOLE_H
#define WHET_WHOLE_H
#include "types.h"

/* y[n] = sizes[n] */
WHET_INLINE void sizes_i64(i64 *y, const long *sizes, const long n)
{
    for (long i = 0; i < n; i++)
        y[i] = sizes[i];
}

/* y[n] = 0, 1, ..., n - 1 */
WHET_INLINE void iota_i64(i64 *y, const long n)
{
    for (long i = 0; i < n; i++)
        y[i] = i;
}

WHET_INLINE int check_equal(const i64 a, const i64 b)
{
    return a == b ? WHET_OK : WHET_BAD_SIZE;
}

WHET_INLINE int check_at_most(const i64 a, const i64 b)
{
    return a <= b ? WHET_OK : WHET_BAD_SIZE;
}

/* A size that is walked along n is n, or 1 and repeated. */
WHET_INLINE int check_broadcast(const i64 size, const i64 n)
{
    return size == n || size == 1 ? WHET_OK : WHET_BAD_SIZE;
}
#endif
