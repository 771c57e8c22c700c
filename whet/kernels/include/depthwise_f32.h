// Depthwise convolution, channels last: each channel of x[B][H][W][C] gives M (the multiplier)
// channels of y[B][OH][OW][C * M], as OUT says.
//
//   y[b][oh][ow][n] = epilogue(bias[n] + sum over kh, kw of
//                     x[b][oh * SH - PT + kh * DH][ow * SW - PL + kw * DW][n / M] * w[kh][kw][n])
//
// ldx, ldy: floats from one pixel to the next. w is plain [KH][KW][C * M], bias [C * M] or null.
// Outside x is 0: those taps are skipped. A tile is TW output pixels of one vector of channels;
// weights are read once a tile. A call walks down its rows a tile wide, for as many channels as
// leave the KH rows of x that its tiles read in the first cache.
//
// Work is B * OH * ceil(C * M / VL) units, unit u = (output row, vector of channels); a call does
// [begin, end) and the result does not depend on the split. All const ints are literals.
#pragma once
#include "tile_f32.h"

enum { WINDOW_BYTES = 16384 }; // of those rows

// For output channels n to n + lanes of N, their input channels of a pixel, each M times.
INLINE vf depthwise_load_f32(const int M, const int N, const float *pixel, const int n,
                             const int lanes) {
    if (M == 1) return vload_n(pixel + n, lanes);
    if (N == M || M % VL == 0) return vset(pixel[n / M]);
    float v[VL] = {0};
    _Pragma("GCC unroll 1") for (int l = 0; l < lanes; l++) v[l] = pixel[(n + l) / M];
    return vload(v);
}

// TW output pixels of one vector of channels, n to n + lanes, by taps [top, bottom) of KH. x is the
// image; row, left are the input pixel of the first output pixel's first tap. When inside, all
// pixels read lie within the W columns.
INLINE void depthwise_tile_f32(const int TW, const int M, const int lanes, const int W, const int N,
                               const int ldx, const int KW, const int SW, const int DH,
                               const int DW, const int inside, const int top, const int bottom,
                               const int row, const int left, const int n, vf *acc, const float *x,
                               const float *w, const float *bias) {
    tile_start_f32(1, 1, lanes, acc, bias ? bias + n : 0);
    UNROLL (i, TW) acc[i] = acc[0];
    for (int kh = top; kh < bottom; kh++) {
        const float *pixels = x + ((long)(row + kh * DH) * W + left) * ldx;
        const float *taps = w + (long)kh * KW * N + n;
        UNROLL (kw, KW) {
            const vf tap = vload_n(taps + kw * N, lanes);
            UNROLL (i, TW) {
                const int column = i * SW + kw * DW;
                if (inside || (left + column >= 0 && left + column < W))
                    acc[i] = vfma(depthwise_load_f32(M, N, pixels + (long)column * ldx, n, lanes),
                                  tap, acc[i]);
            }
        }
    }
}

INLINE void depthwise_f32(const int OUT, const int H, const int W, const int C, const int ldx,
                          const int OH, const int OW, const int ldy, const int M, const int KH,
                          const int KW, const int SH, const int SW, const int DH, const int DW,
                          const int PT, const int PL, const int TW, const int begin, const int end,
                          const float *x, const float *w, const float *bias, void *y,
                          const void *const *extra, epilogue_f32 epilogue) {
    const int N = C * M, rest = N % VL, whole = N - rest;
    const int tiles = (OW + TW - 1) / TW, width = (OW + tiles - 1) / tiles;
    const int last = (OW - 1) / width * width, reach = (last - 1) * SW - PL + (KW - 1) * DW;
    const int inside = width * SW >= PL && reach < W; // the tiles between the first and the last
    vf acc[TILE_ACCUMULATORS];
#define TILE(TW, LANES, INSIDE, OW_)                                                             \
    depthwise_tile_f32(TW, M, LANES, W, N, ldx, KW, SW, DH, DW, INSIDE, top, bottom, row,        \
                       (OW_) * SW - PL, n, acc, xb, w, bias),                                    \
        tile_store_f32(OUT, TW, 1, LANES, acc, yb + ((long)(OW_) * ldy + n) * OUT, ldy,          \
                       (long)r * OW + (OW_), n, extra, epilogue)
#define ROWS(TW, INSIDE, OW_)                                                      \
    for (int r = r0; r < r0 + rows; r++) {                                         \
        const int row = r % OH * SH - PT, taps = (H - row + DH - 1) / DH;          \
        const int top = row < 0 ? (-row + DH - 1) / DH : 0;                        \
        const int bottom = taps < KH ? taps : KH;                                  \
        const float *xb = x + (long)(r / OH) * H * W * ldx;                        \
        char *yb = (char *)y + (long)r * OW * ldy * OUT;                           \
        for (int n = from * VL; n < full; n += VL) TILE(TW, VL, INSIDE, OW_);      \
        for (int n = tail; n < N; n += VL) TILE(TW, rest, INSIDE, OW_);            \
    }
    const int vectors = (N + VL - 1) / VL, columns = (width - 1) * SW + (KW - 1) * DW + 1;
    const int fitting = WINDOW_BYTES / (KH * columns * VL * 4), most = fitting < 1 ? 1 : fitting;
    for (int u = begin; u < end;) {
        const int r0 = u / vectors, first = u % vectors, left = end - u;
        const int rows = first || left < vectors ? 1 : left / vectors;
        const int past = left < vectors - first ? first + left : vectors;
        for (int from = first; from < past; from += most) {
            const int to = past - from < most ? past : from + most;
            const int full = to * VL < whole ? to * VL : whole, tail = to == vectors ? whole : N;
            if (last > 0) {
                ROWS(width, 0, 0);
            }
            for (int ow = width; ow < last; ow += width) {
                ROWS(width, inside, ow);
            }
            ROWS(OW - last, 0, last);
        }
        u += rows > 1 ? rows * vectors : past - first;
    }
#undef ROWS
#undef TILE
}
