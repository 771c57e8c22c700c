// 2-D convolution of bf16, channels last, as conv_f32.h defines it: y[B][OH][OW][G * N], as OUT
// says, from x[B][H][W][G * C]. ldx, ldy: elements from one pixel to the next.
//
// The input rows of a block of RB output rows are laid in scratch with their padding written out,
// PIXEL >= C elements a pixel: ((RB - 1) * SH + (KH - 1) * DH + 1) rows of ((OW - 1) * SW +
// (KW - 1) * DW + 1) pixels. w is packed by packing_bf16.pack_conv_pairs in runs: a row of taps,
// KW * C, where they lie together in scratch (PIXEL == C and DW == 1), else one tap, C.
//
// Work is B * ceil(OH / RB) * G * ceil(N / (NV * VL)) units, unit u = (block of RB output rows,
// group, panel); a call does [begin, end) and the result does not depend on the split. A tile is TH
// rows of TW output pixels, TH * TW * NV <= TILE_ACCUMULATORS. All const ints are literals.
#pragma once
#include "tile_bf16.h"

// `rows` rows of x from input row `top` on, columns from -PL on, into scratch.
INLINE void lay_rows_bf16(const int DOT, const int H, const int W, const int C, const int ldx,
                          const int PL, const int PIXEL, const int WIDTH, const int top,
                          const int rows, const bf16 *x, void *scratch) {
    const int inner = W + PL < WIDTH ? W : WIDTH - PL; // columns of x that are laid
    for (int r = 0; r < rows; r++) {
        const int ih = top + r;
        void *to = laid_bf16(DOT, scratch, (long)r * WIDTH * PIXEL);
        if (ih < 0 || ih >= H || inner <= 0) {
            lay_bf16(DOT, 0, WIDTH * PIXEL, to);
            continue;
        }
        const bf16 *row = x + (long)ih * W * ldx;
        lay_bf16(DOT, 0, PL * PIXEL, to);
        if (PIXEL == C && C == ldx)
            lay_bf16(DOT, row, inner * PIXEL, laid_bf16(DOT, to, PL * PIXEL));
        else
            for (int i = 0; i < inner; i++)
                lay_bf16(DOT, row + (long)i * ldx, C, laid_bf16(DOT, to, (long)(PL + i) * PIXEL));
        lay_bf16(DOT, 0, (WIDTH - PL - inner) * PIXEL,
                 laid_bf16(DOT, to, (long)(PL + inner) * PIXEL));
    }
}

// TH x TW output pixels against one panel; a is their first tap in scratch.
INLINE void conv_tile_bf16(const int DOT, const int OUT, const int TH, const int TW, const int NV,
                           const int LANES, const int C, const int PIXEL, const int WIDTH,
                           const int KH, const int KW, const int SH, const int SW, const int DH,
                           const int DW, const int OW, const int ldy, const void *a, const bf16 *w,
                           const float *bias, char *y, const long row, const int channel,
                           const void *const *extra, epilogue_f32 epilogue) {
    const int merged = PIXEL == C && DW == 1, run = merged ? KW * C : C;
    const int lda = SW * PIXEL, down = SH * WIDTH * PIXEL;
    vf acc[TILE_ACCUMULATORS];
    tile_start_f32(TH * TW, NV, LANES, acc, bias);
    for (int kh = 0; kh < KH; kh++)
        for (int kw = 0; kw < (merged ? 1 : KW); kw++) {
            const long tap = ((long)kh * DH * WIDTH + kw * DW) * PIXEL;
            tile_sum_bf16(DOT, TH * TW, TW, NV, LANES, run, acc, laid_bf16(DOT, a, tap), lda, down,
                          w + ((long)kh * (merged ? 1 : KW) + kw) * ((run + 1) / 2 * 2) * NV * VL);
        }
    UNROLL (t, TH)
        tile_store_bf16(OUT, TW, NV, LANES, acc + t * TW * NV, y + (long)t * OW * ldy * OUT, ldy,
                        row + t * OW, channel, extra, epilogue);
}

INLINE void conv_bf16(const int DOT, const int OUT, const int B, const int H, const int W,
                      const int C, const int ldx, const int PIXEL, const int OH, const int OW,
                      const int N, const int ldy, const int G, const int KH, const int KW,
                      const int SH, const int SW, const int DH, const int DW, const int PT,
                      const int PL, const int TH, const int TW, const int NV, const int RB,
                      const int begin, const int end, const bf16 *x, const bf16 *w,
                      const float *bias, void *y, void *scratch, const void *const *extra,
                      epilogue_f32 epilogue) {
    const int WIDTH = (OW - 1) * SW + (KW - 1) * DW + 1, blocks = (OH + RB - 1) / RB;
    const int width = NV * VL, whole = N / width, panels = (N + width - 1) / width;
    const int rest = N - whole * width, last = (rest + VL - 1) / VL, lanes = rest - (last - 1) * VL;
    const int merged = PIXEL == C && DW == 1, run = merged ? KW * C : C;
    const long K = (long)KH * (merged ? 1 : KW) * ((run + 1) / 2 * 2);
    const int tiles = (OW + TW - 1) / TW, few = OW / tiles, larger = OW % tiles;
#define TILE(TH_, TW_, NV_, LANES_)                                                              \
    conv_tile_bf16(DOT, OUT, TH_, TW_, NV_, LANES_, C, PIXEL, WIDTH, KH, KW, SH, SW, DH, DW, OW, \
                   ldy, laid_bf16(DOT, scratch, ((long)(r * SH) * WIDTH + ow * SW) * PIXEL), wb, \
                   bs, yb + ((long)r * OW + ow) * ldy * OUT, first + (long)r * OW + ow, channel, \
                   extra, epilogue)
#define ROW(TH_, NV_, LANES_)                                                                 \
    for (int ow = 0; ow < larger * (few + 1); ow += few + 1) TILE(TH_, few + 1, NV_, LANES_); \
    for (int ow = larger * (few + 1); ow < OW; ow += few) TILE(TH_, few, NV_, LANES_)
#define ROWS(NV_, LANES_)             \
    for (; r + TH <= rows; r += TH) { \
        ROW(TH, NV_, LANES_);         \
    }                                 \
    for (; r < rows; r++) {           \
        ROW(1, NV_, LANES_);          \
    }
    for (int u = begin; u < end; u++) {
        const int block = u / (G * panels), g = u / panels % G, panel = u % panels;
        const int b = block / blocks, oh = block % blocks * RB, channel = g * N + panel * width;
        const int rows = OH - oh < RB ? OH - oh : RB;
        const long first = ((long)b * OH + oh) * OW;
        const bf16 *wb = w + (g * ((N + VL - 1) / VL) * VL + (long)panel * width) * K;
        const float *bs = bias ? bias + channel : 0;
        char *yb = (char *)y + (first * ldy + channel) * OUT;
        if (u == begin || panel == 0)
            lay_rows_bf16(DOT, H, W, C, ldx, PL, PIXEL, WIDTH, oh * SH - PT,
                          (rows - 1) * SH + (KH - 1) * DH + 1, x + (long)b * H * W * ldx + g * C,
                          scratch);
        int r = 0;
        if (panel < whole) {
            ROWS(NV, VL)
        } else if (rest) {
            ROWS(last, lanes)
        }
    }
#undef ROWS
#undef ROW
#undef TILE
}
