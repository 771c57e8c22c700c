// c[M][N] = epilogue(a[M][K] * b[K][N] + bias[N]), row-major with row strides lda, ldc, c as
// OUT says.
//
// b is packed by packing.pack_panels(b, VL, NV): panels of NV vectors (the last one narrower), each
// [K][vectors * VL], channels beyond N zero; or plain row-major [K][N] with row stride ldb, for a b
// known only at run time. ldb = 0 means packed. bias may be null; it has N floats.
//
// Work is ceil(M / MC) * ceil(N / (NV * VL)) units, unit u = (row block u / panels, panel u %
// panels); a call does [begin, end) and the result does not depend on the split. All const ints are
// literals.
//
// While a unit is computed, the packed panel of the next one is fetched into the second level of
// cache; after the last panel, what lies behind b: the weights of the model's next layer. FAR: c is
// not near, nor is what the epilogue reads at beside[row * ldbeside + channel] unless that is null,
// so a tile fetches the lines of the next one.
#pragma once
#include "tile_f32.h"

// One row block of `rows` rows against one panel; rows are shared evenly by as few tiles as MR
// allows, and so is the fetching of the next panel.
INLINE void gemm_block_f32(const int OUT, const int rows, const int NV, const int LANES,
                           const int K, const int lda, const int ldb, const int ldc, const int MR,
                           const float *a, const float *b, const float *bias, char *c,
                           const long row, const int channel, const float *ahead, const int FAR,
                           const float *beside, const int ldbeside, const void *const *extra,
                           epilogue_f32 epilogue) {
    const int tiles = (rows + MR - 1) / MR, few = rows / tiles, larger = rows % tiles;
    const int RATE = ldb ? 0 : ahead_rate_f32(tiles, NV);
    const long share = ahead_share_f32(K, RATE);
    vf acc[TILE_ACCUMULATORS];
#define TILE(MR)                                                                                  \
    tile_start_f32(MR, NV, LANES, acc, bias),                                                     \
        tile_sum_ahead_f32(MR, NV, LANES, K, RATE, acc, a + (long)m * lda, lda, b, ldb, ahead, 0, \
                           next_tile_f32(MR, K, FAR, (float *)(c + (long)m * ldc * OUT), ldc,     \
                                         beside ? beside + (long)m * ldbeside : 0, ldbeside)),    \
        tile_store_f32(OUT, MR, NV, LANES, acc, c + (long)m * ldc * OUT, ldc, row + m, channel,   \
                       extra, epilogue),                                                          \
        ahead += share
    for (int m = 0; m < larger * (few + 1); m += few + 1) TILE(few + 1);
    for (int m = larger * (few + 1); m < rows; m += few) TILE(few);
#undef TILE
}

INLINE void gemm_f32(const int OUT, const int M, const int N, const int K, const int lda,
                     const int ldb, const int ldc, const int MR, const int NV, const int MC,
                     const int begin, const int end, const float *a, const float *b,
                     const float *bias, void *c, const int FAR, const float *beside,
                     const int ldbeside, const void *const *extra, epilogue_f32 epilogue) {
    const int width = NV * VL, whole = N / width, panels = (N + width - 1) / width;
    const int rest = N - whole * width, last = (rest + VL - 1) / VL, lanes = rest - (last - 1) * VL;
    const int blocks = (M + MC - 1) / MC, last_rows = M - (blocks - 1) * MC;
    for (int u = begin; u < end; u++) {
        const int block = u / panels, panel = u % panels, channel = panel * width;
        const long row = (long)block * MC, size = ldb ? 1 : K; // floats of b for one column
        const float *ab = a + row * lda, *bb = b + channel * size, *bs = bias ? bias + channel : 0;
        const float *next = panel < panels - 1     ? bb + width * size
                            : block < blocks - 1 ? b
                                                 : b + (N + VL - 1) / VL * VL * size;
        const float *be = beside ? beside + row * ldbeside + channel : 0;
        char *cb = (char *)c + (row * ldc + channel) * OUT;
#define BLOCK(ROWS, VECTORS, LANES)                                                               \
    gemm_block_f32(OUT, ROWS, VECTORS, LANES, K, lda, ldb, ldc, MR, ab, bb, bs, cb, row, channel, \
                   next, FAR, be, ldbeside, extra, epilogue)
        if (panel < whole && block < blocks - 1)
            BLOCK(MC, NV, VL);
        else if (panel < whole)
            BLOCK(last_rows, NV, VL);
        else if (rest && block < blocks - 1)
            BLOCK(MC, last, lanes);
        else if (rest)
            BLOCK(last_rows, last, lanes);
#undef BLOCK
    }
}
