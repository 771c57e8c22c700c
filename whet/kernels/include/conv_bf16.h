// 2-D convolution of bf16, channels last, as conv_f32.h defines it: y[B][OH][OW][G * N], as OUT
// says, from x[B][H][W][G * C]. ldx, ldy: elements from one pixel to the next.
//
// The input rows of a block of RB output rows are laid in scratch with their padding written out,
// PIXEL >= C elements a pixel: ((RB - 1) * SH + (KH - 1) * DH + 1) rows of ((OW - 1) * SW +
// (KW - 1) * DW + 1) pixels. w is packed by packing_bf16.pack_conv_pairs in runs: a row of taps,
// KW * C, where they lie together in scratch (PIXEL == C and DW == 1), else one tap, C. Behind the
// rows of a whole block, from a line of 64 bytes on, lie rows of a panel (laid_rows_bf16), where
// tiles read them so, and RB * OW * NV * VL sums.
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

// TH x TW output pixels against the rows [from, to) of one panel; a is their first tap in scratch.
// parts: their sums of the rows before, and after the last ones where `to` is not the last row.
INLINE void conv_tile_bf16(const int DOT, const int OUT, const int TH, const int TW, const int NV,
                           const int LANES, const int C, const int PIXEL, const int WIDTH,
                           const int KH, const int KW, const int SH, const int SW, const int DH,
                           const int DW, const int OW, const int ldy, const void *a, const bf16 *w,
                           const float *bias, char *y, const long row, const int channel,
                           const int from, const int to, float *parts, const float *panel,
                           const int RATE, const float *ahead, const void *const *extra,
                           epilogue_f32 epilogue) {
    const int merged = PIXEL == C && DW == 1, run = merged ? KW * C : C;
    const int lda = SW * PIXEL, down = SH * WIDTH * PIXEL;
    const int even = (run + 1) / 2 * 2, K = KH * (merged ? 1 : KW) * even;
    vf acc[TILE_ACCUMULATORS];
    if (from)
        UNROLL (i, TH * TW * NV) acc[i] = vload(parts + i * VL);
    else
        tile_start_f32(TH * TW, NV, LANES, acc, bias);
    for (int kh = 0; kh < KH; kh++)
        for (int kw = 0; kw < (merged ? 1 : KW); kw++) {
            const long tap = ((long)kh * DH * WIDTH + kw * DW) * PIXEL;
            const int k = (kh * (merged ? 1 : KW) + kw) * even;
            const int first = k < from ? from : k, past = k + run < to ? k + run : to;
            if (panel)
                tile_sum_laid_bf16(TH * TW, TW, NV, LANES, past - first, RATE, acc,
                                   (const float *)a + tap + first - k, lda, down,
                                   panel + (long)(first - from) * NV * VL,
                                   ahead + ahead_share_f32(first - from, RATE));
            else
                tile_sum_bf16(DOT, TH * TW, TW, NV, LANES, run, acc, laid_bf16(DOT, a, tap), lda,
                              down, w + (long)k * NV * VL);
        }
    if (to < K) {
        UNROLL (i, TH * TW * NV) vstore(parts + i * VL, acc[i]);
        return;
    }
    UNROLL (t, TH)
        tile_store_f32(OUT, TW, NV, LANES, acc + t * TW * NV, y + (long)t * OW * ldy * OUT, ldy,
                       row + t * OW, channel, extra, epilogue);
}

// A block of `rows` output rows against one panel; most: tiles of a whole block. panel, parts:
// where LAID rows of the panel and sums are laid, null where they are not.
INLINE void conv_block_bf16(const int DOT, const int OUT, const int rows, const int most,
                            const int NV, const int LANES, const int C, const int PIXEL,
                            const int WIDTH, const int OW, const int ldy, const int KH,
                            const int KW, const int SH, const int SW, const int DH, const int DW,
                            const int TH, const int TW, const int K, const int LAID,
                            const void *laid, const bf16 *w, const float *bias, char *y,
                            const long first, const int channel, float *panel, float *parts,
                            const float *ahead, const void *const *extra, epilogue_f32 epilogue) {
    const int tiles = (OW + TW - 1) / TW, few = OW / tiles, larger = OW % tiles;
    const int KC = panel ? LAID : K, RATE = ahead_rate_bf16(DOT, most, NV);
#define TILE(TH_, TW_)                                                                         \
    conv_tile_bf16(DOT, OUT, TH_, TW_, NV, LANES, C, PIXEL, WIDTH, KH, KW, SH, SW, DH, DW, OW, \
                   ldy, laid_bf16(DOT, laid, ((long)(r * SH) * WIDTH + ow * SW) * PIXEL), w,   \
                   bias, y + ((long)r * OW + ow) * ldy * OUT, first + (long)r * OW + ow,       \
                   channel, k, k + depth, parts + ((long)r * OW + ow) * NV * VL, panel, RATE,  \
                   ahead, extra, epilogue),                                                    \
        ahead += ahead_share_f32(depth, RATE)
#define ROW(TH_)                                                                     \
    for (int ow = 0; ow < larger * (few + 1); ow += few + 1) TILE(TH_, few + 1);     \
    for (int ow = larger * (few + 1); ow < OW; ow += few) TILE(TH_, few)
    for (int k = 0; k < K; k += KC) {
        const int depth = K - k < KC ? K - k : KC;
        int r = 0;
        if (panel) lay_panel_bf16(depth, NV, w + (long)k * NV * VL, panel);
        for (; r + TH <= rows; r += TH) {
            ROW(TH);
        }
        for (; r < rows; r++) {
            ROW(1);
        }
    }
#undef ROW
#undef TILE
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
    const int K = KH * (merged ? 1 : KW) * ((run + 1) / 2 * 2);
    const int LAID = laid_rows_bf16(K, NV); // as many of a narrower panel
    const int most = (RB / TH + RB % TH) * ((OW + TW - 1) / TW);
    const long laid = ((long)(RB - 1) * SH + (KH - 1) * DH + 1) * WIDTH * PIXEL;
    float *lp = panel_laid_bf16(DOT, most) ? (float *)scratch + (laid + 15) / 16 * 16 : 0;
    float *parts = lp ? lp + LAID * NV * VL : 0;
#define BLOCK(NV_, LANES_)                                                                       \
    conv_block_bf16(DOT, OUT, rows, most, NV_, LANES_, C, PIXEL, WIDTH, OW, ldy, KH, KW, SH, SW, \
                    DH, DW, TH, TW, K, LAID, scratch, wb, bs, yb, first, channel, lp, parts,     \
                    (const float *)(again ? w : wb + (long)K * (NV_) * VL), extra, epilogue)
    for (int u = begin; u < end; u++) {
        const int block = u / (G * panels), g = u / panels % G, panel = u % panels;
        const int b = block / blocks, oh = block % blocks * RB, channel = g * N + panel * width;
        const int rows = OH - oh < RB ? OH - oh : RB;
        const int again = u % (G * panels) == G * panels - 1 && block < B * blocks - 1;
        const long first = ((long)b * OH + oh) * OW;
        const bf16 *wb = w + (g * ((N + VL - 1) / VL) * VL + (long)panel * width) * (long)K;
        const float *bs = bias ? bias + channel : 0;
        char *yb = (char *)y + (first * ldy + channel) * OUT;
        if (u == begin || panel == 0)
            lay_rows_bf16(DOT, H, W, C, ldx, PL, PIXEL, WIDTH, oh * SH - PT,
                          (rows - 1) * SH + (KH - 1) * DH + 1, x + (long)b * H * W * ldx + g * C,
                          scratch);
        if (panel < whole)
            BLOCK(NV, VL);
        else if (rest)
            BLOCK(last, lanes);
    }
#undef BLOCK
}
