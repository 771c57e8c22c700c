// An LSTM layer over time on int8 codes with constant weights and an int16 cell state, in vectors
// of units: the bits of integer_lstm.h with INTEGER_I8 and WHET_DOUBLE, on every machine.
//
// The gates are i f c o. Their share of the inputs is a matrix product, CHUNK steps at a time,
// requantised to int16; a step then adds that of the last h. Hidden units go in blocks of NH
// vectors, the last one padded with units whose weights are zero:
//     gates[step][block][gate][NH * VL]   int16 values as words
//     r[block][quad of HIDDEN][gate][NH * VL][4]   as quad_load has them, beyond HIDDEN zero
// w, start: packed as gemm_s8's b and bias, the columns in the order of gates, the biases in start.
// r_start[columns]: what takes DOT8_SHIFT and the zero point of h out of a sum.
// table[256]: of sigmoid_table, less 2^15, and above it by how much the next entry is greater.
//
// x [batch][time][input], h0 and c0 [batch][hidden], y [batch][time][hidden], and the states after
// the last step, which may be h0 and c0. A sum, shifted left as its multiplier says, is less than
// 2^29 in magnitude, and no multiplier of a product shifts left.
//
// scratch: CHUNK * columns + units words, columns = 4 * units, and (2 * units + CHUNK * INPUT) *
// DOT8_BYTES bytes. 4 * NH accumulators stay in registers.
// Source: TensorFlow Lite UNIDIRECTIONAL_SEQUENCE_LSTM.
#pragma once
#include "gemm_s8.h"
#include "integer_lstm.h"

enum { SEQUENCE_GATES = 4 };

typedef struct {
    const s8 *w;
    const int *start;
    const s8 *r;
    const int *r_start, *table;
} sequence_weights_s8;

// h is kept as dot4 multiplies it where that is not as codes.
INLINE void sequence_keep_s8(const vi code, s8 *to) {
    if (!DOT8_PAIRS) return store_s8(to, &code, 1, VL, -128, 127);
    const vi y = clamp_i(code, -128, 127);
    UNROLL(l, VL) ((short *)to)[l] = (short)y[l];
}
INLINE void sequence_codes_s8(const int n, const s8 *h, s8 *to) {
    if (!DOT8_PAIRS)
        __builtin_memcpy(to, h, n);
    else
        for (int i = 0; i < n; i++) to[i] = (s8)((const short *)h)[i];
}
INLINE void sequence_add_s8(const int V, const int quads, vi *sum, const s8 *h, const s8 *r) {
    for (int q = 0; q < quads; q++, h += 4 * DOT8_BYTES, r += V * VL * 4)
        UNROLL(part, DOT8_PARTS) {
            const vq_part a = part_set(h, 4, DOT8_PAIRS, part);
            UNROLL(j, V) sum[j] = part_dot(sum[j], a, part_load(r + j * VL * 4, part));
        }
}

INLINE vi sequence_16(vi v) { return clamp_i(v, -32768, 32767); }

// A multiplier m * 2^-t of a sum as requantize.h's double_s8 has them, without a zero point.
typedef struct {
    int m, left, round, right, away;
} sequence_scale;
INLINE sequence_scale sequence_scale_of(const int m, const int t) {
    const int right = t > 31 ? t - 31 : 0;
    return (sequence_scale){m, t < 31 ? 33 - t : 2, (1 << right >> 1 << 1) + 1, right + 1,
                            right ? -2 : 0};
}
INLINE vi sequence_scaled(const vi sum, const sequence_scale by) {
    const vi high = mul_high(sum << vset_i(by.left), vset_i(by.m));
    return sequence_16((high + ((high >> 31) & by.away) + by.round) >> vset_i(by.right));
}
// v * m * 2^-t of a product of int16 values, rounded as `double` rounds.
INLINE vi sequence_product(const vi v, const int m, const int t) {
    const int right = t - 31;
    const vi x = m == 1 << 30 ? (v + 1) >> 1 : mul_rounded(v, vset_i(m));
    return right ? (x + (x >> 31) + (1 << right >> 1)) >> right : x;
}

// The share of a gate that x has; extra: the scales of the gates, and NH.
INLINE vi sequence_inputs_s8(const void *const *extra, vi acc, long row, int channel, int lanes) {
    const int gate = channel / VL / *(const int *)extra[1] % SEQUENCE_GATES;
    (void)row, (void)lanes;
    return sequence_scaled(acc, ((const sequence_scale *)extra[0])[gate]);
}

// The interpolated magnitude of a value less 2^(15 + STEP), complemented for a negative value.
INLINE vi sequence_interpolated(const int STEP, const vi value, const int *table) {
    const vi sign = value >> 31, magnitude = (value + sign) ^ sign;
    const vi at = magnitude >> STEP, beyond = at > 255;
    const vi rest = (magnitude & ((1 << STEP) - 1)) << 16 | 1 << STEP;
    return pair_dot(table_words(table, (beyond & 255) | (~beyond & at)), rest) ^ sign;
}
INLINE vi sequence_logistic(const vi x, const int *table) { // of int16 in Q3.12
    return (sequence_interpolated(9, x * 3, table) + (1 << 24) + (1 << 9)) >> 10;
}
INLINE vi sequence_tanh(const vi x, const int m, const int shift, const int *table) {
    const vi value = (x * m + (1 << shift >> 1)) >> shift;
    return (sequence_interpolated(8, value, table) + (1 << 7)) >> 8;
}

// The next codes of NH vectors of units from the sums of their gates, unclamped. Each step is taken
// for all of them, as none waits for another.
INLINE void sequence_cells_s8(const int NH, const integer_lstm_constants *c, const vi *sum,
                              const int *given, const int *table, int *cell, vi *code) {
    vi gate[TILE_ACCUMULATORS], value[TILE_ACCUMULATORS / SEQUENCE_GATES];
    UNROLL(g, SEQUENCE_GATES) {
        const sequence_scale by = sequence_scale_of(c->recurrent_m[g], c->recurrent_t[g]);
        UNROLL(j, NH) {
            const int i = g * NH + j;
            const vi all = sequence_16(sequence_scaled(sum[i], by) + vload_i(given + i * VL));
            gate[i] = g == 2 ? sequence_tanh(all, 3, 0, table) : sequence_logistic(all, table);
        }
    }
    // The halves of a logistic value are itself and zero.
    UNROLL(j, NH) {
        const vi forget = pair_dot(gate[NH + j], vload_i(cell + j * VL));
        const vi kept = sequence_16(sequence_product(forget, c->forget_m, c->forget_t));
        const vi fresh = pair_dot(gate[j], gate[2 * NH + j]);
        const vi update = sequence_16(sequence_product(fresh, c->update_m, c->update_t));
        value[j] = sequence_16(kept + update);
        if (c->cell_clip > 0) value[j] = clamp_i(value[j], -c->cell_clip, c->cell_clip);
        vstore_i(cell + j * VL, value[j]);
    }
    UNROLL(j, NH) {
        const vi squashed = sequence_tanh(value[j], c->cell_m, c->cell_shift, table);
        const vi y = pair_dot(gate[3 * NH + j], squashed);
        code[j] = sequence_product(y, c->hidden_m, c->hidden_t) + c->hidden_zero;
    }
}

// One step of all blocks: h and the cells from their gates, the next h to `next`.
INLINE void sequence_step_s8(const int HIDDEN, const int NH, const integer_lstm_constants *c,
                             const sequence_weights_s8 *k, const int *gates, const s8 *h, s8 *next,
                             int *cell) {
    const int V = SEQUENCE_GATES * NH, width = NH * VL, blocks = (HIDDEN + width - 1) / width;
    const int quads = (HIDDEN + 3) / 4;
    for (int b = 0; b < blocks; b++) {
        vi sum[TILE_ACCUMULATORS], code[TILE_ACCUMULATORS / SEQUENCE_GATES];
        UNROLL(j, V) sum[j] = vload_i(k->r_start + (b * V + j) * VL);
        sequence_add_s8(V, quads, sum, h, k->r + (long)b * quads * V * VL * 4);
        sequence_cells_s8(NH, c, sum, gates + b * V * VL, k->table, cell + b * width, code);
        UNROLL(j, NH) sequence_keep_s8(code[j], next + (b * width + j * VL) * DOT8_BYTES);
    }
}

// gates[M][columns] of M steps; ready: room for their x as dot4 takes it.
INLINE void sequence_given_s8(const int M, const int COLUMNS, const int INPUT, const int NH,
                              const int MR, const int NV, const integer_lstm_constants *c,
                              const sequence_weights_s8 *k, const s8 *x, int *gates, s8 *ready) {
    const int panels = (COLUMNS + NV * VL - 1) / (NV * VL), vectors = NH;
    sequence_scale by[SEQUENCE_GATES];
    UNROLL(g, SEQUENCE_GATES) by[g] = sequence_scale_of(c->input_m[g], c->input_t[g]);
    const void *const extra[] = {by, &vectors};
    gemm_s8(M, COLUMNS, INPUT, INPUT, COLUMNS, MR, NV, M, 0, 1, 4, 0, 0, 0, panels, x, k->w,
            k->start, gates, ready, 0, 0, extra, sequence_inputs_s8);
}

INLINE void sequence_lstm_s8(const int BATCH, const int STEPS, const int INPUT, const int HIDDEN,
                             const int NH, const int CHUNK, const int MR, const int NV,
                             const integer_lstm_constants *c, const s8 *x,
                             const sequence_weights_s8 *k, const s8 *h0, const short *c0, s8 *y,
                             s8 *y_h, short *y_c, int *scratch) {
    const int units = (HIDDEN + NH * VL - 1) / (NH * VL) * NH * VL, REST = STEPS % CHUNK;
    const int columns = SEQUENCE_GATES * units;
    int *const gates = scratch, *const cell = gates + (long)CHUNK * columns;
    for (int n = 0; n < BATCH; n++) {
        s8 *h = (s8 *)(cell + units), *next = h + units * DOT8_BYTES;
        s8 *const ready = next + units * DOT8_BYTES;
        __builtin_memset(cell, 0, (4l + DOT8_BYTES) * units);
        if (DOT8_PAIRS)
            ready_s8(HIDDEN, h0 + n * HIDDEN, h);
        else
            __builtin_memcpy(h, h0 + n * HIDDEN, HIDDEN);
        for (int u = 0; u < HIDDEN; u++) cell[u] = c0[n * HIDDEN + u];
        for (int begin = 0; begin < STEPS; begin += CHUNK) {
            const int count = STEPS - begin < CHUNK ? REST : CHUNK;
            const long at = (long)n * STEPS + begin;
            if (count == CHUNK)
                sequence_given_s8(CHUNK, columns, INPUT, NH, MR, NV, c, k, x + at * INPUT, gates,
                                  ready);
            else if (REST)
                sequence_given_s8(REST, columns, INPUT, NH, MR, NV, c, k, x + at * INPUT, gates,
                                  ready);
            for (int i = 0; i < count; i++) {
                sequence_step_s8(HIDDEN, NH, c, k, gates + (long)i * columns, h, next, cell);
                s8 *const was = h;
                h = next;
                next = was;
                sequence_codes_s8(HIDDEN, h, y + (at + i) * HIDDEN);
            }
        }
        sequence_codes_s8(HIDDEN, h, y_h + n * HIDDEN);
        for (int u = 0; u < HIDDEN; u++) y_c[n * HIDDEN + u] = (short)cell[u];
    }
}
