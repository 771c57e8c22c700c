// 2-D convolution as a GEMM whose rows are read in place, channels last:
// y[B][OH][OW][G * N], as OUT says, from x[B][H][W][G * C].
//
//   y[b][oh][ow][g * N + n] = epilogue(bias[g * N + n] + sum over kh, kw, c of
//       x[b][oh * SH - PT + kh * DH][ow * SW - PL + kw * DW][g * C + c] * w[g][kh][kw][c][n])
//
// C and N count the channels of one group. ldx, ldy: floats from one pixel to the next, more than
// G * C, G * N where the tensor is a slice of a wider one. w is packed by packing.pack_conv: panels
// of each group, rows in the order (kh, kw, c). bias may be null. Outside x is 0: taps above and
// below x are skipped, a tile that reaches over the left or right edge reads a row of zeros there.
//
// Work is ceil(B * OH / RB) * G * ceil(N / (NV * VL)) units, unit u = (block of RB output rows,
// group, panel); a call does [begin, end) and the result does not depend on the split. A tile is MR
// output pixels of one row. FAR, beside, ldbeside: as in gemm_f32. All const ints are literals.
#pragma once
#include "tile_f32.h"

enum { ZERO_ROW = 256 };
static const float zero_row[ZERO_ROW];

// MR output pixels from (oh, ow) on against one panel of w; x is the image at the group's channel.
INLINE void conv_tile_f32(const int MR, const int NV, const int LANES, const int H, const int W,
                          const int C, const int ldx, const int KH, const int KW, const int SH,
                          const int SW, const int DH, const int DW, const int PT, const int PL,
                          const int oh, const int ow, vf *acc, const float *x, const float *w,
                          const float *bias, const int RATE, const float *ahead,
                          const next_f32 next) {
    const int left = ow * SW - PL,
              merged = DW == 1 && ldx == C; // a row of taps is one run of floats
    const int inside = left >= 0 && left + (MR - 1) * SW + (KW - 1) * DW < W;
    tile_start_f32(MR, NV, LANES, acc, bias);
    for (int kh = 0; kh < KH; kh++) {
        const int ih = oh * SH - PT + kh * DH;
        if (ih < 0 || ih >= H) continue;
        const float *row = x + (long)ih * W * ldx, *wk = w + (long)kh * KW * C * NV * VL;
        const int done = kh * KW * C;
        const float *from = ahead + ahead_share_f32(done, RATE);
        if (inside && merged) {
            tile_sum_ahead_f32(MR, NV, LANES, KW * C, RATE, acc, row + (long)left * ldx, SW * ldx,
                               wk, 0, from, done, next);
        } else if (inside) {
            for (int kw = 0; kw < KW; kw++)
                tile_sum_ahead_f32(MR, NV, LANES, C, RATE, acc,
                                   row + (long)(left + kw * DW) * ldx, SW * ldx,
                                   wk + (long)kw * C * NV * VL, 0,
                                   from + ahead_share_f32(kw * C, RATE), done + kw * C, next);
        } else {
            for (int kw = 0; kw < KW; kw++)
                for (int c = 0; c < C; c += ZERO_ROW) {
                    const float *pixel[TILE_ACCUMULATORS];
                    UNROLL (i, MR) {
                        const int iw = left + i * SW + kw * DW;
                        pixel[i] = iw >= 0 && iw < W ? row + (long)iw * ldx + c : zero_row;
                    }
                    tile_sum_rows_f32(MR, NV, LANES, C - c < ZERO_ROW ? C - c : ZERO_ROW, RATE,
                                      acc, pixel, wk + ((long)kw * C + c) * NV * VL,
                                      from + ahead_share_f32(kw * C + c, RATE));
                }
        }
    }
}

INLINE void conv_f32(const int OUT, const int B, const int H, const int W, const int C,
                     const int ldx, const int OH, const int OW, const int N, const int ldy,
                     const int G, const int KH, const int KW, const int SH, const int SW,
                     const int DH, const int DW, const int PT, const int PL, const int MR,
                     const int NV, const int RB, const int begin, const int end, const float *x,
                     const float *w, const float *bias, void *y, const int FAR, const float *beside,
                     const int ldbeside, const void *const *extra, epilogue_f32 epilogue) {
    const int width = NV * VL, whole = N / width, panels = (N + width - 1) / width, K = KH * KW * C;
    const int rest = N - whole * width, last = (rest + VL - 1) / VL, lanes = rest - (last - 1) * VL;
    const int tiles = (OW + MR - 1) / MR, few = OW / tiles,
              larger = OW % tiles;                          // an even share of the row
    const long packed = (long)K * ((N + VL - 1) / VL) * VL; // floats of w for one group
    vf acc[TILE_ACCUMULATORS];
#define TILE(MR_, NV_, LANES_)                                                                     \
    conv_tile_f32(MR_, NV_, LANES_, H, W, C, ldx, KH, KW, SH, SW, DH, DW, PT, PL, oh, ow, acc, xb, \
                  wb, bs, RATE(NV_),                                                              \
                  wb + (long)K * NV_ * VL +                                                        \
                      (long)(tile + ow / (MR_)) * ahead_share_f32(K, RATE(NV_)),                  \
                  next_tile_f32(MR_, K, FAR, (float *)(yb + (long)ow * ldy * OUT), ldy,            \
                                be ? be + (long)ow * ldbeside : 0, ldbeside)),                     \
        tile_store_f32(OUT, MR_, NV_, LANES_, acc, yb + (long)ow * ldy * OUT, ldy,                 \
                       (long)r * OW + ow, channel, extra, epilogue)
#define RATE(NV_) ahead_rate_f32(RB *tiles, NV_)
    for (int u = begin; u < end; u++) {
        const int block = u / (G * panels), g = u / panels % G, panel = u % panels,
                  channel = g * N + panel * width;
        const float *wb = w + g * packed + (long)panel * width * K, *bs = bias ? bias + channel : 0;
        for (int r = block * RB; r < (block + 1) * RB && r < B * OH; r++) {
            const int oh = r % OH, tile = (r - block * RB) * tiles;
            const float *xb = x + (long)(r / OH) * H * W * ldx + g * C;
            const float *be = beside ? beside + (long)r * OW * ldbeside + channel : 0;
            char *yb = (char *)y + ((long)r * OW * ldy + channel) * OUT;
            if (panel < whole) {
                for (int ow = 0; ow < larger * (few + 1); ow += few + 1) TILE(few + 1, NV, VL);
                for (int ow = larger * (few + 1); ow < OW; ow += few) TILE(few, NV, VL);
            } else if (rest) {
                for (int ow = 0; ow < larger * (few + 1); ow += few + 1) TILE(few + 1, last, lanes);
                for (int ow = larger * (few + 1); ow < OW; ow += few) TILE(few, last, lanes);
            }
        }
    }
#undef RATE
#undef TILE
}
