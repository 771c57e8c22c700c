// c[M][N] = epilogue(a[M][K] * b[K][N] + bias[N]), a of bf16 whose row m is at m / ROW * down + m %
// ROW * lda, c as OUT says with row stride ldc, strides in elements.
//
// b is packed by packing_bf16.pack_pairs(b, VL, NV): panels of NV vectors (the last one narrower)
// as tile_bf16.h takes them, channels beyond N zero. bias may be null; it has N floats.
//
// Work is ceil(M / MC) * ceil(N / (NV * VL)) units, unit u = (row block u / panels, panel u %
// panels); a call does [begin, end) and the result does not depend on the split. Rows of a block
// are laid in scratch, LDS >= K apart: MC * LDS elements as DOT says, and behind them, where tiles
// read it so, LAID rows of a panel, as laid_rows_bf16 says of a whole one, and MC * NV * VL sums.
// All const ints are literals.
//
// As gemm_f32 does, the tiles that share a panel fetch the next one.
#pragma once
#include "tile_bf16.h"

// One row block of `rows` rows against one panel; rows are shared evenly by as few tiles as MR
// allows. from: a, whose rows are to be laid first; null where they are.
INLINE void gemm_block_bf16(const int DOT, const int OUT, const int rows, const int NV,
                            const int LANES, const int K, const int LAID, const int ROW,
                            const int down, const int lda, const int LDS, const int ldc,
                            const int MR,
                            const bf16 *from, void *a, const bf16 *b, const float *bias, char *c,
                            const long row, const int channel, float *panel, float *parts,
                            const float *ahead, const void *const *extra, epilogue_f32 epilogue) {
    const int tiles = (rows + MR - 1) / MR, few = rows / tiles, larger = rows % tiles;
    const int laid = panel_laid_bf16(DOT, tiles), RATE = ahead_rate_bf16(DOT, tiles, NV);
    const int KC = laid ? LAID : K;
    vf acc[TILE_ACCUMULATORS];
#define TILE(MR_)                                                                                  \
    if (from)                                                                                      \
        for (int i = m; i < m + (MR_); i++)                                                        \
            lay_bf16(DOT, from + (row + i) / ROW * down + (row + i) % ROW * lda + k, depth,        \
                     laid_bf16(DOT, a, (long)i * LDS + k));                                        \
    if (k)                                                                                         \
        UNROLL (i, (MR_) * NV) acc[i] = vload(parts + ((long)m * NV + i) * VL);                    \
    else                                                                                           \
        tile_start_f32(MR_, NV, LANES, acc, bias);                                                 \
    if (laid)                                                                                      \
        tile_sum_laid_bf16(MR_, MR_, NV, LANES, depth, RATE, acc,                                  \
                           (const float *)a + (long)m * LDS + k, LDS, 0, panel, ahead);            \
    else                                                                                           \
        tile_sum_bf16(DOT, MR_, MR_, NV, LANES, K, acc, laid_bf16(DOT, a, (long)m * LDS), LDS, 0,  \
                      b);                                                                          \
    if (k + KC < K)                                                                                \
        UNROLL (i, (MR_) * NV) vstore(parts + ((long)m * NV + i) * VL, acc[i]);                    \
    else                                                                                           \
        tile_store_f32(OUT, MR_, NV, LANES, acc, c + (long)m * ldc * OUT, ldc, row + m, channel,   \
                       extra, epilogue);                                                           \
    ahead += ahead_share_f32(depth, RATE)
    for (int k = 0; k < K; k += KC) {
        const int depth = K - k < KC ? K - k : KC;
        if (laid) lay_panel_bf16((depth + 1) / 2 * 2, NV, b + (long)k * NV * VL, panel);
        for (int m = 0; m < larger * (few + 1); m += few + 1) {
            TILE(few + 1);
        }
        for (int m = larger * (few + 1); m < rows; m += few) {
            TILE(few);
        }
    }
#undef TILE
}

INLINE void gemm_bf16(const int DOT, const int OUT, const int M, const int N, const int K,
                      const int ROW, const int down, const int lda, const int LDS, const int ldc,
                      const int MR, const int NV, const int MC, const int begin, const int end,
                      const bf16 *a, const bf16 *b, const float *bias, void *c, void *scratch,
                      const void *const *extra, epilogue_f32 epilogue) {
    const int width = NV * VL, whole = N / width, panels = (N + width - 1) / width;
    const int rest = N - whole * width, last = (rest + VL - 1) / VL, lanes = rest - (last - 1) * VL;
    const int blocks = (M + MC - 1) / MC, last_rows = M - (blocks - 1) * MC;
    const int LAID = laid_rows_bf16(K, NV);
#define BLOCK(ROWS, VECTORS, LANES)                                                        \
    gemm_block_bf16(DOT, OUT, ROWS, VECTORS, LANES, K, LAID, ROW, down, lda, LDS, ldc, MR, \
                    u == begin || panel == 0 ? a : 0, scratch, bb, bs, cb, row, channel,   \
                    laid, parts, next, extra, epilogue)
    for (int u = begin; u < end; u++) {
        const int block = u / panels, panel = u % panels, channel = panel * width;
        const long row = (long)block * MC;
        const long size = (K + 1) / 2 * 2; // elements of b for one column
        const bf16 *bb = b + channel * size;
        const int again = panel == panels - 1 && block < blocks - 1;
        const bf16 *past = bb + (panel < whole ? NV : last) * VL * size;
        const float *next = (const float *)(again ? b : past);
        float *laid = (float *)laid_bf16(DOT, scratch, (long)(M < MC ? M : MC) * LDS);
        float *parts = laid + LAID * NV * VL;
        const float *bs = bias ? bias + channel : 0;
        char *cb = (char *)c + (row * ldc + channel) * OUT;
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
