// 2-D convolution as a GEMM whose rows are read in place, channels last: y[B][OH][OW][G * N] from
// x[B][H][W][G * C].
//
//   y[b][oh][ow][g * N + n] = epilogue(bias[g * N + n] + sum over kh, kw, c of
//       (x[b][oh * SH - PT + kh * DH][ow * SW - PL + kw * DW][g * C + c] - zero)
//       * w[g * N + n][c][kh][kw])
//
// C and N count the channels of one group. ldx, ldy: elements from one pixel to the next
// (>= G * C, G * N). Outside, x is `zero`. w and bias are made by packing_s8.pack_conv_s8. AGAIN,
// whose places count (kh * KW + kw) * C + c, the epilogue, OUT, low and high are described in
// tile_s8.h.
//
// Where a tap can fall outside x, and with DOT8_PAIRS, the input rows of each block of RB output
// rows are copied once to `scratch`, framed with `zero`, by ready_s8: packing_s8.conv_scratch bytes
// for each thread, 0 where x is read in place. A row of taps is one run of KW * C elements when
// G = 1, DW = 1 and pixels are dense.
//
// Work is B * ceil(OH / RB) * G * ceil(N / (NV * VL)) units, unit u = (row block, group, panel); a
// call does [begin, end) and the result does not depend on the split. All const ints are literals.
//
// The tiles of a unit share the fetching of what follows its panel, where weights are many.
#pragma once
#include "tile_s8.h"

enum { FAR_BYTES = 1 << 16 }; // weights of at most so many are soon read

INLINE int conv_padded_s8(const int H, const int W, const int OH, const int OW, const int KH,
                          const int KW, const int SH, const int SW, const int DH, const int DW,
                          const int PT, const int PL) {
    return PT > 0 || PL > 0 || (OH - 1) * SH - PT + (KH - 1) * DH >= H ||
           (OW - 1) * SW - PL + (KW - 1) * DW >= W;
}

// Rows [top, top + rows) and columns [left, left + columns) of x, C elements of each pixel, ready;
// outside x they are zero.
INLINE void frame_s8(const int H, const int W, const long ldx, const int C, const int top,
                     const int rows, const int left, const int columns, const int zero, const s8 *x,
                     s8 *to) {
    const int outside = left < 0 ? -left : 0, before = outside < columns ? outside : columns;
    const int end = W - left < columns ? W - left : columns;
    const long pixel = C * DOT8_BYTES;
    for (int r = 0; r < rows; r++, to += columns * pixel) {
        const int ih = top + r, inside = ih >= 0 && ih < H;
        const int from = inside ? before : columns, until = inside && end > from ? end : from;
        const s8 *row = x + ((long)ih * W + left) * ldx;
        ready_fill_s8((long)from * C, zero, to);
        if (ldx == C)
            ready_s8((long)(until - from) * C, row + from * ldx, to + from * pixel);
        else
            for (int p = from; p < until; p++) ready_s8(C, row + p * ldx, to + p * pixel);
        ready_fill_s8((long)(columns - until) * C, zero, to + until * pixel);
    }
}

// MR output pixels against one panel: a is the first tap of the first pixel, `pixel` and `line` the
// bytes between neighbouring input pixels and rows. FETCH: as tile_sum_s8 has it.
INLINE void conv_tile_s8(const int MR, const int NV, const int C, const int KH, const int KW,
                         const int SW, const int DH, const int DW, const int READY, const int AGAIN,
                         const long pixel, const long line, const int FETCH, vi *acc, const s8 *a,
                         const s8 *w, const s8 *ahead, const int *again, const int *bias) {
    const int each = READY ? DOT8_BYTES : 1, dense = DW == 1 && pixel == C * each;
    const int run = dense ? KW : 1; // taps of one run of bytes
    tile_start_s8(MR, NV, acc, bias);
    for (int kh = 0; kh < KH; kh++)
        for (int kw = 0; kw < KW; kw += run, ahead += run * C / 4 * FETCH)
            w = tile_sum_s8(MR, NV, run * C, READY, FETCH, acc,
                            a + kh * DH * line + kw * DW * pixel, SW * pixel, w, ahead);
    for (int e = 0; e < AGAIN; e++, w += NV * VL * 4) {
        const int kh = again[e] / (KW * C), kw = again[e] / C % KW, c = again[e] % C;
        tile_quad_s8(MR, NV, READY, run * C < 4 ? run * C : 4, acc,
                     a + kh * DH * line + kw * DW * pixel + c * each, SW * pixel, w);
    }
}

// What conv_s8 does of a row for one panel, by its variables: tiles that share it evenly.
#define SUM(MR_, NV_, FETCH)                                                               \
    conv_tile_s8(MR_, NV_, C, KH, KW, SW, DH, DW, framed, AGAIN, pixel, line, FETCH, acc,  \
                 xb + ow * SW * pixel, wb, wb + depth * (NV_ * VL) + fetched, again, bs)
#define EACH(NV_) fetch_bytes(NV_ * VL * 4, (RB < OH ? RB : OH) * tiles)
#define TILE(MR_, NV_, LANES_)                                                             \
    if (fetch && fetched < depth * (NV_ * VL))                                             \
        SUM(MR_, NV_, EACH(NV_)), fetched += depth / 4 * EACH(NV_);                        \
    else                                                                                   \
        SUM(MR_, NV_, 0);                                                                  \
    tile_store_s8(MR_, NV_, LANES_, OUT, low, high, acc,                                   \
                  yb + (long)ow * ldy * out_bytes(OUT), ldy, row + ow, channel, extra, epilogue)
#define ROW(NV_, LANES_)                                                                   \
    for (int ow = 0; ow < larger * (few + 1); ow += few + 1) {                             \
        TILE(few + 1, NV_, LANES_);                                                        \
    }                                                                                      \
    for (int ow = larger * (few + 1); ow < OW; ow += few) {                                \
        TILE(few, NV_, LANES_);                                                            \
    }

INLINE void conv_s8(const int B, const int H, const int W, const int C, const int ldx, const int OH,
                    const int OW, const int N, const int ldy, const int G, const int KH,
                    const int KW, const int SH, const int SW, const int DH, const int DW,
                    const int PT, const int PL, const int MR, const int NV, const int RB,
                    const int zero, const int AGAIN, const int OUT, const int low, const int high,
                    const int begin, const int end, const s8 *x, const s8 *w, const int *bias,
                    void *y, s8 *scratch, const void *const *extra, epilogue_s8 epilogue) {
    const int width = NV * VL, whole = N / width, panels = (N + width - 1) / width;
    const int rest = N - whole * width, last = (rest + VL - 1) / VL, lanes = rest - (last - 1) * VL;
    const int tiles = (OW + MR - 1) / MR, few = OW / tiles,
              larger = OW % tiles; // an even share of the row
    const int framed =
        DOT8_PAIRS || conv_padded_s8(H, W, OH, OW, KH, KW, SH, SW, DH, DW, PT, PL);
    const int each = framed ? DOT8_BYTES : 1;
    const int columns = (OW - 1) * SW + (KW - 1) * DW + 1, blocks = (OH + RB - 1) / RB;
    const long pixel = framed ? G * C * each : ldx, line = pixel * (framed ? columns : W);
    const int dense = DW == 1 && pixel == C * each;
    const long depth = AGAIN * 4 + (dense ? KH * ((KW * C + 3) / 4 * 4)
                                          : (long)KH * KW * ((C + 3) / 4 * 4));
    const long group_bytes = depth * (whole * width + last * VL);
    const int *again = (const int *)w;
    const int fetch = G * group_bytes > FAR_BYTES && (RB < OH ? RB : OH) * tiles > 1;
    int ready = -1; // the row block that scratch holds
    vi acc[TILE_ACCUMULATORS];
    for (int u = begin; u < end; u++) {
        const int block = u / (G * panels), g = u / panels % G, panel = u % panels,
                  channel = g * N + panel * width;
        const int b = block / blocks, first = block % blocks * RB,
                  after = first + RB < OH ? first + RB : OH;
        const s8 *wb = w + again_bytes(AGAIN) + g * group_bytes + panel * depth * width,
                 *image = x + (long)b * H * W * ldx;
        const int *bs = bias + channel;
        long fetched = 0;
        if (framed && block != ready) {
            frame_s8(H, W, ldx, G * C, first * SH - PT,
                     (after - first - 1) * SH + (KH - 1) * DH + 1, -PL, columns, zero, image,
                     scratch);
            ready = block;
        }
        for (int oh = first; oh < after; oh++) {
            const long row = ((long)b * OH + oh) * OW;
            const s8 *start = framed ? scratch : image + first * SH * line;
            const s8 *xb = start + (oh - first) * SH * line + g * C * each;
            s8 *yb = (s8 *)y + (row * ldy + channel) * out_bytes(OUT);
            if (panel < whole) {
                ROW(NV, VL)
            } else if (rest) {
                ROW(last, lanes)
            }
        }
    }
}
#undef ROW
#undef TILE
#undef EACH
#undef SUM
