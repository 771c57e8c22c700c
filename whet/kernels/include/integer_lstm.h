/* One step of a quantised LSTM, portable scalar C: the bits of whet/ops/integer/lstm.py.
 *
 * Four gates in the order input, forget, cell, output. type is INTEGER_I8 or INTEGER_I16, that of
 * x and hidden; weights are i8, biases i32 (i64 with INTEGER_I16), cell and gates i16.
 */
#ifndef WHET_INTEGER_LSTM_H
#define WHET_INTEGER_LSTM_H
#include "integer_contraction.h"
#include "integer_sigmoid.h"

/* Compile-time constants; multipliers as (m, t), gates in order. */
typedef struct {
    i32 x_zero, hidden_zero;
    i32 input_m[4], input_t[4], recurrent_m[4], recurrent_t[4];
    i32 forget_m, forget_t, update_m, update_t, hidden_m, hidden_t;
    i32 cell_m, cell_shift, cell_clip;
} integer_lstm_constants;

WHET_INLINE i16 integer_saturate16(const i32 x) { return (i16)integer_clamp(x, -32768, 32767); }

WHET_INLINE i16 integer_lstm_product(const i16 a, const i16 b, const i32 m, const int t,
                                     const int rounding)
{
    return (i16)integer_clamp(integer_multiply((i32)a * b, m, t, rounding), -32768, 32767);
}

/* Gate g of one unit: sat16(fc(x) + fc(hidden)) through its non-linearity. */
WHET_INLINE i16 integer_lstm_gate(const int g, const int unit, const int in, const int state,
                                  const int type, const integer_lstm_constants c, const void *x,
                                  const void *hidden, const i8 *w, const i8 *recurrent,
                                  const void *bias, const u16 *table, const int rounding)
{
    const i64 from_x = integer_dot(0, in, x, 0, type, c.x_zero, w, (long)unit * in, INTEGER_I8, 0);
    const i64 from_hidden = integer_dot(0, state, hidden, 0, type, c.hidden_zero, recurrent,
                                        (long)unit * state, INTEGER_I8, 0);
    const i32 a = integer_finish(from_x, unit, bias, c.input_m + g, c.input_t + g, 0, 0, -32768,
                                 32767, type, rounding);
    const i32 b = integer_finish(from_hidden, unit, 0, c.recurrent_m + g, c.recurrent_t + g, 0, 0,
                                 -32768, 32767, type, rounding);
    const i16 sum = integer_saturate16(a + b);
    return g == 2 ? integer_tanh16_of(sum, 3, 0, table) : integer_logistic16_of(sum, 3, 0, table);
}

/* x [in], hidden [state], cell [state] -> next_hidden [state], and cell in place. next_hidden must
 * not overlap hidden, which every unit reads. */
WHET_INLINE void integer_lstm_step(const int in, const int state, const int type,
                                   const integer_lstm_constants c, const void *x,
                                   const void *hidden, const i8 *const w[4],
                                   const i8 *const recurrent[4], const void *const bias[4],
                                   const u16 *table, const int rounding, i16 *cell,
                                   void *next_hidden)
{
    const i32 low = type == INTEGER_I8 ? INT8_MIN : INT16_MIN;
    const i32 high = type == INTEGER_I8 ? INT8_MAX : INT16_MAX;
    for (int u = 0; u < state; u++) {
        i16 gate[4];
        for (int g = 0; g < 4; g++)
            gate[g] = integer_lstm_gate(g, u, in, state, type, c, x, hidden, w[g], recurrent[g],
                                        bias[g], table, rounding);
        const i16 kept = integer_lstm_product(gate[1], cell[u], c.forget_m, c.forget_t, rounding);
        const i16 update =
            integer_lstm_product(gate[0], gate[2], c.update_m, c.update_t, rounding);
        i16 value = integer_saturate16((i32)kept + update);
        if (c.cell_clip > 0)
            value = (i16)integer_clamp(value, -c.cell_clip, c.cell_clip);
        cell[u] = value;
        const i16 squashed = integer_tanh16_of(value, c.cell_m, c.cell_shift, table);
        const i64 y = integer_multiply((i32)squashed * gate[3], c.hidden_m, c.hidden_t, rounding);
        integer_store(next_hidden, u, integer_clamp(y + c.hidden_zero, low, high), type);
    }
}
#endif
