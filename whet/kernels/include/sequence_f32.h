// An LSTM layer over time whose cell state has a largest magnitude, with constant weights in f32:
// the gates i o f c in the layout of recurrent_f32.h, x [batch][time][input], h0 and c0
// [batch][hidden], y [batch][time][hidden], and the states after the last step. CLIP: 0 for none.
//
// scratch: (CHUNK * columns + 3 * units) floats, as recurrent_f32.h counts. y_h and y_c may be h0
// and c0. Source: TensorFlow Lite UNIDIRECTIONAL_SEQUENCE_LSTM.
#pragma once
#include "recurrent_f32.h"

// The next h of VL units from their gates, NH vectors apart.
INLINE vf sequence_cell(const int NH, const float CLIP, const vf *gates, float *c) {
    const vf in = recurrent_below(gates[0]), out = recurrent_below(gates[NH]);
    const vf forget = recurrent_below(gates[2 * NH]), fresh = vexpm1_near(gates[3 * NH] * 2.f);
    vf cell = vdivide(vload(c), forget) + vdivide(fresh, in * (fresh + 2.f));
    if (CLIP > 0) cell = vmin(vset(CLIP), vmax(vset(-CLIP), cell));
    vstore(c, cell);
    const vf e = vexpm1_near(cell * 2.f);
    return vdivide(e, out * (e + 2.f));
}

// One step of all blocks: h and c from their gates, the next h to `next`.
INLINE void sequence_step(const int HIDDEN, const int NH, const float CLIP, const float *gates,
                          const float *r, const float *h, float *next, float *c) {
    const int V = RECURRENT_LSTM * NH, width = NH * VL, blocks = (HIDDEN + width - 1) / width;
    for (int b = 0; b < blocks; b++) {
        vf acc[RECURRENT_SUMS];
        UNROLL (j, V) acc[j] = vload(gates + (b * V + j) * VL);
        recurrent_sum_f32(V, HIDDEN, acc, h, r + (long)b * V * VL * HIDDEN);
        UNROLL (j, NH) {
            const int unit = b * width + j * VL;
            vstore(next + unit, sequence_cell(NH, CLIP, acc + j, c + unit));
        }
    }
}

INLINE void sequence_lstm_f32(const int BATCH, const int STEPS, const int INPUT, const int HIDDEN,
                              const int NH, const int CHUNK, const int MR, const int NV,
                              const float CLIP, const float *x, const recurrent_constants *k,
                              const float *h0, const float *c0, float *y, float *y_h, float *y_c,
                              float *scratch) {
    const int units = (HIDDEN + NH * VL - 1) / (NH * VL) * NH * VL, REST = STEPS % CHUNK;
    const int columns = RECURRENT_LSTM * units;
    const recurrent_thread alone = {0, 1, 0, 0};
    float *const gates = scratch, *const c = gates + (long)CHUNK * columns;
    for (int n = 0; n < BATCH; n++) {
        float *h = c + units, *next = h + units;
        recurrent_state_f32(HIDDEN, 0, units, h, h0 + n * HIDDEN);
        recurrent_state_f32(HIDDEN, 0, units, c, c0 + n * HIDDEN);
        for (int begin = 0; begin < STEPS; begin += CHUNK) {
            const int count = STEPS - begin < CHUNK ? REST : CHUNK;
            const long at = (long)n * STEPS + begin;
            if (count == CHUNK)
                recurrent_inputs(0, CHUNK, columns, INPUT, INPUT, MR, NV, &alone, x + at * INPUT, k,
                                 gates);
            else
                recurrent_inputs(0, REST, columns, INPUT, INPUT, MR, NV, &alone, x + at * INPUT, k,
                                 gates);
            for (int i = 0; i < count; i++) {
                sequence_step(HIDDEN, NH, CLIP, gates + (long)i * columns, (const float *)k->r, h,
                              next, c);
                float *const was = h;
                h = next;
                next = was;
                __builtin_memcpy(y + (at + i) * HIDDEN, h, 4l * HIDDEN);
            }
        }
        __builtin_memcpy(y_h + n * HIDDEN, h, 4l * HIDDEN);
        __builtin_memcpy(y_c + n * HIDDEN, c, 4l * HIDDEN);
    }
}
