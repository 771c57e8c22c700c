// Scaled dot-product attention, scores kept in cache, operands read where projections left them.
//
//   out[b][t][h][E] = sum over s < S of p[s] * v[b][s][h][E],
//   p = softmax over s of scale * (q[b][t][h][D] . k[b][s][h][D]) + mask[b][h][t][s]
//
// q, k, v, out are dense. mask may be null; it is at b * mask_b + h * mask_h + t * mask_t + s.
//
// A tile is MR rows of one head, against NV vectors of keys, then of v's channels; rows are shared
// evenly by as few tiles as MR allows. Work is B * H * ceil(T / MR) units, unit u = (batch, head,
// tile); a call does [begin, end) and the result does not depend on the split. scratch: the keys of
// one head, transposed and scaled, and the scores of a tile: D * columns + MR * (columns + VL)
// floats, columns being S rounded up to whole vectors. All const ints are literals.
#pragma once
#include "math_f32.h"
#include "tile_f32.h"
#include "transpose_f32.h"

// The keys k[s][D] of one head, ldk apart: panels of NV vectors of keys, each [D][NV * VL].
INLINE void attention_keys_f32(const int S, const int D, const int NV, const float factor,
                               const float *k, const long ldk, float *panels) {
    const int vectors = (S + VL - 1) / VL;
    for (int j = 0; j < vectors; j++) {
        const int first = j / NV * NV, width = (vectors - first < NV ? vectors - first : NV) * VL;
        float *panel = panels + (long)first * VL * D + (j - first) * VL;
        const int keys = S - j * VL < VL ? S - j * VL : VL;
        transpose_rows_f32(keys, D, factor, k + (long)j * VL * ldk, ldk, panel, width);
    }
}

// Of MR rows x[S] of scores, at most VL: 2^(x + mask / ln 2 - the largest), and in scale 1 / the
// sum.
// Rows are whole vectors long, of which what lies behind S becomes 0.
INLINE void attention_softmax_f32(const int MR, const int S, float *x, const int ldx,
                                  const float *mask, const long mask_t, float *scale) {
    const int vectors = (S + VL - 1) / VL, rest = S - (vectors - 1) * VL;
    const vf lowest = vset(-__builtin_inff());
    vi lane;
    UNROLL (l, VL) lane[l] = l;
    vf each[VL];
    float top[VL];
    UNROLL (i, VL) each[i] = lowest;
    UNROLL (i, MR) {
        for (int j = 0; j < vectors; j++) {
            const int lanes = j < vectors - 1 ? VL : rest;
            float *at = x + i * ldx + j * VL;
            vf v = vload(at);
            if (mask) v = vfma(vload_n(mask + i * mask_t + j * VL, lanes), vset(1.44269504f), v);
            if (lanes < VL) v = vselect(lane < lanes, v, lowest);
            if (mask || lanes < VL) vstore(at, v);
            each[i] = vmax(each[i], v);
        }
    }
    vstore(top, maxima_of_rows_f32(each));
    UNROLL (i, VL) each[i] = vset(1.f);
    UNROLL (i, MR) {
        vf sum = {0};
        for (int j = 0; j < vectors; j++) {
            const vf e = vexp2_negative(vload(x + i * ldx + j * VL) - top[i]);
            vstore(x + i * ldx + j * VL, e);
            sum += e;
        }
        each[i] = sum;
    }
    vstore(top, 1.f / sums_of_rows_f32(each));
    UNROLL (i, MR) scale[i] = top[i];
}

// Scores of MR rows q against all keys, row i at x + i * ldx.
INLINE void attention_scores_f32(const int MR, const int S, const int D, const int NV,
                                 const float *q, const int ldq, const float *panels, float *x,
                                 const int ldx) {
    const int width = NV * VL, whole = S / width * width, rest = S - whole;
    const int last = (rest + VL - 1) / VL;
    vf acc[TILE_ACCUMULATORS];
    for (int s = 0; s < whole; s += width) {
        tile_start_f32(MR, NV, VL, acc, 0);
        tile_sum_f32(MR, NV, VL, D, acc, q, ldq, panels + (long)s * D, 0);
        tile_store_f32(4, MR, NV, VL, acc, x + s, ldx, 0, 0, 0, identity_f32);
    }
    if (rest) {
        tile_start_f32(MR, last, VL, acc, 0);
        tile_sum_f32(MR, last, VL, D, acc, q, ldq, panels + (long)whole * D, 0);
        tile_store_f32(4, MR, last, VL, acc, x + whole, ldx, 0, 0, 0, identity_f32);
    }
}

// NV vectors of channels of MR rows: y[i] = scale[i] * sum over s of x[i][s] * v[s].
INLINE void attention_mix_f32(const int MR, const int NV, const int LANES, const int S,
                              const float *x, const int ldx, const float *v, const int ldv,
                              const float *scale, float *y, const int ldy) {
    vf acc[TILE_ACCUMULATORS];
    tile_start_f32(MR, NV, LANES, acc, 0);
    tile_sum_f32(MR, NV, LANES, S, acc, x, ldx, v, ldv);
    UNROLL (i, MR)
        UNROLL (j, NV)
            vstore_n(y + (long)i * ldy + j * VL, acc[i * NV + j] * vset(scale[i]),
                     j == NV - 1 ? LANES : VL);
}

// One tile of MR rows of one head.
INLINE void attention_tile_f32(const int MR, const int S, const int D, const int E, const int NV,
                               const int ldq, const int ldv, const float *q, const float *panels,
                               const float *v, const float *mask, const long mask_t, float *x,
                               float *out) {
    const int ldx = (S + VL - 1) / VL * VL + VL, width = NV * VL, whole = E / width * width;
    const int rest = E - whole, last = (rest + VL - 1) / VL, lanes = rest - (last - 1) * VL;
    float scale[TILE_ACCUMULATORS];
    attention_scores_f32(MR, S, D, NV, q, ldq, panels, x, ldx);
    UNROLL (i, (MR + VL - 1) / VL) {
        const int at = i * VL, rows = MR - at < VL ? MR - at : VL;
        attention_softmax_f32(rows, S, x + at * ldx, ldx, mask ? mask + at * mask_t : 0, mask_t,
                              scale + at);
    }
    for (int e = 0; e < whole; e += width)
        attention_mix_f32(MR, NV, VL, S, x, ldx, v + e, ldv, scale, out + e, ldv);
    if (rest)
        attention_mix_f32(MR, last, lanes, S, x, ldx, v + whole, ldv, scale, out + whole, ldv);
}

INLINE void attention_f32(const int T, const int S, const int H, const int D, const int E,
                          const float scale, const long mask_b, const long mask_h,
                          const long mask_t, const int MR, const int NV, const int begin,
                          const int end, const float *q, const float *k, const float *v,
                          const float *mask, float *out, void *scratch) {
    const int tiles = (T + MR - 1) / MR, few = T / tiles, larger = T % tiles;
    float *panels = scratch, *x = panels + (S + VL - 1) / VL * VL * D;
    for (int u = begin, held = -1; u < end; u++) {
        const int head = u / tiles, tile = u % tiles, b = head / H, h = head % H;
        const int t = tile * few + (tile < larger ? tile : larger);
        const float *qt = q + (((long)b * T + t) * H + h) * D, *vh = v + ((long)b * S * H + h) * E;
        const float *m = mask ? mask + b * mask_b + h * mask_h + t * mask_t : 0;
        float *ot = out + (((long)b * T + t) * H + h) * E;
        if (head != held)
            attention_keys_f32(S, D, NV, scale * 1.44269504f, k + ((long)b * S * H + h) * D,
                               (long)H * D, panels);
        held = head;
        if (tile < larger)
            attention_tile_f32(few + 1, S, D, E, NV, H * D, H * E, qt, panels, vh, m, mask_t, x,
                               ot);
        else
            attention_tile_f32(few, S, D, E, NV, H * D, H * E, qt, panels, vh, m, mask_t, x, ot);
    }
}
