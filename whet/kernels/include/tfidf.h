/* Counting n-grams with skips in rows of integers (ONNX TfIdfVectorizer-9). */
#ifndef WHET_TFIDF_H
#define WHET_TFIDF_H
#include "types.h"

enum { TFIDF_TF, TFIDF_IDF, TFIDF_TFIDF };

/* pool lists the n-grams by size: those of size g + 1 start at counts[g]. n-gram k of the pool
 * counts into column columns[k]; weights[outputs] may be null. */
typedef struct {
    const i64 *pool;
    const i64 *counts;
    const i64 *columns;
    const float *weights;
    long pool_size, sizes; /* entries of pool and of counts */
    long min_length, max_length, max_skip, outputs;
    int mode;
} tfidf_table;

/* Number of the last n-gram of `length` in the pool found at x, its items `skip` apart; -1 if none.
 * `first` is the number of the first n-gram of that length. */
WHET_INLINE long tfidf_find(const tfidf_table *t, const i64 *x, const long length,
                            const long skip, const long first)
{
    const long start = (long)t->counts[length - 1];
    const long end = length < t->sizes ? (long)t->counts[length] : t->pool_size;
    for (long k = (end - start) / length - 1; k >= 0; k--) {
        long same = 0;
        while (same < length && t->pool[start + k * length + same] == x[same * skip])
            same++;
        if (same == length)
            return first + k;
    }
    return -1;
}

/* x[rows][n] -> y[rows][outputs]. */
WHET_INLINE void tfidf(const i64 *x, float *y, const tfidf_table *t, const long rows, const long n)
{
    for (long r = 0; r < rows; r++, x += n, y += t->outputs) {
        for (long o = 0; o < t->outputs; o++)
            y[o] = 0;
        long first = 0;
        for (long length = 1; length <= t->max_length && length <= t->sizes; length++) {
            const long start = (long)t->counts[length - 1];
            const long end = length < t->sizes ? (long)t->counts[length] : t->pool_size;
            const long skips = length == 1 ? 1 : t->max_skip + 1;
            for (long skip = 1; skip <= skips && length >= t->min_length; skip++)
                for (long i = 0; i + (length - 1) * skip < n; i++) {
                    const long found = tfidf_find(t, x + i, length, skip, first);
                    if (found >= 0)
                        y[t->columns[found]] += 1;
                }
            first += (end - start) / length;
        }
        for (long o = 0; o < t->outputs && t->mode != TFIDF_TF; o++) {
            const float count = t->mode == TFIDF_IDF ? (float)(y[o] > 0) : y[o];
            y[o] = t->weights ? t->weights[o] * count : count;
        }
    }
}

#endif
