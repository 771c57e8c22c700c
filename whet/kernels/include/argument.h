/* Indices of extremes of x[outer][n][inner] over n, giving y[outer][inner]; n below 2^31.
 *
 *   void argmax_T / argmin_T(const T *x, i64 *y, long outer, long n, long inner, long width,
 *                            int last)
 *
 * of the first `width` of inner. The first of equals, or the last if `last`; NaN is the extreme.
 * Source: ONNX ArgMax-13.
 */
#ifndef WHET_ARGUMENT_H
#define WHET_ARGUMENT_H
#include "types.h"

/* Rows compared with each other at once where n is short, parts of a row where it is long; columns
 * at once; rows of bytes at once, in words of four, and how many of them a byte numbers. */
enum { ARGUMENT_ROWS = 16, ARGUMENT_PARTS = 64, ARGUMENT_WIDTH = 64 };
enum { ARGUMENT_PIXELS = 64, ARGUMENT_WORDS = 256 };

/* Largest bytes of `rows` <= ARGUMENT_PIXELS rows of n, 4 <= n <= 4 * ARGUMENT_WORDS, each
 * exclusive-or'ed with one of `flip`. The last word ends with the row and may begin inside the one
 * before it. */
WHET_INLINE void argument_bytes(const u8 *x, i64 *y, const int rows, const long n, const u32 flip,
                                const int last)
{
    u32 now[ARGUMENT_PIXELS], best[ARGUMENT_PIXELS], at[ARGUMENT_PIXELS];
    u8 *v = (u8 *)now, *most = (u8 *)best, *word = (u8 *)at;
    const int words = (int)((n + 3) / 4);
    for (int w = 0; w < words; w++) {
        const long from = w < words - 1 ? 4 * w : n - 4;
        for (int r = 0; r < rows; r++) {
            __builtin_memcpy(now + r, x + r * n + from, 4);
            now[r] ^= flip;
        }
        for (int l = 0; l < 4 * rows; l++) {
            const int better = w == 0 || v[l] > most[l] || (last && v[l] == most[l]);
            most[l] = better ? v[l] : most[l];
            word[l] = better ? (u8)w : word[l];
        }
    }
    for (int r = 0; r < rows; r++) {
        u32 key = 0;
        for (int k = 0; k < 4; k++) {
            const u32 number = at[r] >> 8 * k & 255;
            const u32 index = (number < (u32)words - 1 ? 4 * number : (u32)n - 4) + (u32)k;
            const u32 candidate = (best[r] >> 8 * k & 255) << 16 | (last ? index : 65535 - index);
            key = candidate > key ? candidate : key;
        }
        y[r] = last ? key & 65535 : 65535 - (key & 65535);
    }
}

WHET_INLINE void argument_byte_rows(const void *x, i64 *y, const long outer, const long n,
                                    const u32 flip, const int last)
{
    const u8 *bytes = x;
    const long whole = outer - outer % ARGUMENT_PIXELS;
    for (long o = 0; o < whole; o += ARGUMENT_PIXELS)
        argument_bytes(bytes + o * n, y + o, ARGUMENT_PIXELS, n, flip, last);
    if (whole < outer)
        argument_bytes(bytes + whole * n, y + whole, (int)(outer - whole), n, flip, last);
}

/* Whether v replaces the best before it. */
#define ARGUMENT_BETTER(BETTER, v, best, last) \
    ((v) BETTER(best) || ((last) && (v) == (best)) || \
     ((v) != (v) && ((last) || (best) == (best))))

/* columns: of n rows, `stride` apart, `width` <= ARGUMENT_WIDTH columns `step` apart.
 * long_row: of n >= ARGUMENT_PARTS neighbours, in parts that are compared in the end. */
#define ARGUMENT_KERNEL(NAME, T, BETTER) \
    WHET_INLINE void NAME##_columns_##T(const T *x, i64 *y, const long n, const long stride, \
                                        const long step, const long width, const int last) \
    { \
        wide_##T best[ARGUMENT_WIDTH]; \
        i32 at[ARGUMENT_WIDTH]; \
        for (long i = 0; i < width; i++) { \
            best[i] = widen_##T(x[i * step]); \
            at[i] = 0; \
        } \
        for (long j = 1; j < n; j++) \
            for (long i = 0; i < width; i++) { \
                const wide_##T v = widen_##T(x[j * stride + i * step]); \
                const int better = ARGUMENT_BETTER(BETTER, v, best[i], last); \
                best[i] = better ? v : best[i]; \
                at[i] = better ? (i32)j : at[i]; \
            } \
        for (long i = 0; i < width; i++) \
            y[i] = at[i]; \
    } \
    WHET_INLINE i64 NAME##_long_row_##T(const T *x, const long n, const int last) \
    { \
        wide_##T best[ARGUMENT_PARTS]; \
        i32 at[ARGUMENT_PARTS]; \
        for (int l = 0; l < ARGUMENT_PARTS; l++) { \
            best[l] = widen_##T(x[l]); \
            at[l] = l; \
        } \
        long j = ARGUMENT_PARTS; \
        for (; j + ARGUMENT_PARTS <= n; j += ARGUMENT_PARTS) \
            for (int l = 0; l < ARGUMENT_PARTS; l++) { \
                const wide_##T v = widen_##T(x[j + l]); \
                const int better = ARGUMENT_BETTER(BETTER, v, best[l], last); \
                best[l] = better ? v : best[l]; \
                at[l] = better ? (i32)j + l : at[l]; \
            } \
        for (int l = 0; j < n; j++, l++) { \
            const wide_##T v = widen_##T(x[j]); \
            if (ARGUMENT_BETTER(BETTER, v, best[l], last)) { \
                best[l] = v; \
                at[l] = (i32)j; \
            } \
        } \
        for (int l = 1; l < ARGUMENT_PARTS; l++) { \
            const wide_##T v = best[l]; \
            const int same = v == best[0] || (v != v && best[0] != best[0]); \
            if (same ? last == (at[l] > at[0]) : ARGUMENT_BETTER(BETTER, v, best[0], 0)) { \
                best[0] = v; \
                at[0] = at[l]; \
            } \
        } \
        return at[0]; \
    } \
    WHET_INLINE void NAME##_##T(const T *x, i64 *y, const long outer, const long n, \
                                const long inner, const long width, const int last) \
    { \
        if (inner == 1 && sizeof(T) == 1 && n >= 4 && n <= 4 * ARGUMENT_WORDS) { \
            const u32 sign = lowest_##T() != 0 ? 0x80808080u : 0, less = 0 BETTER 1 ? ~0u : 0; \
            argument_byte_rows(x, y, outer, n, sign ^ less, last); \
        } else if (inner == 1 && n >= ARGUMENT_PARTS) { \
            for (long o = 0; o < outer; o++) \
                y[o] = NAME##_long_row_##T(x + o * n, n, last); \
        } else if (inner == 1) { \
            const long whole = outer - outer % ARGUMENT_ROWS; \
            for (long o = 0; o < whole; o += ARGUMENT_ROWS) \
                NAME##_columns_##T(x + o * n, y + o, n, 1, n, ARGUMENT_ROWS, last); \
            if (whole < outer) \
                NAME##_columns_##T(x + whole * n, y + whole, n, 1, n, outer - whole, last); \
        } else { \
            for (long o = 0; o < outer; o++, x += n * inner, y += inner) \
                for (long i = 0; i < width; i += ARGUMENT_WIDTH) { \
                    const long rest = width - i; \
                    const long some = rest < ARGUMENT_WIDTH ? rest : ARGUMENT_WIDTH; \
                    NAME##_columns_##T(x + i, y + i, n, inner, 1, some, last); \
                } \
        } \
    }
#define ARGUMENT_FAMILY(T) ARGUMENT_KERNEL(argmax, T, >) ARGUMENT_KERNEL(argmin, T, <)
WHET_FOR_NUMBERS(ARGUMENT_FAMILY)

#endif
