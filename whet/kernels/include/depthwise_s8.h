// Depthwise convolution, channels last: each channel of x[B][H][W][C] gives M (the multiplier)
// channels of y[B][OH][OW][C * M].
//
//   y[b][oh][ow][n] = epilogue(bias[n] + sum over kh, kw of
//       (x[b][oh * SH - PT + kh * DH][ow * SW - PL + kw * DW][n / M] - zero) * w[n][kh][kw])
//
// ldx, ldy: bytes from one pixel to the next. w and bias are made by packing_s8.pack_depthwise_s8;
// the weights of narrow channels (see below) have DOT8_BYTES each.
// PASSES is 1, or more where weights less their zero point exceed int8 and are stored as a sum:
// then bit min(kh * KW + kw, 30) of AGAIN says whether one of that tap does.
// Outside, x is `zero`. The epilogue, OUT (1 or 2), low and high are described in tile_s8.h.
//
// Four vertical taps of one channel are one quad; the weights are zero where a row of the quad is
// no tap of an output row. A strip is TH output rows, TH = 1 when DH > 1, that read at most
// DEPTHWISE_MAX_ROWS input rows, or DEPTHWISE_COLUMN_ROWS where KW = 1 and KH > WIDE_TAPS:
// depthwise_rows_s8. Two forms make it:
//   wide    4 * VL channels along the whole strip: each input column is interleaved once and kept
//           for as long as an output needs it. The first WIDE channels: 0 unless M = 1, DW = 1 and
//           KH, KW <= WIDE_TAPS, and a multiple of 4 * VL or all channels. Where fewer than 4 * VL
//           are left, and wide_pixels says so, a vector holds them for 2, 4 or 8 neighbouring
//           outputs, and a column the inputs of those. Weights, bias and the arrays of the epilogue
//           are in the order of packing_s8.wide_order.
//   narrow  the others: a tile is TW columns of VL channels, and each input column is interleaved
//           once for the tile.
//
// Work is B * ceil(OH / TH) * ceil(C * M / VL) units, unit u = (strip of TH rows, vector of
// channels); a call does [begin, end), wide channels with the first of their vectors. The result
// does not depend on the split. All const ints are literals.
#pragma once
#include "tile_s8.h"

enum { DEPTHWISE_MAX_ROWS = 24, WIDE_QUADS = DEPTHWISE_MAX_ROWS / 4 };
enum { DEPTHWISE_COLUMN_ROWS = 40 };
enum { WIDE_TAPS = 8, WIDE_OUTPUTS = 2, WIDE_ROWS = 4 };
enum { WIDE_COLUMNS = WIDE_TAPS * (WIDE_OUTPUTS + 1) };

// Neighbouring outputs that share a vector of `size` channels each.
INLINE int wide_pixels(const int size) {
    return size % 8 == 0 && 4 * VL / size <= WIDE_PIXELS && 4 * VL % size == 0 ? 4 * VL / size : 1;
}

INLINE int depthwise_rows_s8(const int TH, const int KH, const int SH, const int DH) {
    return DH == 1 ? (TH - 1) * SH + KH : KH;
}

// Whether a pass has weights for quad g of the input rows, column kw, of output row r of a strip.
INLINE int depthwise_quad_s8(const int pass, const int AGAIN, const int r, const int g,
                             const int kw, const int KH, const int KW, const int SH) {
    int taps = 0;
    UNROLL(i, 4) {
        const int kh = 4 * g + i - r * SH, tap = kh * KW + kw < 30 ? kh * KW + kw : 30;
        if (kh >= 0 && kh < KH) taps |= pass ? AGAIN >> tap & 1 : 1;
    }
    return taps;
}

// Input columns [left, left + span) of all rows of the tile, `lanes` channels from n on. row[i]
// points at column 0, or is null where the row lies outside. INSIDE: nothing lies outside.
INLINE void depthwise_tile_s8(const int TH, const int TW, const int INSIDE, const int M,
                              const int lanes, const int W, const long ldx, const int KH,
                              const int KW, const int SH, const int SW, const int DH, const int DW,
                              const int PASSES, const int AGAIN, const int left, const int n,
                              vi *acc, const s8 *const *row, const s8 *outside, const s8 *w,
                              const int *bias) {
    const int rows = depthwise_rows_s8(TH, KH, SH, DH), groups = (rows + 3) / 4;
    const int span = (TW - 1) * SW + (KW - 1) * DW + 1, each = VL * 4 * DOT8_BYTES;
    tile_start_s8(TH * TW, 1, acc, bias); // every accumulator starts from the same VL channels
    UNROLL(column, span) {
        const int iw = left + column;
        UNROLL(g, groups) {
            vq a;
            if (INSIDE || (iw >= 0 && iw < W)) {
                const s8 *p[4];
                UNROLL(i, 4) {
                    const s8 *line = row[4 * g + i < rows ? 4 * g + i : rows - 1];
                    p[i] = INSIDE || line ? line + iw * ldx + n / M : outside;
                }
                s8 spread[4][VL];
                if (M > 1)
                    UNROLL(i, 4) {
                        UNROLL(l, lanes) spread[i][l] = p[i][(n % M + l) / M];
                        p[i] = spread[i];
                    }
                a = quad_interleave(p, lanes);
            } else {
                const s8 *p[4] = {outside, outside, outside, outside};
                a = quad_interleave(p, lanes);
            }
            UNROLL(kw, KW) {
                const int t = (column - kw * DW) / SW;
                if (column < kw * DW || t * SW != column - kw * DW || t >= TW) continue;
                UNROLL(r, TH) UNROLL(pass, PASSES) {
                    if (depthwise_quad_s8(pass, AGAIN, r, g, kw, KH, KW, SH))
                        acc[r * TW + t] = dot4(
                            acc[r * TW + t], a,
                            quad_load_ready(w + (((pass * TH + r) * groups + g) * KW + kw) * each));
                }
            }
        }
    }
}

// One column of a wide strip, interleaved: 4 * groups rows. It holds SIZE channels of each of P
// pixels, SW apart, the first of which is iw of W. Pixel 0 of a row lies at `at`, the others `step`
// apart, which is 0 for a row that lies outside. DENSE: no bytes lie between pixels.
INLINE void wide_column_s8(const int groups, const int P, const int SIZE, const int DENSE,
                           const int SW, const int W, const int iw, const s8 *const *at,
                           const long *step, const s8 *outside, vq (*to)[4]) {
    const int inside = iw >= 0 && iw + (P - 1) * SW < W;
    const s8 *p[4][WIDE_PIXELS];
    UNROLL(g, groups) {
        if (P > 1 && inside) {
            UNROLL(i, 4) UNROLL(q, P) p[i][q] = at[4 * g + i] + (iw + q * SW) * step[4 * g + i];
            if (DENSE && SW == 1)
                quad_interleave_wide(p, 1, P * SIZE, 0, to[g]);
            else
                quad_interleave_wide(p, P, SIZE, DENSE && SW == 2, to[g]);
        } else {
            UNROLL(i, 4) UNROLL(q, P) {
                const int exists = iw + q * SW >= 0 && iw + q * SW < W;
                p[i][q] = exists ? at[4 * g + i] + (iw + q * SW) * step[4 * g + i] : outside;
            }
            quad_interleave_wide(p, P, SIZE, 0, to[g]);
        }
    }
}

// The column of tap kw for vector t of outputs: one of `ring`, or of two the pixels between.
INLINE vq wide_tap_s8(const int P, const int SW, const int t, const int kw, const int g,
                      const int j, vq (*ring)[WIDE_QUADS][4]) {
    const int first = t * P + kw / SW, k = first / P * SW + kw % SW, at = first % P * VL / P + j;
    const int lanes = at / 4 * 4;
    if (lanes == 0 || lanes == VL) return ring[lanes ? k + SW : k][g][at % 4];
    return quads_join(ring[k][g][at % 4], ring[k + SW][g][at % 4], lanes);
}

// T vectors of P outputs of each of ROWS rows of a wide strip, from columns that `ring` holds; of
// the last vector `count` outputs exist.
INLINE void wide_outputs_s8(const int T, const int P, const int SIZE, const int TH, const int OW,
                            const long ldy, const int KH, const int KW, const int SH,
                            const int SW, const int groups, const int PASSES, const int AGAIN,
                            const int OUT, const int low, const int high, const int ROWS,
                            const int count, const int n, vq (*ring)[WIDE_QUADS][4],
                            const s8 *w, const int *bias, const long line, s8 *y,
                            const void *const *extra, epilogue_s8 epilogue) {
    const int together = P * SIZE == 4 * VL && (P == 1 || ldy == SIZE);
    vi made[WIDE_ROWS][4 * WIDE_OUTPUTS];
    UNROLL(j, 4) {
        UNROLL(r, ROWS) UNROLL(t, T) made[r][4 * t + j] = vload_i(bias + j * VL);
        UNROLL(g, groups) UNROLL(kw, KW) {
            vq column[WIDE_OUTPUTS];
            UNROLL(t, T) column[t] = wide_tap_s8(P, SW, t, kw, g, j, ring);
            UNROLL(pass, PASSES) UNROLL(r, ROWS) {
                if (!depthwise_quad_s8(pass, AGAIN, r, g, kw, KH, KW, SH)) continue;
                const int quad = (((pass * TH + r) * groups + g) * KW + kw) * 4 + j;
                const vw tap = quad_load(w + quad * 4 * VL);
                UNROLL(t, T) made[r][4 * t + j] = dot4(made[r][4 * t + j], column[t], tap);
            }
        }
        UNROLL(r, ROWS) UNROLL(t, T) made[r][4 * t + j] =
            epilogue(extra, made[r][4 * t + j], line + (long)r * OW + t * P, n + j * VL, VL);
    }
    UNROLL(r, ROWS) UNROLL(t, T) {
        s8 *to = y + ((long)r * OW + t * P) * ldy, bytes[4 * VL];
        const int exist = t == T - 1 ? count : P;
        store_wide_s8(together && exist == P ? to : bytes, made[r] + 4 * t, OUT, low, high);
        if (together && exist == P) continue;
        UNROLL(q, P) if (q < exist) __builtin_memcpy(to + q * ldy, bytes + q * SIZE, SIZE);
    }
}

// A strip's SIZE channels from n on. row[i] points at column 0, or is null where the row lies
// outside; y points at the first output of the first of ROWS rows, TH but in the last strip.
INLINE void depthwise_wide_s8(const int SIZE, const int TH, const int W, const long ldx,
                              const int OW, const long ldy, const int KH, const int KW,
                              const int SH, const int SW, const int DH, const int PL,
                              const int PASSES, const int AGAIN, const int OUT, const int low,
                              const int high, const int ROWS, const int n, const s8 *const *row,
                              const s8 *outside, const s8 *w, const int *bias, const long line,
                              s8 *y, const void *const *extra, epilogue_s8 epilogue) {
    const int inputs = depthwise_rows_s8(TH, KH, SH, DH), groups = (inputs + 3) / 4;
    const int P = wide_pixels(SIZE), T = OW < WIDE_OUTPUTS * P || groups > 2 ? 1 : WIDE_OUTPUTS;
    // Columns that the next outputs read as well: up to that of the last tap, or of the last of the
    // taps that are a column of SW further on.
    const int far = (KW - 1) / SW, last = (far + P - 1) / P * SW + (KW - 1) % SW + 1 - SW;
    const int before = far ? (far + P - 2) / P * SW : 0, kept = last > before ? last : before;
    vq ring[WIDE_COLUMNS][WIDE_QUADS][4];
    const s8 *at[4 * WIDE_QUADS];
    long step[4 * WIDE_QUADS];
    UNROLL(i, 4 * groups) {
        const s8 *first = row[i < inputs ? i : inputs - 1];
        step[i] = first ? ldx : 0;
        at[i] = first ? first + n : outside;
    }
#define COLUMNS(first, past, from)                                                               \
    UNROLL(k, past) if (k >= (first)) {                                                          \
        wide_column_s8(groups, P, SIZE, ldx == SIZE, SW, W,                                      \
                       (from) + k / SW * P * SW + k % SW, at, step, outside, ring[k]);           \
    }
#define OUTPUTS(T_, count)                                                                       \
    do {                                                                                         \
        COLUMNS(kept, kept + (T_) * SW, ow * SW - PL);                                           \
        wide_outputs_s8(T_, P, SIZE, TH, OW, ldy, KH, KW, SH, SW, groups, PASSES, AGAIN, OUT,    \
                        low, high, ROWS, count, n, ring, w, bias, line + ow, y + ow * ldy,       \
                        extra, epilogue);                                                        \
        UNROLL(k, kept) UNROLL(g, groups) UNROLL(j, 4) ring[k][g][j] = ring[k + (T_) * SW][g][j]; \
    } while (0)
    COLUMNS(0, kept, -PL);
    int ow = 0;
    for (; ow + T * P <= OW; ow += T * P) OUTPUTS(T, P);
    for (; ow < OW; ow += P) OUTPUTS(1, OW - ow < P ? OW - ow : P);
#undef OUTPUTS
#undef COLUMNS
}

// The wide channels that begin among vectors [first, past), of the strip from output row oh on.
INLINE void depthwise_wide_strip_s8(
    const int WIDE, const int TH, const int W, const long ldx, const int OH, const int OW,
    const long ldy, const int KH, const int KW, const int SH, const int SW, const int DH,
    const int PL, const int PASSES, const int AGAIN, const int OUT, const int low, const int high,
    const int first, const int past, const int oh, const s8 *const *row, const s8 *outside,
    const s8 *w, const long block_bytes, const int *bias, const long line, s8 *y,
    const void *const *extra, epilogue_s8 epilogue) {
#define ROWS_OF(SIZE, ROWS)                                                                      \
    depthwise_wide_s8(SIZE, TH, W, ldx, OW, ldy, KH, KW, SH, SW, DH, PL, PASSES, AGAIN, OUT, low, \
                      high, ROWS, n, row, outside, w + n / VL * block_bytes, bias + n, line,     \
                      y + line * ldy + n, extra, epilogue)
#define BLOCK(SIZE)               \
    do {                          \
        if (oh + TH <= OH)        \
            ROWS_OF(SIZE, TH);    \
        else                      \
            ROWS_OF(SIZE, OH % TH); \
    } while (0)
    const int fours = WIDE / (4 * VL) * 4 * VL;
    int n = (first + 3) / 4 * 4 * VL;
    for (; n < fours && n < past * VL; n += 4 * VL) BLOCK(4 * VL);
    if (fours < WIDE && n == fours && n < past * VL) BLOCK(WIDE - fours);
#undef BLOCK
#undef ROWS_OF
}

INLINE void depthwise_s8(const int B, const int H, const int W, const int C, const int ldx,
                         const int OH, const int OW, const int ldy, const int M, const int KH,
                         const int KW, const int SH, const int SW, const int DH, const int DW,
                         const int PT, const int PL, const int TH, const int TW, const int WIDE,
                         const int PASSES, const int AGAIN, const int zero, const int OUT,
                         const int low, const int high, const int begin, const int end,
                         const s8 *x, const s8 *w, const int *bias, s8 *y,
                         const void *const *extra, epilogue_s8 epilogue) {
    const int N = C * M, whole = N / VL * VL, vectors = (N + VL - 1) / VL;
    const int strips = (OH + TH - 1) / TH, tiles = (OW + TW - 1) / TW;
    const int few = OW / tiles, larger = OW % tiles, rows = depthwise_rows_s8(TH, KH, SH, DH);
    const long block_bytes = (long)PASSES * TH * ((rows + 3) / 4) * KW * VL * 4;
    s8 outside[8 * VL];
    vi acc[TILE_ACCUMULATORS];
    UNROLL(l, 8 * VL) outside[l] = (s8)zero;
#define BLOCK(TW_, INSIDE_, LANES_)                                                                \
    do {                                                                                           \
        const s8 *taps = w + (WIDE + (n - WIDE) * DOT8_BYTES) / VL * block_bytes;                  \
        depthwise_tile_s8(TH, TW_, INSIDE_, M, LANES_, W, ldx, KH, KW, SH, SW, DH, DW, PASSES,     \
                          AGAIN, ow * SW - PL, n, acc, row, outside, taps, bias + n);              \
        UNROLL(r, TH)                                                                              \
            if (oh + r < OH)                                                                       \
                tile_store_s8(TW_, 1, LANES_, OUT, low, high, acc + r * (TW_),                  \
                              y + (line + (long)r * OW + ow) * ldy + n, ldy,                       \
                              line + (long)r * OW + ow, n, extra, epilogue);                       \
    } while (0)
#define TILE(TW_)                                                                       \
    do {                                                                                \
        const int left = ow * SW - PL, right = left + ((TW_) - 1) * SW + (KW - 1) * DW; \
        if (inside && left >= 0 && right < W) {                                         \
            for (int n = narrow; n < past * VL && n < whole; n += VL) BLOCK(TW_, 1, VL); \
            for (int n = tail; n < N; n += VL) BLOCK(TW_, 1, N - whole);                \
        } else {                                                                        \
            for (int n = narrow; n < past * VL && n < whole; n += VL) BLOCK(TW_, 0, VL); \
            for (int n = tail; n < N; n += VL) BLOCK(TW_, 0, N - whole);                \
        }                                                                               \
    } while (0)
    for (int u = begin, next; u < end; u = next) {
        const int strip = u / vectors, first = u % vectors;
        next = end < u - first + vectors ? end : u - first + vectors;
        const int past = next - u + first, tail = past == vectors ? whole : N;
        const int narrow = first * VL > WIDE ? first * VL : WIDE;
        const int b = strip / strips, oh = strip % strips * TH, top = oh * SH - PT;
        const int inside = top >= 0 && top + (rows - 1) * DH < H;
        const long line = ((long)b * OH + oh) * OW;
        const s8 *row[DEPTHWISE_COLUMN_ROWS];
        UNROLL(i, rows) {
            const int ih = top + i * DH;
            row[i] = ih >= 0 && ih < H ? x + ((long)b * H + ih) * W * ldx : 0;
        }
        depthwise_wide_strip_s8(WIDE, TH, W, ldx, OH, OW, ldy, KH, KW, SH, SW, DH, PL, PASSES,
                                AGAIN, OUT, low, high, first, past, oh, row, outside, w,
                                block_bytes, bias, line, y, extra, epilogue);
        if (WIDE == N) continue;
        for (int ow = 0; ow < larger * (few + 1); ow += few + 1) TILE(few + 1);
        for (int ow = larger * (few + 1); ow < OW; ow += few) TILE(few);
    }
#undef TILE
#undef BLOCK
}
