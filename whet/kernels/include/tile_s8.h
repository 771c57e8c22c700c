// The register tile shared by the int8 GEMM and convolution: MR rows (output pixels) x NV vectors
// (output channels) of int32 accumulators, acc[i * NV + j]; tiling_s8.py lists the shapes that
// stay in registers.
//
// Epilogue. A kernel calls the function named by its last argument once for each vector of VL
// consecutive output channels of one output pixel, when sum and bias are complete, and stores what
// it returns:
//     INLINE vi relu6(const void *const *extra, vi acc, long row, int channel, int lanes)
//   row      flat index of the output pixel, (batch * OH + oh) * OW + ow, or the row of the GEMM
//   channel  output channel of lane 0
//   lanes    how many lanes exist, a literal; VL except at the channel tail, where lanes beyond
//            hold rubbish. Read an int8 tensor with load_s8(p, lanes).
//   extra    the pointers that the emitter passed to the kernel, untouched
// OUT = 1: the result is saturated to int8, clamped to [low, high] and stored as bytes.
// OUT = 2: the same of its low 16 bits, as store_low_s8 of dot8.h takes them.
// OUT = 4: it is stored as 32-bit words (int32, or the bits of f32).
// requantize.h has the standard epilogues.
//
// Weights are packed by packing_s8. K is walked in quads; where 4 does not divide K >= 4, the last
// quad starts at K - 4 and the weights of the bytes that earlier quads covered are zero, so that no
// byte beyond a row is read. Where weights less their zero point exceed int8, AGAIN quads of
// activations are multiplied once more, by what is missing. The weights then begin with the places
// of those quads' first elements, in as many vectors of integers as it takes, and each panel ends
// with AGAIN more quads of weights.
#pragma once
#include "requantize.h"

enum { FETCH_LEAST = 8 }; // bytes
// Sums of products that are under way at a time, and the terms of one from which on that counts.
enum { CHAINS = 8, LONG_SUM = 128 };
// Whether anything is fetched at this pace: not where it is the literal 0.
#define FETCHES(pace) (!__builtin_constant_p(pace) || (pace))

// Bytes of an element of the result.
INLINE int out_bytes(const int OUT) { return OUT == 4 ? 4 : 1; }

typedef vi (*epilogue_s8)(const void *const *extra, vi acc, long row, int channel, int lanes);

// Bytes that the places of AGAIN quads take.
INLINE long again_bytes(const int AGAIN) { return (AGAIN + VL - 1) / VL * VL * 4; }

// acc = bias of the tile's channels.
INLINE void tile_start_s8(const int MR, const int NV, vi *acc, const int *bias) {
    UNROLL(j, NV) {
        const vi b = vload_i(bias + j * VL);
        UNROLL(i, MR) acc[i * NV + j] = b;
    }
}

// One quad of K: acc[i][j] += quad at a[i * lda] * quads of b. READY: a was written by ready_s8;
// lda counts bytes.
INLINE void tile_quad_s8(const int MR, const int NV, const int READY, const int count, vi *acc,
                         const s8 *a, const long lda, const s8 *b) {
    UNROLL(part, DOT8_PARTS) {
        vw_part w[TILE_VECTORS];
        UNROLL(j, NV) w[j] = part_load(b + j * VL * 4, part);
        UNROLL(i, MR) {
            const vq_part q = part_set(a + i * lda, count, READY, part);
            UNROLL(j, NV) acc[i * NV + j] = part_dot(acc[i * NV + j], q, w[j]);
        }
    }
}

// How many of `bytes` that `tiles` fetch with each quad one of them does: few, because loads wait
// where too many lines are under way.
INLINE int fetch_bytes(const int bytes, const int tiles) {
    const int even = (bytes + tiles - 1) / tiles;
    return even < FETCH_LEAST ? FETCH_LEAST : even < 64 ? even : 64;
}

// Of a tile of few accumulators the sum of `runs` times 4 * runs products each, so that one need
// not wait for the other; returns how far it came.
INLINE int tile_runs_s8(const int MR, const int NV, const int K, const int READY, const int runs,
                        vi *acc, const s8 *a, const long lda, const s8 *b) {
    vi part[CHAINS] = {{0}};
    int k = 0;
    for (; k + 4 * runs <= K; k += 4 * runs)
        UNROLL(r, runs) tile_quad_s8(MR, NV, READY, 4, part + r * MR * NV,
                                     a + (k + 4 * r) * (READY ? DOT8_BYTES : 1), lda,
                                     b + (long)(k + 4 * r) * NV * VL);
    UNROLL(r, runs) UNROLL(i, MR * NV) acc[i] += part[r * MR * NV + i];
    return k;
}

// acc[i][j] += sum over k < K of a[i][k] * b: ceil(K / 4) quads, each [NV][VL][4]. Returns the next
// quad of b. pace: how many bytes of `ahead` each quad fetches.
INLINE const s8 *tile_sum_s8(const int MR, const int NV, const int K, const int READY,
                             const int pace, vi *acc, const s8 *a, const long lda, const s8 *b,
                             const s8 *ahead) {
    const int each = READY ? DOT8_BYTES : 1, runs = CHAINS / (MR * NV);
    int k = 0;
    if (runs > 1 && K >= LONG_SUM)
        k = tile_runs_s8(MR, NV, K, READY, runs, acc, a, lda, b), b += (long)k * NV * VL;
    for (; k + 4 <= K; k += 4, b += NV * VL * 4) {
        if (FETCHES(pace)) __builtin_prefetch(ahead + (long)(k / 4) * pace, 0, 2);
        tile_quad_s8(MR, NV, READY, 4, acc, a + k * each, lda, b);
    }
    if (K % 4 == 0) return b;
    if (K > 4)
        tile_quad_s8(MR, NV, READY, 4, acc, a + (K - 4) * each, lda, b);
    else
        tile_quad_s8(MR, NV, READY, K, acc, a, lda, b);
    return b + NV * VL * 4;
}

// c[i * ldc + j * VL ...] = epilogue(acc[i][j]) for rows row + i and channels channel + j * VL ...
INLINE void tile_store_s8(const int MR, const int NV, const int LANES, const int OUT,
                          const int low, const int high, const vi *acc, void *c, const long ldc,
                          const long row, const int channel, const void *const *extra,
                          epilogue_s8 epilogue) {
    vi y[TILE_ACCUMULATORS];
    UNROLL(j, NV) UNROLL(i, MR)
        y[i * NV + j] = epilogue(extra, acc[i * NV + j], row + i, channel + j * VL,
                                 j == NV - 1 ? LANES : VL);
    if (OUT != 4) {
        store_tile_s8(c, ldc, y, MR, NV, LANES, OUT, low, high);
        return;
    }
    UNROLL(i, MR) UNROLL(j, NV)
        vstore_n((float *)c + i * ldc + j * VL, (vf)y[i * NV + j], j == NV - 1 ? LANES : VL);
}
