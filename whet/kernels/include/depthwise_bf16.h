// Depthwise convolution of bf16, channels last, as depthwise_f32.h defines it with a multiplier of
// 1: y[B][OH][OW][C], as OUT says, from x[B][H][W][C]. ldx, ldy: elements from one pixel to the
// next. w is plain floats [KH][KW][C], bias [C] floats or null.
//
// The input rows of a block of RB output rows are laid in scratch as floats with their padding
// written out, CB channels at a time, a multiple of VL: ((RB - 1) * SH + (KH - 1) * DH + 1) rows of
// ((OW - 1) * SW + (KW - 1) * DW + 1) pixels. A tile is TW output pixels of one vector of channels.
//
// Work is B * ceil(OH / RB) * ceil(C / CB) units, unit u = (block of RB output rows, block of
// channels); a call does [begin, end). All const ints are literals.
#pragma once
#include "conv_bf16.h"

// TW output pixels of channels n to n + lanes; a is their first tap in scratch, which has PIXEL
// channels.
INLINE void depthwise_tile_bf16(const int OUT, const int TW, const int lanes, const int PIXEL,
                                const int WIDTH, const int C, const int KH, const int KW,
                                const int SW, const int DH, const int DW, const int ldy,
                                const float *a, const float *w, const float *bias, char *y,
                                const long row, const int n, const void *const *extra,
                                epilogue_f32 epilogue) {
    vf acc[TILE_ACCUMULATORS];
    tile_start_f32(1, 1, lanes, acc, bias ? bias + n : 0);
    UNROLL (i, TW) acc[i] = acc[0];
    for (int kh = 0; kh < KH; kh++)
        UNROLL (kw, KW) {
            const float *pixels = a + ((long)kh * DH * WIDTH + kw * DW) * PIXEL;
            const vf tap = vload_n(w + ((long)kh * KW + kw) * C + n, lanes);
            UNROLL (i, TW)
                acc[i] = vfma(vload_n(pixels + (long)i * SW * PIXEL, lanes), tap, acc[i]);
        }
    tile_store_bf16(OUT, TW, 1, lanes, acc, y + (long)n * OUT, ldy, row, n, extra, epilogue);
}

// The vectors of `size` channels from `channel` on, all of a block's output rows.
INLINE void depthwise_block_bf16(const int OUT, const int size, const int rows, const int WIDTH,
                                 const int C, const int OW, const int ldy, const int KH,
                                 const int KW, const int SH, const int SW, const int DH,
                                 const int DW, const int TW, const int channel, const float *laid,
                                 const float *w, const float *bias, char *y, const long first,
                                 const void *const *extra, epilogue_f32 epilogue) {
    const int tiles = (OW + TW - 1) / TW, few = OW / tiles, larger = OW % tiles;
    const int rest = size % VL, whole = size - rest;
#define TILE(TW_, LANES_)                                                               \
    depthwise_tile_bf16(OUT, TW_, LANES_, size, WIDTH, C, KH, KW, SW, DH, DW, ldy,      \
                        laid + ((long)r * SH * WIDTH + ow * SW) * size + n, w, bias,    \
                        y + ((long)r * OW + ow) * ldy * OUT, first + (long)r * OW + ow, \
                        channel + n, extra, epilogue)
#define ROW(LANES_)                                                                 \
    for (int ow = 0; ow < larger * (few + 1); ow += few + 1) TILE(few + 1, LANES_); \
    for (int ow = larger * (few + 1); ow < OW; ow += few) TILE(few, LANES_)
    for (int r = 0; r < rows; r++) {
        for (int n = 0; n < whole; n += VL) {
            ROW(VL);
        }
        for (int n = whole; n < size; n += VL) {
            ROW(rest);
        }
    }
#undef ROW
#undef TILE
}

INLINE void depthwise_bf16(const int OUT, const int B, const int H, const int W, const int C,
                           const int ldx, const int OH, const int OW, const int ldy, const int KH,
                           const int KW, const int SH, const int SW, const int DH, const int DW,
                           const int PT, const int PL, const int TW, const int RB, const int CB,
                           const int begin, const int end, const bf16 *x, const float *w,
                           const float *bias, void *y, void *scratch, const void *const *extra,
                           epilogue_f32 epilogue) {
    const int WIDTH = (OW - 1) * SW + (KW - 1) * DW + 1, blocks = (OH + RB - 1) / RB;
    const int parts = (C + CB - 1) / CB, last = C - (parts - 1) * CB;
    for (int u = begin; u < end; u++) {
        const int block = u / parts, channel = u % parts * CB;
        const int b = block / blocks, oh = block % blocks * RB;
        const int rows = OH - oh < RB ? OH - oh : RB, high = (rows - 1) * SH + (KH - 1) * DH + 1;
        const long first = ((long)b * OH + oh) * OW;
        const bf16 *xb = x + (long)b * H * W * ldx + channel;
        char *yb = (char *)y + first * ldy * OUT;
#define BLOCK(size)                                                                          \
    lay_rows_bf16(0, H, W, size, ldx, PL, size, WIDTH, oh * SH - PT, high, xb, scratch),     \
        depthwise_block_bf16(OUT, size, rows, WIDTH, C, OW, ldy, KH, KW, SH, SW, DH, DW, TW, \
                             channel, scratch, w, bias, yb, first, extra, epilogue)
        if (channel + CB <= C)
            BLOCK(CB);
        else
            BLOCK(last);
#undef BLOCK
    }
}
