// 3 x 3 convolution of stride 1 with fewer multiplications: F(M x M, 3 x 3), M = 2 or 4, after
// A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, arXiv 1509.09308.
// y[B][OH][OW][N], as OUT says, from x[B][H][W][C], channels last, the meaning of conv_f32 with
// KH = KW = 3, strides, dilations and groups 1.
//
// A tile of (M + 2)^2 input pixels becomes as many values per channel, B^T d B; at each of these
// positions a GEMM with w, packed by packing.pack_winograd, sums over the channels; A^T m A makes
// M x M output pixels. Multiplications fall by 2.25 (M = 2) or 4 (M = 4) where M divides OH and OW.
// The points are 0, 1, -1 or 0, 3/4, -3/4, 3/2, -3/2, and infinity: every constant below is exact
// and the rounding errors of M = 4 are a third of those with 1 and 2. winograd_error.py bounds them
// for given weights; the compiler takes conv_f32 where the bound is too large.
//
// Rows of tiles of an image go in BLOCKS even blocks; a call does the blocks [begin, end) of all
// images. All `parts` threads that enter it share tiles and products of a block, and wait for each
// other between these: for large weights, so that each is read by one thread. For small weights
// threads have blocks of their own, and parts is 1. Scratch of a call, for all its parts:
// (M + 2)^2 * ceil(ceil(OH / M) / BLOCKS) * ceil(OW / M) * (C + N) floats. MR, NV are the GEMM's
// tile. The result depends on none of this.
#pragma once
#include "gemm_f32.h"
#include "share.h"

// B^T d for d[0], d[s], ... in place.
INLINE void winograd_input_f32(const int M, vf *d, const int s) {
    const vf d0 = d[0], d1 = d[s], d2 = d[2 * s], d3 = d[3 * s];
    if (M == 2) {
        d[0] = d2 - d0, d[s] = d2 + d1, d[2 * s] = d2 - d1, d[3 * s] = d3 - d1;
        return;
    }
    const vf d4 = d[4 * s], d5 = d[5 * s];
    const vf a = d4 - 2.25f * d2, b = 0.75f * (d3 - 2.25f * d1);
    const vf c = d4 - 0.5625f * d2, e = 1.5f * (d3 - 0.5625f * d1);
    d[0] = 1.265625f * d0 - 2.8125f * d2 + d4, d[5 * s] = 1.265625f * d1 - 2.8125f * d3 + d5;
    d[s] = a + b, d[2 * s] = a - b, d[3 * s] = c + e, d[4 * s] = c - e;
}

// A^T m for m[0], m[s], ... in place, M results.
INLINE void winograd_output_f32(const int M, vf *m, const int s) {
    const vf a = m[s] + m[2 * s], b = m[s] - m[2 * s];
    if (M == 2) {
        m[0] = m[0] + a, m[s] = b + m[3 * s];
        return;
    }
    const vf c = m[3 * s] + m[4 * s], e = m[3 * s] - m[4 * s];
    m[0] = m[0] + a + c, m[s] = 0.75f * b + 1.5f * e, m[2 * s] = 0.5625f * a + 2.25f * c;
    m[3 * s] = 0.421875f * b + 3.375f * e + m[5 * s];
}

// Channels c to c + lanes of the input tile from pixel (ih, iw) on, to v[position][tiles][C]. IN is
// the size of an element of x.
INLINE void winograd_read_f32(const int IN, const int M, const int inside, const int lanes,
                              const int H, const int W, const int C, const int ldx, const int tiles,
                              const int ih, const int iw, const int c, const void *x, float *v) {
    const int S = M + 2;
    vf d[36];
    UNROLL (i, S) {
        UNROLL (j, S) {
            const int row = ih + i, column = iw + j;
            const int in = inside || (row >= 0 && row < H && column >= 0 && column < W);
            const long at = ((long)row * W + column) * ldx + c;
            d[i * S + j] = in ? load_f32(IN, x, at, lanes) : (vf){0};
        }
        winograd_input_f32(M, d + i * S, 1);
    }
    UNROLL (j, S) {
        winograd_input_f32(M, d + j, S);
        UNROLL (i, S) vstore_n(v + (long)(i * S + j) * tiles * C + c, d[i * S + j], lanes);
    }
}

// Channels n to n + lanes of the M x M output pixels from (oh, ow) on; m[position][tiles][LDM] is
// at the first of them.
INLINE void winograd_write_f32(const int OUT, const int M, const int lanes, const int OH,
                               const int OW, const int LDM, const int ldy, const int tiles,
                               const long image, const int oh, const int ow, const int n,
                               const float *m, const float *bias, void *y, const void *const *extra,
                               epilogue_f32 epilogue) {
    const int S = M + 2;
    const vf b = bias ? vload_n(bias + n, lanes) : (vf){0};
    vf d[36];
    UNROLL (j, S) {
        UNROLL (i, S) d[i * S + j] = vload_n(m + (long)(i * S + j) * tiles * LDM, lanes);
        winograd_output_f32(M, d + j, S);
    }
    UNROLL (i, M) {
        winograd_output_f32(M, d + i * S, 1);
        UNROLL (j, M)
            if (oh + i < OH && ow + j < OW) {
                const long row = (image * OH + oh + i) * OW + ow + j;
                const vf v = epilogue(extra, d[i * S + j] + b, row, n, lanes);
                store_f32(OUT, y, row * ldy + n, v, lanes);
            }
    }
}

// The tiles [begin, end) of a block from output row oh on, from x to v.
INLINE void winograd_inputs_f32(const int IN, const int M, const int H, const int W, const int C,
                                const int ldx, const int across, const int tiles, const int PT,
                                const int PL, const int oh, const int begin, const int end,
                                const void *x, float *v) {
    for (int t = begin; t < end; t++) {
        const int ih = oh + t / across * M - PT, iw = t % across * M - PL;
        float *vt = v + (long)t * C;
        if (ih >= 0 && ih + M + 2 <= H && iw >= 0 && iw + M + 2 <= W)
            for (int c = 0; c < C - C % VL; c += VL)
                winograd_read_f32(IN, M, 1, VL, H, W, C, ldx, tiles, ih, iw, c, x, vt);
        else
            for (int c = 0; c < C - C % VL; c += VL)
                winograd_read_f32(IN, M, 0, VL, H, W, C, ldx, tiles, ih, iw, c, x, vt);
        if (C % VL)
            winograd_read_f32(IN, M, 0, C % VL, H, W, C, ldx, tiles, ih, iw, C - C % VL, x, vt);
    }
}

// The units [begin, end) of the products of a block, each a panel at a position, from v to m.
INLINE void winograd_products_f32(const int M, const int C, const int N, const int tiles,
                                  const int MR, const int NV, const int begin, const int end,
                                  const float *v, const float *w, float *m) {
    const int panels = (N + NV * VL - 1) / (NV * VL), rows = (tiles + MR - 1) / MR * MR;
    const long packed = (long)C * ((N + VL - 1) / VL) * VL;
    for (int p = begin / panels; p * panels < end; p++) {
        const int first = begin - p * panels, past = end - p * panels;
        gemm_f32(4, tiles, N, C, C, 0, N, MR, NV, rows, first > 0 ? first : 0,
                 past < panels ? past : panels, v + (long)p * tiles * C, w + p * packed, 0,
                 m + (long)p * tiles * N, 0, 0, 0, 0, identity_f32);
    }
}

// The tiles [begin, end) of a block from output row oh on, from m to y.
INLINE void winograd_outputs_f32(const int OUT, const int M, const int OH, const int OW,
                                 const int N, const int ldy, const int across, const int tiles,
                                 const long image, const int oh, const int begin, const int end,
                                 const float *m, const float *bias, void *y,
                                 const void *const *extra, epilogue_f32 epilogue) {
    for (int t = begin; t < end; t++) {
        const int row = oh + t / across * M, column = t % across * M;
        const float *mt = m + (long)t * N;
        for (int n = 0; n < N - N % VL; n += VL)
            winograd_write_f32(OUT, M, VL, OH, OW, N, ldy, tiles, image, row, column, n, mt + n,
                               bias, y, extra, epilogue);
        if (N % VL)
            winograd_write_f32(OUT, M, N % VL, OH, OW, N, ldy, tiles, image, row, column,
                               N - N % VL, mt + N - N % VL, bias, y, extra, epilogue);
    }
}

// A block of `rows` rows of tiles. v is written when every thread is done with the products of the
// block before; m when every thread has made v, and so is done with the outputs of the block
// before. Those may still be read while v is written: v and m never overlap, whatever `rows` are.
INLINE void winograd_block_f32(const int OUT, const int M, const int H, const int W, const int C,
                               const int ldx, const int OH, const int OW, const int N,
                               const int ldy, const int PT, const int PL, const int rows,
                               const int MR, const int NV, const long image, const int oh,
                               const float *x, const float *w, const float *bias, void *y, float *v,
                               float *m, const void *const *extra, epilogue_f32 epilogue,
                               const int part, const int parts, void (*wait)(void *pool),
                               void *pool) {
    const int across = (OW + M - 1) / M, tiles = rows * across, positions = (M + 2) * (M + 2);
    const int units = positions * ((N + NV * VL - 1) / (NV * VL));
    const int begin = (int)thread_share(tiles, part, parts);
    const int end = (int)thread_share(tiles, part + 1, parts);
    winograd_inputs_f32(4, M, H, W, C, ldx, across, tiles, PT, PL, oh, begin, end, x, v);
    if (parts > 1) wait(pool);
    winograd_products_f32(M, C, N, tiles, MR, NV, (int)thread_share(units, part, parts),
                          (int)thread_share(units, part + 1, parts), v, w, m);
    if (parts > 1) wait(pool);
    winograd_outputs_f32(OUT, M, OH, OW, N, ldy, across, tiles, image, oh, begin, end, m, bias, y,
                         extra, epilogue);
}

INLINE void winograd_f32(const int OUT, const int B, const int M, const int H, const int W,
                         const int C, const int ldx, const int OH, const int OW, const int N,
                         const int ldy, const int PT, const int PL, const int BLOCKS, const int MR,
                         const int NV, const int begin, const int end, const float *x,
                         const float *w, const float *bias, void *y, float *scratch,
                         const void *const *extra, epilogue_f32 epilogue, const int part,
                         const int parts, void (*wait)(void *pool), void *pool) {
    const int down = (OH + M - 1) / M, few = down / BLOCKS, more = few + (down % BLOCKS != 0);
    const long most = (long)(M + 2) * (M + 2) * more * ((OW + M - 1) / M);
    float *v = scratch, *m = scratch + most * C;
#define BLOCK(rows)                                                                              \
    winograd_block_f32(OUT, M, H, W, C, ldx, OH, OW, N, ldy, PT, PL, rows, MR, NV, image,        \
                       first * M, x + (long)image * H * W * ldx, w, bias, y, v, m, extra,        \
                       epilogue, part, parts, wait, pool)
    for (int u = begin; u < end; u++) {
        const int image = u / BLOCKS, first = (int)thread_share(down, u % BLOCKS, BLOCKS);
        if (thread_share(down, u % BLOCKS + 1, BLOCKS) - first == few)
            BLOCK(few);
        else
            BLOCK(more);
    }
#undef BLOCK
}
