/* Whole numbers that are known as sizes, written as data. */
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
#endif
