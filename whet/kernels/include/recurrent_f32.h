// LSTM and GRU layers of floats with constant weights and the usual activations: sigmoid for the
// gates, tanh for the rest. rnn.h has every other recurrent layer.
//
// The share of the inputs in all gates is a matrix product, CHUNK steps at a time; a step then adds
// the product of the recurrent weights and the last h. Hidden units go in blocks of NH vectors, the
// last one padded with zeros, and recurrent_f32.py keeps the gates of a block together:
//     gates[step][block][gate][NH * VL]     r[direction][block][hidden][gate][NH * VL]
// so that a step reads its weights once, as one stream. w[direction] is packed as gemm_f32's b with
// the columns of gates; bias[direction][columns] holds both biases, but for the new state of a GRU
// only that of the inputs: the recurrent one, which reset multiplies, is in back[direction][block].
//
//   CELL = RECURRENT_LSTM: gates i o f c                       (ONNX LSTM-22)
//   CELL = RECURRENT_GRU:  gates z r h, linear_before_reset    (ONNX GRU-22)
//
// h0, c0 [direction][batch][hidden] and y, y_h, y_c may be null; with BATCH_FIRST batch and step,
// and batch and direction, change places. scratch: (CHUNK * columns + 3 * units) floats, units =
// blocks * NH * VL, columns = gates * units; NH <= 4.
//
// All `parts` threads of a run enter together and share the scratch: each has a range of the
// blocks, and they wait for each other once a step. The result does not depend on their number.
#pragma once
#include "gemm_f32.h"
#include "math_f32.h"

enum { RECURRENT_GRU = 3, RECURRENT_LSTM = 4 }; // cells, by their number of gates

// One of the threads of a run: which, of how many, and how they wait for each other.
typedef struct {
    int part, parts;
    void (*wait)(void *pool);
    void *pool;
} recurrent_thread;

INLINE void recurrent_wait(const recurrent_thread *t) {
    if (t->parts > 1) t->wait(t->pool);
}
INLINE int recurrent_share(const recurrent_thread *t, const int units, const int part) {
    return (int)((long)units * part / t->parts);
}

// acc[j] += sum over k of h[k] * r[k][j]
INLINE void recurrent_sum_f32(const int VECTORS, const int HIDDEN, vf *acc, const float *h,
                              const float *r) {
    for (int k = 0; k < HIDDEN; k++, r += VECTORS * VL)
        UNROLL (j, VECTORS) acc[j] = vfma(vset(h[k]), vload(r + j * VL), acc[j]);
}

// One step of one block: gates -> next, with the cell's state c and the last h of these units.
INLINE void recurrent_lstm_f32(const int NH, const int HIDDEN, const float *gates, const float *h,
                               const float *r, float *c, float *next) {
    vf acc[16];
    UNROLL (j, 4 * NH) acc[j] = vload(gates + j * VL);
    recurrent_sum_f32(4 * NH, HIDDEN, acc, h, r);
    UNROLL (j, NH) {
        const vf in = vsigmoid(acc[j]), out = vsigmoid(acc[NH + j]);
        const vf forget = vsigmoid(acc[2 * NH + j]), fresh = vtanh(acc[3 * NH + j]);
        const vf cell = vfma(forget, vload(c + j * VL), in * fresh);
        vstore(c + j * VL, cell);
        vstore(next + j * VL, out * vtanh(cell));
    }
}

INLINE void recurrent_gru_f32(const int NH, const int HIDDEN, const float *gates, const float *h,
                              const float *r, const float *back, const float *last, float *next) {
    vf acc[12];
    UNROLL (j, 2 * NH) acc[j] = vload(gates + j * VL);
    UNROLL (j, NH) acc[2 * NH + j] = vload(back + j * VL);
    recurrent_sum_f32(3 * NH, HIDDEN, acc, h, r);
    UNROLL (j, NH) {
        const vf update = vsigmoid(acc[j]), reset = vsigmoid(acc[NH + j]);
        const vf fresh = vtanh(vfma(reset, acc[2 * NH + j], vload(gates + (2 * NH + j) * VL)));
        vstore(next + j * VL, vfma(update, vload(last + j * VL) - fresh, fresh));
    }
}

// gates[M][columns] = x * w + bias, this thread's share of the columns.
INLINE void recurrent_inputs_f32(const int M, const int COLUMNS, const int INPUT, const long ldx,
                                 const int MR, const int NV, const recurrent_thread *t,
                                 const float *x, const float *w, const float *bias, float *gates) {
    const int panels = (COLUMNS + NV * VL - 1) / (NV * VL), rows = (M + MR - 1) / MR * MR;
    gemm_f32(M, COLUMNS, INPUT, (int)ldx, 0, COLUMNS, MR, NV, rows,
             recurrent_share(t, panels, t->part), recurrent_share(t, panels, t->part + 1), x, w,
             bias, gates, 0, identity_f32);
}

// The hidden units [begin, end) of a thread: this many floats of them exist.
INLINE long recurrent_bytes(const int begin, const int end, const int HIDDEN) {
    return 4l * ((end < HIDDEN ? end : HIDDEN) - (begin < HIDDEN ? begin : HIDDEN));
}

// to = from, or zeros from null, for the units [begin, end); units beyond the last one are zero.
INLINE void recurrent_state_f32(const int HIDDEN, const int begin, const int end, float *to,
                                const float *from) {
    __builtin_memset(to + begin, 0, 4l * (end - begin));
    if (from) __builtin_memcpy(to + begin, from + begin, recurrent_bytes(begin, end, HIDDEN));
}

// One direction of one sequence. x, y: its first step, ldx and ldy floats between steps. state: h,
// the next h and c, of `units` floats each. BACK: steps run from the last to the first. Returns the
// last h.
INLINE const float *recurrent_run_f32(const int CELL, const int STEPS, const int INPUT,
                                      const int HIDDEN, const int NH, const int CHUNK,
                                      const int BACK, const long ldx, const long ldy, const int MR,
                                      const int NV, const recurrent_thread *t, const float *x,
                                      const float *w, const float *bias, const float *r,
                                      const float *back, float *y, float *gates, float *state) {
    const int width = NH * VL, blocks = (HIDDEN + width - 1) / width, units = blocks * width;
    const int columns = CELL * units, REST = STEPS % CHUNK;
    const int first = recurrent_share(t, blocks, t->part);
    const int last = recurrent_share(t, blocks, t->part + 1);
    const long kept = recurrent_bytes(first * width, last * width, HIDDEN);
    float *h = state, *next = state + units, *c = state + 2 * units;
    for (int begin = 0; begin < STEPS; begin += CHUNK) {
        const int count = STEPS - begin < CHUNK ? REST : CHUNK;
        const int low = BACK ? STEPS - begin - count : begin;
        if (count == CHUNK)
            recurrent_inputs_f32(CHUNK, columns, INPUT, ldx, MR, NV, t, x + low * ldx, w, bias,
                                 gates);
        else
            recurrent_inputs_f32(REST, columns, INPUT, ldx, MR, NV, t, x + low * ldx, w, bias,
                                 gates);
        recurrent_wait(t);
        for (int i = 0; i < count; i++) {
            const int step = BACK ? count - 1 - i : i;
            for (int b = first; b < last; b++) {
                const float *gate = gates + (long)step * columns + b * CELL * width;
                const float *weights = r + (long)b * HIDDEN * CELL * width;
                if (CELL == RECURRENT_LSTM)
                    recurrent_lstm_f32(NH, HIDDEN, gate, h, weights, c + b * width,
                                       next + b * width);
                else
                    recurrent_gru_f32(NH, HIDDEN, gate, h, weights, back + b * width, h + b * width,
                                      next + b * width);
            }
            float *const spare = h;
            h = next, next = spare;
            if (y)
                __builtin_memcpy(y + (low + step) * ldy + first * width, h + first * width, kept);
            recurrent_wait(t);
        }
    }
    return h;
}

INLINE void recurrent_f32(const int CELL, const int STEPS, const int BATCH, const int INPUT,
                          const int HIDDEN, const int DIRECTIONS, const int REVERSE,
                          const int BATCH_FIRST, const int NH, const int CHUNK, const int MR,
                          const int NV, const float *x, const float *w, const float *bias,
                          const float *r, const float *back, const float *h0, const float *c0,
                          float *y, float *y_h, float *y_c, float *scratch, const int part,
                          const int parts, void (*wait)(void *pool), void *pool) {
    const recurrent_thread thread = {part, parts, wait, pool}, *t = &thread;
    const int width = NH * VL, blocks = (HIDDEN + width - 1) / width, units = blocks * width;
    const int columns = CELL * units, row = DIRECTIONS * HIDDEN;
    const int begin = recurrent_share(t, blocks, part) * width;
    const int end = recurrent_share(t, blocks, part + 1) * width;
    const long kept = recurrent_bytes(begin, end, HIDDEN);
    const long ldx = BATCH_FIRST ? INPUT : (long)BATCH * INPUT;
    const long ldy = BATCH_FIRST ? row : (long)BATCH * row;
    float *const gates = scratch, *const state = scratch + (long)CHUNK * columns;
    float *const c = state + 2 * units;
    for (int d = 0; d < DIRECTIONS; d++)
        for (int n = 0; n < BATCH; n++) {
            const long at = (BATCH_FIRST ? n * DIRECTIONS + d : d * BATCH + n) * HIDDEN;
            const float *in = x + (long)n * INPUT * (BATCH_FIRST ? STEPS : 1), *h;
            float *out = y ? y + (BATCH_FIRST ? (long)n * STEPS * row + d * HIDDEN : at) : 0;
            recurrent_state_f32(HIDDEN, begin, end, state, h0 ? h0 + at : 0);
            recurrent_state_f32(HIDDEN, begin, end, c, c0 ? c0 + at : 0);
            const float *wd = w + (long)d * INPUT * columns, *bd = bias + d * columns;
            const float *rd = r + (long)d * HIDDEN * columns, *kd = back ? back + d * units : 0;
            if (d || REVERSE)
                h = recurrent_run_f32(CELL, STEPS, INPUT, HIDDEN, NH, CHUNK, 1, ldx, ldy, MR, NV, t,
                                      in, wd, bd, rd, kd, out, gates, state);
            else
                h = recurrent_run_f32(CELL, STEPS, INPUT, HIDDEN, NH, CHUNK, 0, ldx, ldy, MR, NV, t,
                                      in, wd, bd, rd, kd, out, gates, state);
            if (y_h) __builtin_memcpy(y_h + at + begin, h + begin, kept);
            if (y_c) __builtin_memcpy(y_c + at + begin, c + begin, kept);
        }
}
