// c[M][N] = epilogue(bias[N] + (a[M][K] - zero) * b[K][N]), row-major with row strides lda
// and ldc in elements.
//
// b and bias are made by packing_s8.pack_gemm_s8: panels of NV vectors (the last one narrower),
// each [ceil(K / 4) + AGAIN][vectors * VL][4] bytes, channels beyond N zero; bias holds the terms
// of zero and DOT8_SHIFT as well. AGAIN, the epilogue, OUT, low and high are described in
// tile_s8.h.
//
// COPY: the rows of each block are copied once to `scratch` by ready_s8, MC * K * DOT8_BYTES for
// each thread; else each use makes them ready.
//
// ahead, pace: how many bytes, and from where on, the quads of all tiles of a call fetch into the
// second level of cache, each after those of the one before, as a plan has it. Where the pace is
// the literal 0 the tiles of a unit fetch its next panel, if weights are many.
//
// Work is ceil(M / MC) * ceil(N / (NV * VL)) units, unit u = (row block u / panels, panel
// u % panels); a call does [begin, end) and the result does not depend on the split. All const ints
// but begin, end and pace are literals.
#pragma once
#include "tile_s8.h"

enum { NEAR_BYTES = 1 << 15 }; // weights of at most so many stay in the nearest cache

INLINE void ready_rows_s8(const long rows, const long K, const long lda, const s8 *a, s8 *to) {
    if (lda == K)
        ready_s8(rows * K, a, to);
    else
        for (long r = 0; r < rows; r++) ready_s8(K, a + r * lda, to + r * K * DOT8_BYTES);
}

// One row block of `rows` rows against one panel; rows are shared evenly by as few tiles as MR
// allows. FETCH: they share the fetching of the panel after this one; with a pace they fetch what
// is next in the queue instead.
INLINE void gemm_block_s8(const int rows, const int NV, const int LANES, const int K,
                          const long lda, const long ldc, const int MR, const int AGAIN,
                          const int READY, const int FETCH, const int OUT, const int low,
                          const int high, const s8 *a, const s8 *b, const int *again,
                          const int *bias, s8 *c, const long row, const int channel,
                          const s8 **queue, const int pace,
                          const void *const *extra, epilogue_s8 epilogue) {
    const int tiles = (rows + MR - 1) / MR, few = rows / tiles, larger = rows % tiles,
              each = fetch_bytes(NV * VL * 4, tiles);
    const long panel = (long)NV * VL * ((K + 3) / 4 * 4 + AGAIN * 4);
    const s8 *ahead = b + panel, *last = ahead + panel;
    vi acc[TILE_ACCUMULATORS];
#define TILE(rows_)                                                                                \
    do {                                                                                           \
        const s8 *more;                                                                            \
        tile_start_s8(rows_, NV, acc, bias);                                                       \
        if (FETCHES(pace)) {                                                                       \
            more = tile_sum_s8(rows_, NV, K, READY, pace, acc, a + m * lda, lda, b, *queue);       \
            *queue += K / 4 * pace;                                                                \
        } else if (FETCH && ahead < last) {                                                        \
            more = tile_sum_s8(rows_, NV, K, READY, each, acc, a + m * lda, lda, b, ahead);        \
            ahead += K / 4 * each;                                                                 \
        } else                                                                                     \
            more = tile_sum_s8(rows_, NV, K, READY, 0, acc, a + m * lda, lda, b, b);               \
        for (int e = 0; e < AGAIN; e++, more += NV * VL * 4)                                       \
            tile_quad_s8(rows_, NV, READY, K < 4 ? K : 4, acc,                                     \
                         a + m * lda + again[e] * (READY ? DOT8_BYTES : 1), lda, more);            \
        tile_store_s8(rows_, NV, LANES, OUT, low, high, acc, c + m * ldc * out_bytes(OUT), ldc, \
                      row + m, channel, extra, epilogue);                                          \
    } while (0)
    for (int m = 0; m < larger * (few + 1); m += few + 1) TILE(few + 1);
    for (int m = larger * (few + 1); m < rows; m += few) TILE(few);
#undef TILE
}

INLINE void gemm_s8(const int M, const int N, const int K, const int lda, const int ldc,
                    const int MR, const int NV, const int MC, const int AGAIN, const int COPY,
                    const int OUT, const int low, const int high, const int begin, const int end,
                    const s8 *a, const s8 *b, const int *bias, void *c, s8 *scratch,
                    const void *ahead, const int pace, const void *const *extra,
                    epilogue_s8 epilogue) {
    const int width = NV * VL, whole = N / width, panels = (N + width - 1) / width;
    const int rest = N - whole * width, last = (rest + VL - 1) / VL, lanes = rest - (last - 1) * VL;
    const int blocks = (M + MC - 1) / MC, last_rows = M - (blocks - 1) * MC;
    const int step = COPY ? K * DOT8_BYTES : lda;
    const long panel_bytes = (long)width * ((K + 3) / 4 * 4 + AGAIN * 4);
    const int fetch = panel_bytes * panels > NEAR_BYTES && (M < MC ? M : MC) > MR;
    const s8 *queue = ahead;
    int ready = -1; // the row block that scratch holds
#define BLOCK(rows, vectors, lanes)                                                             \
    gemm_block_s8(rows, vectors, lanes, K, step, ldc, MR, AGAIN, COPY, fetch, OUT, low, high, ab,  \
                  bb, (const int *)b, bias + channel, cb, row, channel, &queue, pace, extra,       \
                  epilogue)
    for (int u = begin; u < end; u++) {
        const int block = u / panels, panel = u % panels, channel = panel * width;
        const long row = (long)block * MC;
        const s8 *ab = COPY ? scratch : a + row * lda;
        const s8 *bb = b + again_bytes(AGAIN) + panel * panel_bytes;
        s8 *cb = (s8 *)c + (row * ldc + channel) * out_bytes(OUT);
        if (COPY && block != ready) {
            ready_rows_s8(block < blocks - 1 ? MC : last_rows, K, lda, a + row * lda, scratch);
            ready = block;
        }
        if (panel < whole && block < blocks - 1)
            BLOCK(MC, NV, VL);
        else if (panel < whole)
            BLOCK(last_rows, NV, VL);
        else if (rest && block < blocks - 1)
            BLOCK(MC, last, lanes);
        else if (rest)
            BLOCK(last_rows, last, lanes);
    }
#undef BLOCK
}
