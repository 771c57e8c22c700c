// conv_f32 for sums that are long beside the pixels of a row: its meaning, units and, but for CB,
// its arguments, of one group.
//
// The weights of CB channels of one tap and one panel stay in the first cache while every tile of
// a block of rows adds their products to its sum, which waits in y meanwhile. So weights come from
// the second cache once for a block, not once for a tile.
#pragma once
#include "conv_f32.h"

enum { CHUNKS_AHEAD = 4 }; // how much later those weights are needed that are fetched

// Adds `count` channels of one tap to the sums of MR pixels from ow on, `left` input pixels before
// them where `row` is not null. first, last: of all that is added.
INLINE void conv_chunk_f32(const int MR, const int NV, const int LANES, const int count,
                           const int W, const int ldx, const int ldy, const int SW, const int ow,
                           const int left, const int RATE, const float *row, const float *w,
                           const float *ahead, const float *bias, float *y, const int first,
                           const int last, const long pixel, const int channel,
                           const void *const *extra, epilogue_f32 epilogue) {
    const int start = ow * SW - left;
    vf acc[TILE_ACCUMULATORS];
    if (first)
        tile_start_f32(MR, NV, LANES, acc, bias);
    else
        UNROLL (i, MR)
            UNROLL (j, NV)
                acc[i * NV + j] = vload_n(y + (long)i * ldy + j * VL, j == NV - 1 ? LANES : VL);
    if (row && start >= 0 && start + (MR - 1) * SW < W) {
        tile_sum_ahead_f32(MR, NV, LANES, count, RATE, acc, row + (long)start * ldx, SW * ldx, w, 0,
                           ahead, 0, (next_f32){0});
    } else if (row) {
        const float *pixels[TILE_ACCUMULATORS];
        UNROLL (i, MR) {
            const int iw = start + i * SW;
            pixels[i] = iw >= 0 && iw < W ? row + (long)iw * ldx : zero_row;
        }
        tile_sum_rows_f32(MR, NV, LANES, count, RATE, acc, pixels, w, ahead);
    }
    if (last)
        tile_store_f32(4, MR, NV, LANES, acc, y, ldy, pixel, channel, extra, epilogue);
    else
        tile_store_f32(4, MR, NV, LANES, acc, y, ldy, pixel, channel, 0, identity_f32);
}

// One chunk of a unit, the rows [begin, end) of all images. c, kh, kw: its place; wk: its weights.
INLINE void conv_chunk_rows_f32(const int NV, const int LANES, const int CB, const int H,
                                const int W, const int C, const int ldx, const int OH, const int OW,
                                const int ldy, const int KH, const int KW, const int SH,
                                const int SW, const int DH, const int DW, const int PT,
                                const int PL, const int MR, const int RB, const int begin,
                                const int end, const int kh, const int kw, const int c,
                                const int channel, const float *x, const float *wk,
                                const float *bias, float *y, const void *const *extra,
                                epilogue_f32 epilogue) {
    const int tiles = (OW + MR - 1) / MR, few = OW / tiles, larger = OW % tiles;
    const int RATE = ahead_rate_f32(RB * tiles, NV), count = C - c < CB ? C - c : CB;
    const int first = kh == 0 && kw == 0 && c == 0;
    const int last = kh == KH - 1 && kw == KW - 1 && c + CB >= C;
    const float *ahead = wk + (long)CHUNKS_AHEAD * CB * NV * VL;
    for (int r = begin; r < end; r++) {
        const int ih = r % OH * SH - PT + kh * DH;
        const float *row =
            ih >= 0 && ih < H ? x + ((long)(r / OH) * H + ih) * W * ldx + c : (const float *)0;
#define TILE(MR_)                                                                             \
    conv_chunk_f32(MR_, NV, LANES, count, W, ldx, ldy, SW, ow, PL - kw * DW, RATE, row, wk,   \
                   ahead, bias, y + ((long)r * OW + ow) * ldy + channel, first, last,         \
                   (long)r * OW + ow, channel, extra, epilogue),                              \
        ahead += ahead_share_f32(count, RATE)
        for (int ow = 0; ow < larger * (few + 1); ow += few + 1) TILE(few + 1);
        for (int ow = larger * (few + 1); ow < OW; ow += few) TILE(few);
#undef TILE
    }
}

INLINE void conv_deep_f32(const int B, const int H, const int W, const int C, const int ldx,
                          const int OH, const int OW, const int N, const int ldy, const int KH,
                          const int KW, const int SH, const int SW, const int DH, const int DW,
                          const int PT, const int PL, const int MR, const int NV, const int RB,
                          const int CB, const int begin, const int end, const float *x,
                          const float *w, const float *bias, float *y, const void *const *extra,
                          epilogue_f32 epilogue) {
    const int width = NV * VL, whole = N / width, panels = (N + width - 1) / width, K = KH * KW * C;
    const int rest = N - whole * width, last = (rest + VL - 1) / VL, lanes = rest - (last - 1) * VL;
#define CHUNK(NV_, LANES_)                                                                       \
    conv_chunk_rows_f32(NV_, LANES_, CB, H, W, C, ldx, OH, OW, ldy, KH, KW, SH, SW, DH, DW, PT,  \
                        PL, MR, RB, from, past, kh, kw, c, channel, x,                           \
                        wb + ((long)(kh * KW + kw) * C + c) * NV_ * VL, bs, y, extra, epilogue)
    for (int u = begin; u < end; u++) {
        const int from = u / panels * RB, past = from + RB < B * OH ? from + RB : B * OH;
        const int panel = u % panels, channel = panel * width;
        const float *wb = w + (long)channel * K, *bs = bias ? bias + channel : 0;
        for (int kh = 0; kh < KH; kh++)
            for (int kw = 0; kw < KW; kw++)
                for (int c = 0; c < C; c += CB) {
                    if (panel < whole)
                        CHUNK(NV, VL);
                    else if (rest)
                        CHUNK(last, lanes);
                }
    }
#undef CHUNK
}
