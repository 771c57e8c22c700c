// Packs, at run time, a matrix of int8 codes b[K][N] as the right operand of tile_s8.h: panels of
// NV vectors (the last one narrower), each [quads of K][vectors * VL][4] bytes (in the order of
// quad_load), columns beyond N zero. ROWS: b lies transposed, as N rows of K. ldb: bytes from one
// row to the next.
//
// PADDED: the last quad ends beyond K, where its rows are zero, so that the left operand needs a
// multiple of 4 columns; else a remainder of K is laid out as tile_s8.h says.
// sums: of each column, VL more than N have room.
#pragma once
#include "tile_s8.h"

INLINE int pack_quads(const int K) { return (K + 3) / 4; }

// The row of K that byte `i` of quad `q` holds, -1 for none.
INLINE int pack_row(const int K, const int PADDED, const int q, const int i) {
    if (4 * q + 4 <= K) return 4 * q + i;
    const int row = PADDED || K < 4 ? 4 * q + i : K - 4 + i;
    return row >= 4 * q && row < K ? row : -1;
}

// A vector's quads in the order of quad_load.
INLINE void pack_store(const int *words, s8 *to) {
    for (int l = 0; l < VL; l++) {
        if (DOT8_PAIRS) {
            ((short *)to)[l] = (short)words[l];
            ((short *)to)[VL + l] = (short)(words[l] >> 16);
        } else
            __builtin_memcpy(to + 4 * l, &words[l], 4);
    }
}

// Lane l < n: the quad of rows at b + l * ldb. Other lanes are zero.
INLINE void pack_rows(const int K, const int PADDED, const int n, const int q, const s8 *b,
                      const long ldb, s8 *to) {
    const int whole = 4 * q + 4 <= K;
    int words[VL];
    for (int l = 0; l < VL; l++) {
        int word = 0;
        if (l < n && whole)
            __builtin_memcpy(&word, b + l * ldb + 4 * q, 4);
        else if (l < n)
            for (int i = 0; i < 4; i++) {
                const int row = pack_row(K, PADDED, q, i);
                word |= row < 0 ? 0 : (int)((unsigned)(unsigned char)b[l * ldb + row] << 8 * i);
            }
        words[l] = word;
    }
    pack_store(words, to);
}

// Lane l < n: the quad of columns b[...][l].
INLINE void pack_columns(const int K, const int PADDED, const int n, const int q, const s8 *b,
                         const long ldb, s8 *to) {
    static const s8 none[VL] = {0};
    const s8 *rows[4];
    for (int i = 0; i < 4; i++) {
        const int row = pack_row(K, PADDED, q, i);
        rows[i] = row < 0 ? none : b + row * ldb;
    }
#if defined(__AVX512VNNI__) && defined(__AVX512BW__) && !defined(WHET_SCALAR)
    _mm512_storeu_si512(to, quad_transpose(rows, n));
#else
    for (int l = 0; l < VL; l++)
        for (int i = 0; i < 4; i++) {
            const int at = DOT8_PAIRS ? (i / 2 * VL + l) * 2 + i % 2 : 4 * l + i;
            to[at] = l < n ? rows[i][l] : 0;
        }
#endif
}

INLINE void pack_s8(const int N, const int K, const int NV, const int ROWS, const int PADDED,
                    const s8 *b, const long ldb, s8 *panels, int *sums) {
    const vq ones = quad_ones();
    const int quads = pack_quads(K), all = (N + VL - 1) / VL;
    for (int v = 0; v < all; v++) {
        const int panel = v / NV, left = all - panel * NV, vectors = left < NV ? left : NV;
        const int n = N - v * VL < VL ? N - v * VL : VL;
        s8 *to = panels + (panel * NV * quads + v % NV) * 4l * VL;
        const s8 *from = b + v * VL * (ROWS ? ldb : 1);
        vi sum = {0};
        for (int q = 0; q < quads; q++, to += vectors * 4 * VL) {
            if (ROWS)
                pack_rows(K, PADDED, n, q, from, ldb, to);
            else
                pack_columns(K, PADDED, n, q, from, ldb, to);
            sum = dot4(sum, ones, quad_load(to));
        }
        vstore_i(sums + v * VL, sum);
    }
}
