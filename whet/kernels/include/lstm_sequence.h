/* A long short-term memory layer over time, in f32 or in integers.
 *
 * x [batch][time][in], hidden and cell [batch][state]; for the gates input, forget, cell, output
 * w0..w3 [state][in], r0..r3 [state][state], b0..b3 [state]. y [batch][time][state], and the states
 * after the last step. Source: TensorFlow Lite UNIDIRECTIONAL_SEQUENCE_LSTM.
 */
#ifndef WHET_LSTM_SEQUENCE_H
#define WHET_LSTM_SEQUENCE_H
#include "integer_lstm.h"
#include "math.h"

WHET_INLINE f32 lstm_sigmoid(const f32 x) { return 0.5f * math_tanh_f32(0.5f * x) + 0.5f; }

WHET_INLINE f32 lstm_dot(const int n, const f32 *a, const f32 *b)
{
    f32 part[8] = {0}, sum = 0;
    int i = 0;
    for (; i + 8 <= n; i += 8)
        for (int k = 0; k < 8; k++)
            part[k] += a[i + k] * b[i + k];
    for (; i < n; i++)
        sum += a[i] * b[i];
    for (int k = 0; k < 8; k++)
        sum += part[k];
    return sum;
}

WHET_INLINE void lstm_sequence_f32(const int batch, const int time, const int in,
                                   const int state, const double clip, const f32 *x,
                                   const f32 *hidden, const f32 *cell, const f32 *w0,
                                   const f32 *w1, const f32 *w2, const f32 *w3, const f32 *r0,
                                   const f32 *r1, const f32 *r2, const f32 *r3, const f32 *b0,
                                   const f32 *b1, const f32 *b2, const f32 *b3, f32 *y,
                                   f32 *next_hidden, f32 *next_cell)
{
    const f32 *const w[4] = {w0, w1, w2, w3}, *const r[4] = {r0, r1, r2, r3};
    const f32 *const b[4] = {b0, b1, b2, b3};
    for (int n = 0; n < batch; n++) {
        const f32 *before = hidden + (long)n * state;
        f32 *kept = next_cell + (long)n * state;
        __builtin_memmove(kept, cell + (long)n * state, (unsigned long)state * sizeof(f32));
        for (int t = 0; t < time; t++) {
            const f32 *now = x + ((long)n * time + t) * in;
            f32 *out = y + ((long)n * time + t) * state;
            for (int u = 0; u < state; u++) {
                f32 gate[4];
                for (int g = 0; g < 4; g++)
                    gate[g] = lstm_dot(in, now, w[g] + (long)u * in)
                              + lstm_dot(state, before, r[g] + (long)u * state) + b[g][u];
                f32 value = lstm_sigmoid(gate[1]) * kept[u]
                            + lstm_sigmoid(gate[0]) * math_tanh_f32(gate[2]);
                const f32 most = (f32)clip;
                if (clip > 0)
                    value = value < -most ? -most : value > most ? most : value;
                kept[u] = value;
                out[u] = lstm_sigmoid(gate[3]) * math_tanh_f32(value);
            }
            before = out;
        }
        __builtin_memmove(next_hidden + (long)n * state, before,
                          (unsigned long)state * sizeof(f32));
    }
}

/* The same on codes; type is INTEGER_I8 or INTEGER_I16, that of x, hidden and y. */
WHET_INLINE void lstm_sequence_integer(const int batch, const int time, const int in,
                                       const int state, const int type,
                                       const integer_lstm_constants *c, const u16 *table,
                                       const int rounding, const void *x, const void *hidden,
                                       const i16 *cell, const i8 *w0, const i8 *w1,
                                       const i8 *w2, const i8 *w3, const i8 *r0, const i8 *r1,
                                       const i8 *r2, const i8 *r3, const void *b0,
                                       const void *b1, const void *b2, const void *b3, void *y,
                                       void *next_hidden, i16 *next_cell)
{
    const i8 *const w[4] = {w0, w1, w2, w3}, *const r[4] = {r0, r1, r2, r3};
    const void *const b[4] = {b0, b1, b2, b3};
    const long size = type == INTEGER_I8 ? 1 : 2;
    for (int n = 0; n < batch; n++) {
        const u8 *before = (const u8 *)hidden + size * n * state;
        i16 *kept = next_cell + (long)n * state;
        __builtin_memmove(kept, cell + (long)n * state, (unsigned long)state * sizeof(i16));
        for (int t = 0; t < time; t++) {
            const long at = (long)n * time + t;
            u8 *out = (u8 *)y + size * at * state;
            integer_lstm_step(in, state, type, *c, (const u8 *)x + size * at * in, before, w, r, b,
                              table, rounding, kept, out);
            before = out;
        }
        __builtin_memmove((u8 *)next_hidden + size * n * state, before,
                          (unsigned long)(size * state));
    }
}
#endif
