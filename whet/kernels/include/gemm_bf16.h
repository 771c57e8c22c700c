// c[M][N] = epilogue(a[M][K] * b[K][N] + bias[N]), a of bf16 with row stride lda, c as OUT says
// with row stride ldc, strides in elements.
//
// b is packed by packing_bf16.pack_pairs(b, VL, NV): panels of NV vectors (the last one narrower)
// as tile_bf16.h takes them, channels beyond N zero. bias may be null; it has N floats.
//
// Work is ceil(M / MC) * ceil(N / (NV * VL)) units, unit u = (row block u / panels, panel u %
// panels); a call does [begin, end) and the result does not depend on the split. Rows of a block
// are laid in scratch, LDS >= K apart: MC * LDS elements as DOT says. All const ints are literals.
#pragma once
#include "tile_bf16.h"

// One row block of `rows` laid rows against one panel; rows are shared evenly by as few tiles as MR
// allows.
INLINE void gemm_block_bf16(const int DOT, const int OUT, const int rows, const int NV,
                            const int LANES, const int K, const int LDS, const int ldc,
                            const int MR, const void *a, const bf16 *b, const float *bias, char *c,
                            const long row, const int channel, const void *const *extra,
                            epilogue_f32 epilogue) {
    const int tiles = (rows + MR - 1) / MR, few = rows / tiles, larger = rows % tiles;
    vf acc[TILE_ACCUMULATORS];
#define TILE(MR_)                                                                                 \
    tile_start_f32(MR_, NV, LANES, acc, bias),                                                    \
        tile_sum_bf16(DOT, MR_, MR_, NV, LANES, K, acc, laid_bf16(DOT, a, (long)m * LDS), LDS, 0, \
                      b),                                                                         \
        tile_store_bf16(OUT, MR_, NV, LANES, acc, c + (long)m * ldc * OUT, ldc, row + m, channel, \
                        extra, epilogue)
    for (int m = 0; m < larger * (few + 1); m += few + 1) TILE(few + 1);
    for (int m = larger * (few + 1); m < rows; m += few) TILE(few);
#undef TILE
}

INLINE void gemm_bf16(const int DOT, const int OUT, const int M, const int N, const int K,
                      const int lda, const int LDS, const int ldc, const int MR, const int NV,
                      const int MC, const int begin, const int end, const bf16 *a, const bf16 *b,
                      const float *bias, void *c, void *scratch, const void *const *extra,
                      epilogue_f32 epilogue) {
    const int width = NV * VL, whole = N / width, panels = (N + width - 1) / width;
    const int rest = N - whole * width, last = (rest + VL - 1) / VL, lanes = rest - (last - 1) * VL;
    const int blocks = (M + MC - 1) / MC, last_rows = M - (blocks - 1) * MC;
#define BLOCK(rows, vectors, lanes)                                                            \
    gemm_block_bf16(DOT, OUT, rows, vectors, lanes, K, LDS, ldc, MR, scratch, bb, bs, cb, row, \
                    channel, extra, epilogue)
    for (int u = begin; u < end; u++) {
        const int block = u / panels, panel = u % panels, channel = panel * width;
        const long row = (long)block * MC;
        const bf16 *bb = b + (long)channel * ((K + 1) / 2 * 2);
        const float *bs = bias ? bias + channel : 0;
        char *cb = (char *)c + (row * ldc + channel) * OUT;
        if (u == begin || panel == 0)
            for (int m = 0; m < (block < blocks - 1 ? MC : last_rows); m++)
                lay_bf16(DOT, a + (row + m) * lda, K, laid_bf16(DOT, scratch, (long)m * LDS));
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
