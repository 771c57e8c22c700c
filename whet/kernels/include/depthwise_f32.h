// Depthwise convolution, channels last: each channel of x[B][H][W][C] gives M (the multiplier)
// channels of y[B][OH][OW][C * M].
//
//   y[b][oh][ow][n] = epilogue(bias[n] + sum over kh, kw of
//                     x[b][oh * SH - PT + kh * DH][ow * SW - PL + kw * DW][n / M] * w[kh][kw][n])
//
// ldx, ldy: floats from one pixel to the next. w is plain [KH][KW][C * M], bias [C * M] or null.
// Outside x is 0: those taps are skipped. A tile is TW output pixels of one vector of channels;
// weights are read once a tile.
//
// Work is B * OH output rows; a call does rows [begin, end). All const ints are literals.
#pragma once
#include "tile_f32.h"

// VL channels of x from channel n / M on, each M times.
INLINE vf depthwise_load_f32(const int M, const float *pixel, const int n, const int lanes) {
    if (M == 1) return vload_n(pixel + n, lanes);
    vf v = {0};
    UNROLL (l, VL)
        if (l < lanes) v[l] = pixel[(n + l) / M];
    return v;
}

// TW output pixels from ow on, channels n to n + lanes, taps [top, bottom) of KH; x is the image,
// row = oh * SH - PT. kw runs over all taps, so every pixel read must lie inside x unless TW is 1.
INLINE void depthwise_tile_f32(const int TW, const int M, const int lanes, const int W, const int N,
                               const int ldx, const int KW, const int SW, const int DH,
                               const int DW, const int top, const int bottom, const int row,
                               const int left, const int n, vf *acc, const float *x, const float *w,
                               const float *bias) {
    tile_start_f32(1, 1, lanes, acc, bias ? bias + n : 0);
    UNROLL (i, TW) acc[i] = acc[0];
    for (int kh = top; kh < bottom; kh++) {
        const float *pixels = x + ((long)(row + kh * DH) * W + left) * ldx;
        UNROLL (kw, KW) {
            const int iw = left + kw * DW;
            if (TW == 1 && (iw < 0 || iw >= W)) continue;
            const vf tap = vload_n(w + (long)(kh * KW + kw) * N + n, lanes);
            UNROLL (i, TW)
                acc[i] =
                    vfma(depthwise_load_f32(M, pixels + (long)(i * SW + kw * DW) * ldx, n, lanes),
                         tap, acc[i]);
        }
    }
}

INLINE void depthwise_f32(const int H, const int W, const int C, const int ldx, const int OH,
                          const int OW, const int ldy, const int M, const int KH, const int KW,
                          const int SH, const int SW, const int DH, const int DW, const int PT,
                          const int PL, const int TW, const int begin, const int end,
                          const float *x, const float *w, const float *bias, float *y,
                          const void *const *extra, epilogue_f32 epilogue) {
    const int N = C * M, rest = N % VL, span = (KW - 1) * DW;
    const int from =
        PL <= 0 ? 0 : (PL + SW - 1) / SW; // output columns [from, to) see no left or right edge
    const int fit = W - 1 - span + PL < 0 ? 0 : (W - 1 - span + PL) / SW + 1,
              to = fit < OW ? fit : OW;
    vf acc[32];
#define TILE(TW_, LANES_)                                                                        \
    depthwise_tile_f32(TW_, M, LANES_, W, N, ldx, KW, SW, DH, DW, top, bottom, row, ow *SW - PL, \
                       n, acc, xb, w, bias),                                                     \
        tile_store_f32(TW_, 1, LANES_, acc, yb + (long)ow * ldy + n, ldy, (long)r * OW + ow, n,  \
                       extra, epilogue)
    for (int r = begin; r < end; r++) {
        const int row = r % OH * SH - PT;
        const int top = row < 0 ? (-row + DH - 1) / DH : 0;
        const int taps = (H - row + DH - 1) / DH, bottom = taps < KH ? taps : KH;
        const float *xb = x + (long)(r / OH) * H * W * ldx;
        float *yb = y + (long)r * OW * ldy;
        for (int ow = 0; ow < OW;) {
            const int n_whole = N - rest;
            if (ow >= from && ow + TW <= to) {
                for (int n = 0; n < n_whole; n += VL) TILE(TW, VL);
                for (int n = n_whole; n < N; n += VL) TILE(TW, rest);
                ow += TW;
            } else {
                for (int n = 0; n < n_whole; n += VL) TILE(1, VL);
                for (int n = n_whole; n < N; n += VL) TILE(1, rest);
                ow += 1;
            }
        }
    }
#undef TILE
}
