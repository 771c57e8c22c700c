// Attention over int8 codes in one pass over the keys of a head:
//     y = requantised(softmax(requantised(q k^T) + mask) v)
// q[batch][M][heads * D], k[batch][N][heads * D], v[batch][N][heads * E], y[batch][M][heads * E]:
// heads lie side by side in a row, so nothing is transposed but in packing. mask[batch or 1][N] of
// int8 codes where there is one (MASKED). `exponentials` and `factor` are those of softmax_s8.h.
//
// Work is batch * heads * blocks units of MC rows; a call does [begin, end) and the result does not
// depend on the split. scratch: what attention_split shares out, for each thread. All const ints
// are literals; what changes from layer to layer is read from memory, so that layers share code.
#pragma once
#include "product_s8.h"
#include "softmax_s8.h"

// Zero points of the operands, the two requantisations, and the mask's multiplier and constant.
typedef struct {
    int q_zero, k_zero, v_zero, mask_m, mask_constant;
    product_scale scores, values;
} attention_constants;

INLINE long attention_round(const long bytes) { return (bytes + 63) / 64 * 64; }

// ready: with DOT8_PAIRS, the rows that a product reads, as ready_s8 writes them.
typedef struct {
    s8 *keys, *values, *scores, *ready;
    int *key_bias, *value_bias, *addends, *terms;
} attention_memory;

INLINE attention_memory attention_split(const int N, const int D, const int E, const int MC,
                                        s8 *scratch) {
    const long columns = (N + VL - 1) / VL * VL, wide = (E + VL - 1) / VL * VL;
    const long longest = attention_round(N > D ? N : D);
    const long lengths[] = {columns * 4 * pack_quads(D), wide * 4 * pack_quads(N),
                            MC * attention_round(N),     MC * longest * 2 * DOT8_PAIRS,
                            columns * 4,                 wide * 4,
                            columns * 4};
    long at[8] = {0};
    for (int i = 0; i < 7; i++)
        at[i + 1] = at[i] + attention_round(lengths[i]);
    return (attention_memory){scratch,
                              scratch + at[1],
                              scratch + at[2],
                              scratch + at[3],
                              (int *)(scratch + at[4]),
                              (int *)(scratch + at[5]),
                              (int *)(scratch + at[6]),
                              (int *)(scratch + at[7])};
}

// Rows of one head: scores, their softmax in place (counted from 0, as unsigned bytes where dot4
// takes those), and the mean of the values.
INLINE void attention_rows(const int rows, const int N, const int D, const int E, const int lda,
                           const int ldy, const int MR, const int NV, const int PR, const int PV,
                           const int LEFT, const int VALUES_LEFT, const int MASKED,
                           const unsigned factor, const attention_constants *c,
                           const softmax_byte *exponentials, const attention_memory *w,
                           const s8 *q, s8 *y) {
    const long ld = attention_round(N), wide = ld * DOT8_BYTES;
    product_terms(rows, D, c->q_zero, c->k_zero, q, lda, w->terms);
    for (int i = 0; DOT8_PAIRS && i < rows; i++)
        ready_s8(D, q + i * lda, w->ready + i * (long)D * DOT8_BYTES);
    product_s8(rows, N, D, MR, NV, DOT8_PAIRS, LEFT, MASKED, &c->scores, DOT8_PAIRS ? w->ready : q,
               DOT8_PAIRS ? D * DOT8_BYTES : lda, w->keys, w->key_bias, w->terms, w->addends,
               w->scores, ld);
    for (int i = 0; i < rows; i++)
        w->terms[i] = c->v_zero * softmax_row_s8(N, 128 - DOT8_SHIFT, factor, w->scores + i * ld,
                                                 exponentials, w->scores + i * ld);
    if (DOT8_PAIRS) ready_s8(rows * ld, w->scores, w->ready);
    product_s8(rows, E, 4 * pack_quads(N), PR, PV, 1, VALUES_LEFT, 0, &c->values,
               DOT8_PAIRS ? w->ready : w->scores, wide, w->values, w->value_bias, w->terms,
               w->addends, y, ldy);
}

INLINE void attention_s8(const int batch, const int heads, const int M, const int N, const int D,
                         const int E, const int MR, const int NV, const int PR, const int PV,
                         const int MC, const int LEFT, const int VALUES_LEFT, const int MASKED,
                         const int mask_stride, const unsigned factor, const int begin,
                         const int end,
                         const void *constants, const softmax_byte *exponentials,
                         const s8 *q, const s8 *k, const s8 *v, const s8 *mask, s8 *y,
                         s8 *scratch) {
    const attention_constants *const c = constants;
    const int blocks = (M + MC - 1) / MC, last = M - (blocks - 1) * MC;
    const int lda = heads * D, ldv = heads * E;
    const attention_memory w = attention_split(N, D, E, MC, scratch);
    for (int u = begin; u < end; u++) {
        const int block = u % blocks, head = u / blocks % heads, b = u / blocks / heads;
        if (u == begin || block == 0) {
            pack_s8(N, D, NV, 1, 0, k + (long)b * N * lda + head * D, lda, w.keys, w.key_bias);
            pack_s8(E, N, PV, 0, 1, v + (long)b * N * ldv + head * E, ldv, w.values, w.value_bias);
            product_bias(N, c->q_zero, w.key_bias);
            product_bias(E, -128, w.value_bias);
            for (int j = 0; MASKED && j < N; j++)
                w.addends[j] = mask[b * mask_stride + j] * c->mask_m + c->mask_constant;
        }
        const long row = (long)b * M + block * MC;
        const s8 *from = q + row * lda + head * D;
        s8 *to = y + row * ldv + head * E;
#define ROWS(n)                                                                                \
    attention_rows(n, N, D, E, lda, ldv, MR, NV, PR, PV, LEFT, VALUES_LEFT, MASKED, factor,    \
                   c, exponentials, &w, from, to)
        if (block < blocks - 1)
            ROWS(MC);
        else
            ROWS(last);
#undef ROWS
    }
}
