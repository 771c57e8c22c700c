// The register tile shared by the bf16 GEMM and convolution: MR rows (output pixels) x NV vectors
// (output channels) of f32 accumulators, acc[i * NV + j], as in tile_f32.h, whose epilogues these
// kernels take.
//
// Weights are packed in pairs of K by packing_bf16: [ceil(K / 2)][NV][VL][2], an odd K closed by
// zeros. Rows of a are laid in scratch first. DOT = 0: as floats, and each product is a
// multiply-add of f32; a panel that several tiles share is laid as floats as well, [K][NV][VL], an
// odd K with its zeros. DOT = 1: as they are, for vdot_bf16. Strides of scratch count elements. Row
// i of a is at (i / TW) * down + i % TW * lda.
#pragma once
#include "tile_f32.h"

// Where element i of laid scratch is.
INLINE void *laid_bf16(const int DOT, const void *scratch, const long i) {
    return (char *)scratch + i * (DOT ? 2 : 4);
}

// Lay n numbers of x, or n zeros where x is null.
INLINE void lay_bf16(const int DOT, const bf16 *x, const int n, void *to) {
    int i = 0;
    if (DOT) {
        bf16 *y = to;
        for (; i + VL <= n; i += VL)
            *(vh_memory *)(y + i) = x ? *(const vh_memory *)(x + i) : (vh){0};
        for (; i < n; i++) y[i].bits = x ? x[i].bits : 0;
    } else {
        float *y = to;
        for (; i + VL <= n; i += VL) vstore(y + i, x ? vload_bf16_n(x + i, VL) : (vf){0});
        for (; i < n; i++) y[i] = x ? widen_bf16(x[i]) : 0.f;
    }
}

// One k: acc[i][j] += a[i] * row[j].
INLINE void tile_one_bf16(const int MR, const int TW, const int NV, const int LANES, vf *acc,
                          const float *a, const int lda, const int down, const vf *row) {
    UNROLL (i, MR) {
        const float s = a[(long)(i / TW) * down + (long)(i % TW) * lda];
        UNROLL (j, NV)
            acc[i * NV + j] = tile_fma_f32(j == NV - 1 ? LANES : VL, s, row[j], acc[i * NV + j]);
    }
}

// Two k, or the last one alone: acc[i][j] += a[i][0] * low of pair[j] + a[i][1] * high of pair[j].
INLINE void tile_two_bf16(const int DOT, const int alone, const int MR, const int TW, const int NV,
                          const int LANES, vf *acc, const void *a, const int lda, const int down,
                          const bf16 *b) {
    vi pair[TILE_VECTORS];
    vf row[TILE_VECTORS];
    UNROLL (j, NV) pair[j] = vload_i((const int *)b + j * VL);
    if (DOT) {
        UNROLL (i, MR) {
            const bf16 *p = (const bf16 *)a + (long)(i / TW) * down + (long)(i % TW) * lda;
            int x = p[0].bits;
            if (!alone) __builtin_memcpy(&x, p, 4);
            UNROLL (j, NV) acc[i * NV + j] = vdot_bf16(acc[i * NV + j], vset_i(x), pair[j]);
        }
        return;
    }
    UNROLL (j, NV) row[j] = vlow_bf16(pair[j]);
    tile_one_bf16(MR, TW, NV, LANES, acc, a, lda, down, row);
    if (alone) return;
    __asm__ volatile("" ::: "memory"); // read the pairs again rather than hold them in registers
    UNROLL (j, NV) row[j] = vhigh_bf16(vload_i((const int *)b + j * VL));
    tile_one_bf16(MR, TW, NV, LANES, acc, (const float *)a + 1, lda, down, row);
}

// Whether tiles read a panel that is laid as floats.
INLINE int panel_laid_bf16(const int DOT, const int tiles) { return !DOT && tiles > 1; }

// Of the K rows of a panel, how many are laid at once: whole vectors of rows of a, so few that the
// nearest cache holds them.
enum { PANEL_BYTES = 16384 };
INLINE int laid_rows_bf16(const int K, const int NV) {
    const int most = PANEL_BYTES / (4 * NV * VL);
    const int turns = 2 * K <= 3 * most ? 1 : (K + most - 1) / most;
    return (K + 16 * turns - 1) / (16 * turns) * 16;
}

// Lay a panel of K rows, an even number, as floats.
INLINE void lay_panel_bf16(const int K, const int NV, const bf16 *b, float *to) {
    for (long k = 0; k < K; k += 2)
        UNROLL (j, NV) {
            const vi pair = vload_i((const int *)(b + k * NV * VL) + j * VL);
            vstore(to + (k * NV + j) * VL, vlow_bf16(pair));
            vstore(to + ((k + 1) * NV + j) * VL, vhigh_bf16(pair));
        }
}

// As ahead_rate_f32, of a packed panel.
INLINE int ahead_rate_bf16(const int DOT, const int tiles, const int NV) {
    return panel_laid_bf16(DOT, tiles) ? ahead_rate_f32(2 * tiles, NV) : 0;
}

// acc[i][j] += sum over k < K of a[i][k] * b[k][j], b of a laid panel. RATE, ahead: what to fetch
// meanwhile, and from where on.
INLINE void tile_sum_laid_bf16(const int MR, const int TW, const int NV, const int LANES,
                               const int K, const int RATE, vf *acc, const float *a, const int lda,
                               const int down, const float *b, const float *ahead) {
    for (int k = 0; k < K; k++) {
        UNROLL (l, (RATE + 63) / 64)
            __builtin_prefetch(ahead + ahead_share_f32(k, RATE) + l * LINE_FLOATS, 0, 2);
        vf row[TILE_VECTORS];
        UNROLL (j, NV) row[j] = vload(b + ((long)k * NV + j) * VL);
        tile_one_bf16(MR, TW, NV, LANES, acc, a + k, lda, down, row);
    }
}

// acc[i][j] += sum over k < K of a[i][k] * b[k][j], b as it is packed.
INLINE void tile_sum_bf16(const int DOT, const int MR, const int TW, const int NV, const int LANES,
                          const int K, vf *acc, const void *a, const int lda, const int down,
                          const bf16 *b) {
    for (int k = 0; k + 2 <= K; k += 2)
        tile_two_bf16(DOT, 0, MR, TW, NV, LANES, acc, laid_bf16(DOT, a, k), lda, down,
                      b + (long)k * NV * VL);
    if (K % 2)
        tile_two_bf16(DOT, 1, MR, TW, NV, LANES, acc, laid_bf16(DOT, a, K - 1), lda, down,
                      b + (long)(K - 1) * NV * VL);
}
