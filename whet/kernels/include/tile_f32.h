// The register tile shared by the f32 GEMM and convolution: MR rows (output pixels) x NV vectors
// (output channels) of accumulators, acc[i * NV + j]; tiling.py lists the shapes that stay in
// registers.
//
// Epilogue. A kernel calls the function named by its last argument once for each vector of VL
// consecutive output channels of one output pixel, after the sum and the bias and before the store,
// and stores what it returns:
//     INLINE vf relu6(const void *const *extra, vf acc, long row, int channel, int lanes)
//   extra    the pointers that the emitter passed to the kernel, untouched
//   row      flat index of the output pixel, (batch * OH + oh) * OW + ow, or the row of c
//   channel  output channel of lane 0
//   lanes    how many lanes exist, a literal: VL but at the channel tail, where the lanes beyond
//            hold rubbish. Read other tensors with vload_n(p, lanes): it is vload(p) for VL lanes.
//
// OUT is the size of a result in bytes: 4 stores floats, 2 rounds to bf16.
#pragma once
#include "simd_bf16.h"
#include "tile.h"

typedef vf (*epilogue_f32)(const void *const *extra, vf acc, long row, int channel, int lanes);

INLINE vf identity_f32(const void *const *extra, vf acc, long row, int channel, int lanes) {
    (void)extra, (void)row, (void)channel, (void)lanes;
    return acc;
}

// acc = bias of the tile's channels, or 0 without a bias; LANES are valid in the last vector.
INLINE void tile_start_f32(const int MR, const int NV, const int LANES, vf *acc,
                           const float *bias) {
    UNROLL (j, NV) {
        const vf b = bias ? vload_n(bias + j * VL, j == NV - 1 ? LANES : VL) : (vf){0};
        UNROLL (i, MR) acc[i * NV + j] = b;
    }
}

// acc + s * row, one vector of weights; with few lanes only the low half is computed.
INLINE vf tile_fma_f32(const int lanes, float s, vf row, vf acc) {
    return lanes <= VL / 2 ? vfma_low(vset(s), row, acc) : vfma(vset(s), row, acc);
}

// Weights come from afar once, a panel ahead: the tiles that share a panel of NV vectors and K rows
// share the fetching of the next one into the second level of cache. Each step of K asks for RATE
// 64ths of a line, none where a tile has the panel alone.
enum { LINE_FLOATS = 16 };
INLINE int ahead_rate_f32(const int tiles, const int NV) {
    return tiles < 2 ? 0 : (64 * NV * VL / LINE_FLOATS + tiles - 1) / tiles;
}
// Floats that are fetched in K steps.
INLINE long ahead_share_f32(const long K, const int RATE) {
    return (K * RATE >> 6) * LINE_FLOATS;
}

// What the next tile writes, from `c` on, and its epilogue reads beside the channels, from `beside`
// on or 0: a tile fetches their lines, row by row while it sums, where `rate` is not 0.
typedef struct {
    const float *c, *beside;
    int ldc, ldbeside, rate; // 4096ths of a row at each step of K
} next_f32;

// Pointers are those of this tile, of MR rows; K: steps of the whole sum.
INLINE next_f32 next_tile_f32(const int MR, const int K, const int FAR, const float *c,
                              const int ldc, const float *beside, const int ldbeside) {
    const float *other = beside ? beside + (long)MR * ldbeside : 0;
    return (next_f32){c + (long)MR * ldc, other, ldc, ldbeside, FAR ? (MR << 12) / K : 0};
}
INLINE void next_fetch_f32(const int NV, const int k, const next_f32 next) {
    if (next.rate == 0) return;
    const long row = (long)k * next.rate >> 12;
    UNROLL (j, NV) __builtin_prefetch(next.c + row * next.ldc + j * VL, 1, 3);
    if (next.beside)
        UNROLL (j, NV) __builtin_prefetch(next.beside + row * next.ldbeside + j * VL, 0, 3);
}

// acc[i][j] += sum over k < K of a[i * lda + k] * b[k * ldb + j * VL ...]. The last vector of a row
// of b has LANES lanes; ldb = 0: b is a packed panel, rows of NV * VL floats with zeros behind.
// RATE, ahead: what to fetch of weights meanwhile, and from where on; next: what else, `done` steps
// of the sum being over.
INLINE void tile_sum_ahead_f32(const int MR, const int NV, const int LANES, const int K,
                               const int RATE, vf *acc, const float *a, const int lda,
                               const float *b, const int ldb, const float *ahead, const int done,
                               const next_f32 next) {
    const int stride = ldb ? ldb : NV * VL, tail = ldb ? LANES : VL;
    for (int k = 0; k < K; k++) {
        UNROLL (l, (RATE + 63) / 64)
            __builtin_prefetch(ahead + ahead_share_f32(k, RATE) + l * LINE_FLOATS, 0, 2);
        next_fetch_f32(NV, done + k, next);
        vf row[TILE_VECTORS];
        UNROLL (j, NV) row[j] = vload_n(b + (long)k * stride + j * VL, j == NV - 1 ? tail : VL);
        UNROLL (i, MR)
            UNROLL (j, NV)
                acc[i * NV + j] = tile_fma_f32(j == NV - 1 ? LANES : VL, a[(long)i * lda + k],
                                               row[j], acc[i * NV + j]);
    }
}
INLINE void tile_sum_f32(const int MR, const int NV, const int LANES, const int K, vf *acc,
                         const float *a, const int lda, const float *b, const int ldb) {
    tile_sum_ahead_f32(MR, NV, LANES, K, 0, acc, a, lda, b, ldb, 0, 0, (next_f32){0});
}

// The same with a pointer to each row of a, and b a packed panel.
INLINE void tile_sum_rows_f32(const int MR, const int NV, const int LANES, const int K,
                              const int RATE, vf *acc, const float *const *a, const float *b,
                              const float *ahead) {
    for (int k = 0; k < K; k++) {
        UNROLL (l, (RATE + 63) / 64)
            __builtin_prefetch(ahead + ahead_share_f32(k, RATE) + l * LINE_FLOATS, 0, 2);
        vf row[TILE_VECTORS];
        UNROLL (j, NV) row[j] = vload(b + ((long)k * NV + j) * VL);
        UNROLL (i, MR)
            UNROLL (j, NV)
                acc[i * NV + j] =
                    tile_fma_f32(j == NV - 1 ? LANES : VL, a[i][k], row[j], acc[i * NV + j]);
    }
}

// The first `lanes` numbers from x[i] on; IN is the size of one of x: 4 for floats, 2 for bf16.
INLINE vf load_f32(const int IN, const void *x, const long i, const int lanes) {
    if (IN == 2) return vload_bf16_n((const bf16 *)x + i, lanes);
    return vload_n((const float *)x + i, lanes);
}

// Store the first `lanes` lanes at c[i], as OUT says.
INLINE void store_f32(const int OUT, void *c, const long i, const vf v, const int lanes) {
    if (OUT == 2)
        vstore_bf16_n((bf16 *)c + i, v, lanes);
    else
        vstore_n((float *)c + i, v, lanes);
}

// c[i * ldc + j * VL ...] = epilogue(acc[i][j]) for rows row + i and channels channel + j * VL ...
INLINE void tile_store_f32(const int OUT, const int MR, const int NV, const int LANES,
                           const vf *acc, void *c, const int ldc, const long row,
                           const int channel, const void *const *extra, epilogue_f32 epilogue) {
    UNROLL (i, MR)
        UNROLL (j, NV) {
            const int lanes = j == NV - 1 ? LANES : VL;
            const vf v = epilogue(extra, acc[i * NV + j], row + i, channel + j * VL, lanes);
            store_f32(OUT, c, (long)i * ldc + j * VL, v, lanes);
        }
}
