// winograd_f32 of bf16: the same transforms and products, in f32, of x and w of bf16.
//
// w is packed by packing_bf16.pack_winograd_pairs: panels of NV vectors, the last one narrower, of
// pairs of channels, [ceil(C / 2)][9][NV][VL][2]. A thread that computes a panel makes G w G^T of
// it first, so that few bytes come from afar, and its outputs right after the products.
//
// Blocks, threads and `parts` are as in winograd_f32. Scratch: for all parts together
// (M + 2)^2 * T * C floats, T = ceil(ceil(OH / M) / BLOCKS) * ceil(OW / M), and for each part
// winograd_part_bf16 more.
#pragma once
#include "winograd_f32.h"

// G g, the points' rows of packing.kernel_transform, to u[0], u[s], ...: M + 2 results.
INLINE void winograd_kernel_f32(const int M, const vf g0, const vf g1, const vf g2, vf *u,
                                const int s) {
    if (M == 2) {
        const vf a = 0.5f * (g0 + g2), b = 0.5f * g1;
        u[0] = -g0, u[s] = a + b, u[2 * s] = a - b, u[3 * s] = g2;
        return;
    }
    const vf a = (float)(-128. / 243) * (g0 + 0.5625f * g2), b = (float)(-32. / 81) * g1;
    const vf c = (float)(32. / 243) * (g0 + 2.25f * g2), d = (float)(16. / 81) * g1;
    u[0] = (float)(64. / 81) * g0, u[s] = a + b, u[2 * s] = a - b;
    u[3 * s] = c + d, u[4 * s] = c - d, u[5 * s] = g2;
}

// Floats from one position's matrix of a panel to the next one's: a line more than it has.
INLINE long winograd_apart_bf16(const int C, const int NV) {
    return (long)(C + C % 2) * NV * VL + 16;
}
// Floats of scratch of a part: a panel's matrices, and its products of `tiles` tiles.
INLINE long winograd_part_bf16(const int M, const int C, const int NV, const long tiles) {
    return (M + 2) * (M + 2) * (winograd_apart_bf16(C, NV) + tiles * NV * VL);
}

// Vector j of channel c of a panel, g[kh * 3 + kw], to u[position][C][NV][VL].
INLINE void winograd_weight_bf16(const int M, const int C, const int NV, const vf *g, const int c,
                                 const int j, float *u) {
    const int S = M + 2;
    vf t[18], r[6];
    UNROLL (b, 3) winograd_kernel_f32(M, g[b], g[3 + b], g[6 + b], t + b, 3);
    UNROLL (i, S) {
        winograd_kernel_f32(M, t[3 * i], t[3 * i + 1], t[3 * i + 2], r, 1);
        UNROLL (k, S)
            vstore(u + (i * S + k) * winograd_apart_bf16(C, NV) + ((long)c * NV + j) * VL, r[k]);
    }
}
INLINE void winograd_weights_bf16(const int M, const int C, const int NV, const bf16 *w, float *u) {
    for (int c = 0; c < C; c += 2)
        for (int j = 0; j < NV; j++) {
            const int *pairs = (const int *)w + ((long)c / 2 * 9 * NV + j) * VL;
            vf g[9];
            UNROLL (t, 9) g[t] = vlow_bf16(vload_i(pairs + t * NV * VL));
            winograd_weight_bf16(M, C, NV, g, c, j, u);
            UNROLL (t, 9) g[t] = vhigh_bf16(vload_i(pairs + t * NV * VL));
            winograd_weight_bf16(M, C, NV, g, c + 1, j, u);
        }
}

// A panel of NV vectors, channels n to n + (NV - 1) * VL + LANES, of a block of `rows` rows of
// tiles from output row oh on.
INLINE void winograd_panel_bf16(const int OUT, const int M, const int C, const int OH, const int OW,
                                const int ldy, const int rows, const int MR, const int NV,
                                const int LANES, const long image, const int oh, const int n,
                                const float *v, const bf16 *w, const float *bias, void *y, float *u,
                                float *m, const void *const *extra, epilogue_f32 epilogue) {
    const int across = (OW + M - 1) / M, tiles = rows * across, width = NV * VL;
    const long packed = (long)(C + C % 2) * 9 * width;
    winograd_weights_bf16(M, C, NV, w, u);
    for (int p = 0; p < (M + 2) * (M + 2); p++) {
        const long ahead = (long)C * width * 2 * p; // what products fetch is as long as a matrix
        gemm_block_f32(4, tiles, NV, VL, C, C, 0, width, MR, v + (long)p * tiles * C,
                       u + p * winograd_apart_bf16(C, NV), 0,
                       (char *)(m + (long)p * tiles * width), 0, 0,
                       ahead < packed ? (const float *)(w + packed + ahead) : u, 0, 0, 0, 0,
                       identity_f32);
    }
    for (int t = 0; t < tiles; t++)
        for (int j = 0; j < NV; j++) {
            const int row = oh + t / across * M, column = t % across * M;
            const float *mt = m + (long)t * width + j * VL;
            if (j < NV - 1)
                winograd_write_f32(OUT, M, VL, OH, OW, width, ldy, tiles, image, row, column,
                                   n + j * VL, mt, bias, y, extra, epilogue);
            else
                winograd_write_f32(OUT, M, LANES, OH, OW, width, ldy, tiles, image, row, column,
                                   n + j * VL, mt, bias, y, extra, epilogue);
        }
}

// A block of `rows` rows of tiles; v is written again when every thread is done with its products.
INLINE void winograd_block_bf16(const int OUT, const int M, const int H, const int W, const int C,
                                const int ldx, const int OH, const int OW, const int N,
                                const int ldy, const int PT, const int PL, const int rows,
                                const int MR, const int NV, const long image, const int oh,
                                const bf16 *x, const bf16 *w, const float *bias, void *y, float *v,
                                float *u, float *m, const void *const *extra, epilogue_f32 epilogue,
                                const int part, const int parts, void (*wait)(void *pool),
                                void *pool) {
    const int across = (OW + M - 1) / M, tiles = rows * across, width = NV * VL;
    const int whole = N / width, panels = (N + width - 1) / width, rest = N - whole * width;
    const int last = (rest + VL - 1) / VL, lanes = rest - (last - 1) * VL;
    winograd_inputs_f32(2, M, H, W, C, ldx, across, tiles, PT, PL, oh,
                        (int)thread_share(tiles, part, parts),
                        (int)thread_share(tiles, part + 1, parts), x, v);
    if (parts > 1) wait(pool);
    const int end = (int)thread_share(panels, part + 1, parts);
    for (int p = (int)thread_share(panels, part, parts); p < end; p++) {
        const bf16 *wp = w + (long)p * width * (C + C % 2) * 9;
        if (p < whole)
            winograd_panel_bf16(OUT, M, C, OH, OW, ldy, rows, MR, NV, VL, image, oh, p * width, v,
                                wp, bias, y, u, m, extra, epilogue);
        else if (rest)
            winograd_panel_bf16(OUT, M, C, OH, OW, ldy, rows, MR, last, lanes, image, oh, p * width,
                                v, wp, bias, y, u, m, extra, epilogue);
    }
    if (parts > 1) wait(pool);
}

INLINE void winograd_bf16(const int OUT, const int B, const int M, const int H, const int W,
                          const int C, const int ldx, const int OH, const int OW, const int N,
                          const int ldy, const int PT, const int PL, const int BLOCKS, const int MR,
                          const int NV, const int begin, const int end, const bf16 *x,
                          const bf16 *w, const float *bias, void *y, float *scratch,
                          const void *const *extra, epilogue_f32 epilogue, const int part,
                          const int parts, void (*wait)(void *pool), void *pool) {
    const int down = (OH + M - 1) / M, few = down / BLOCKS, more = few + (down % BLOCKS != 0);
    const long most = (long)more * ((OW + M - 1) / M), positions = (M + 2) * (M + 2);
    float *v = scratch, *u = scratch + positions * most * C;
    u += part * winograd_part_bf16(M, C, NV, most);
    float *m = u + positions * winograd_apart_bf16(C, NV);
#define BLOCK(rows)                                                                               \
    winograd_block_bf16(OUT, M, H, W, C, ldx, OH, OW, N, ldy, PT, PL, rows, MR, NV, image,        \
                        first * M, x + (long)image * H * W * ldx, w, bias, y, v, u, m, extra,     \
                        epilogue, part, parts, wait, pool)
    for (int b = begin; b < end; b++) {
        const int image = b / BLOCKS, first = (int)thread_share(down, b % BLOCKS, BLOCKS);
        if (thread_share(down, b % BLOCKS + 1, BLOCKS) - first == few)
            BLOCK(few);
        else
            BLOCK(more);
    }
#undef BLOCK
}
