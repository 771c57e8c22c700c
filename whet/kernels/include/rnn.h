/* Recurrent layers: simple RNN, GRU and LSTM, in one or two directions.
 *
 *   rnn_T (x, w, r, b, lengths, h0, y, y_h, scratch, shape)
 *   gru_T (x, w, r, b, lengths, h0, y, y_h, scratch, shape)
 *   lstm_T(x, w, r, b, lengths, h0, c0, p, y, y_h, y_c, scratch, shape)
 *
 * w[directions][gates * hidden][input], r[directions][gates * hidden][hidden] and
 * b[directions][2 * gates * hidden] (input biases, then recurrent ones) with the gates in ONNX's
 * order: h; z r h; i o f c. p[directions][3 * hidden] holds the peepholes i o f. b, lengths (i32, a
 * sequence's steps), h0, c0 and p may be null, and so may y, y_h, y_c. Steps past a sequence's
 * length give zeros in y. scratch is wide_T[7 * hidden].
 * Layout: x[steps][batch][input], y[steps][directions][batch][hidden] and
 * state [directions][batch][hidden]; with batch_first x[batch][steps][input],
 * y[batch][steps][directions][hidden] and state [batch][directions][hidden].
 * Sources: ONNX RNN-22, GRU-22, LSTM-22.
 */
#ifndef WHET_RNN_H
#define WHET_RNN_H
#include "math.h"
#include "quick_f32.h"

enum {
    RNN_RELU, RNN_TANH, RNN_SIGMOID, RNN_AFFINE, RNN_LEAKY_RELU, RNN_THRESHOLDED_RELU,
    RNN_SCALED_TANH, RNN_HARD_SIGMOID, RNN_ELU, RNN_SOFTSIGN, RNN_SOFTPLUS
};
enum { RNN_SIMPLE = 1, RNN_GRU = 3, RNN_LSTM = 4 }; /* cells, by their number of gates */

typedef struct {
    int kind;
    double alpha, beta;
} rnn_activation;

typedef struct {
    long steps, batch, input, hidden;
    int directions, reverse; /* reverse: a single direction that runs backwards */
    int batch_first, linear_before_reset, input_forget;
    double clip; /* bound on what enters f and g; 0 for none */
    rnn_activation activations[2][3]; /* f, g, h of each direction */
} rnn_shape;

WHET_INLINE double rnn_activate_f64(const rnn_activation *f, double x)
{
    switch (f->kind) {
    case RNN_RELU:
        return x > 0 ? x : 0;
    case RNN_TANH:
        return math_tanh_f64(x);
    case RNN_SIGMOID:
        return 1 / (1 + math_exp_f64(-x));
    case RNN_AFFINE:
        return f->alpha * x + f->beta;
    case RNN_LEAKY_RELU:
        return x >= 0 ? x : f->alpha * x;
    case RNN_THRESHOLDED_RELU:
        return x > f->alpha ? x : 0;
    case RNN_SCALED_TANH:
        return f->alpha * math_tanh_f64(f->beta * x);
    case RNN_HARD_SIGMOID: {
        const double y = f->alpha * x + f->beta;
        return y < 0 ? 0 : y > 1 ? 1 : y;
    }
    case RNN_ELU:
        return x >= 0 ? x : f->alpha * math_expm1_f64(x);
    case RNN_SOFTSIGN:
        return x / (1 + math_abs_f64(x));
    default:
        return (x > 0 ? x : 0) + math_log1p_f64(math_exp_f64(-math_abs_f64(x)));
    }
}

/* The two usual ones in float arithmetic, which vectorises. */
WHET_INLINE float rnn_activate_f32(const rnn_activation *f, float x)
{
    if (f->kind == RNN_SIGMOID)
        return quick_sigmoid_f32(x);
    if (f->kind == RNN_TANH)
        return quick_tanh_f32(x);
    return (float)rnn_activate_f64(f, (double)x);
}

/* Activation f or g (which = 0, 1) of a direction, after clipping. */
#define RNN_GATE(K, C) \
    WHET_INLINE C rnn_gate_##K(const rnn_shape *s, const int direction, const int which, C x) \
    { \
        if (s->clip > 0) { \
            x = x > (C)s->clip ? (C)s->clip : x; \
            x = x < -(C)s->clip ? -(C)s->clip : x; \
        } \
        return rnn_activate_##K(&s->activations[direction][which], x); \
    }
RNN_GATE(f32, float)
RNN_GATE(f64, double)

WHET_INLINE long rnn_x_at(const rnn_shape *s, const long t, const long b)
{
    return (s->batch_first ? b * s->steps + t : t * s->batch + b) * s->input;
}

WHET_INLINE long rnn_y_at(const rnn_shape *s, const long t, const long d, const long b)
{
    const long row = s->batch_first ? (b * s->steps + t) * s->directions + d
                                    : (t * s->directions + d) * s->batch + b;
    return row * s->hidden;
}

WHET_INLINE long rnn_state_at(const rnn_shape *s, const long d, const long b)
{
    return (s->batch_first ? b * s->directions + d : d * s->batch + b) * s->hidden;
}

#define RNN_DOT(NAME, T, V, READ) \
    WHET_INLINE wide_##T NAME##_##T(const T *w, const V *x, const long n) \
    { \
        wide_##T sum[16] = {0}; \
        long i = 0; \
        for (; i + 16 <= n; i += 16) \
            for (int l = 0; l < 16; l++) \
                sum[l] += widen_##T(w[i + l]) * READ(x[i + l]); \
        for (; i < n; i++) \
            sum[0] += widen_##T(w[i]) * READ(x[i]); \
        for (int half = 8; half; half /= 2) \
            for (int l = 0; l < half; l++) \
                sum[l] += sum[l + half]; \
        return sum[0]; \
    }

/* One step of one sequence, given its cell's parameters of one direction. state is h, c and a spare
 * vector; gates, after them, receives the sums. */
#define RNN_CELLS(T, K) \
    RNN_DOT(rnn_dot, T, T, widen_##T) \
    RNN_DOT(rnn_dot_state, T, wide_##T, ) \
    WHET_INLINE wide_##T rnn_bias_##T(const T *b, const long i, const long rows) \
    { \
        return b ? widen_##T(b[i]) + widen_##T(b[rows + i]) : 0; \
    } \
    WHET_INLINE void rnn_simple_step_##T(const T *x, const T *w, const T *r, const T *b, \
                                         wide_##T *state, const rnn_shape *s, const int d) \
    { \
        const long n = s->hidden; \
        wide_##T *h = state, *next = state + 3 * n; \
        for (long i = 0; i < n; i++) { \
            next[i] = rnn_dot_##T(w + i * s->input, x, s->input) + \
                      rnn_dot_state_##T(r + i * n, h, n) + rnn_bias_##T(b, i, n); \
        } \
        for (long i = 0; i < n; i++) \
            h[i] = rnn_gate_##K(s, d, 0, next[i]); \
    } \
    WHET_INLINE void rnn_gru_step_##T(const T *x, const T *w, const T *r, const T *b, \
                                      wide_##T *state, const rnn_shape *s, const int d) \
    { \
        const long n = s->hidden; \
        wide_##T *h = state, *reset_h = state + 2 * n, *gates = state + 3 * n; \
        for (long i = 0; i < 2 * n; i++) { \
            gates[i] = rnn_dot_##T(w + i * s->input, x, s->input) + \
                       rnn_dot_state_##T(r + i * n, h, n) + rnn_bias_##T(b, i, 3 * n); \
        } \
        for (long i = 0; i < 2 * n; i++) \
            gates[i] = rnn_gate_##K(s, d, 0, gates[i]); \
        for (long i = 0; i < n; i++) \
            reset_h[i] = gates[n + i] * h[i]; \
        for (long i = 2 * n; i < 3 * n; i++) { \
            const wide_##T in = rnn_dot_##T(w + i * s->input, x, s->input); \
            wide_##T sum; \
            if (s->linear_before_reset) { \
                const wide_##T back = rnn_dot_state_##T(r + i * n, h, n) + \
                                      (b ? widen_##T(b[3 * n + i]) : 0); \
                sum = in + (b ? widen_##T(b[i]) : 0) + gates[i - n] * back; \
            } else { \
                sum = in + rnn_dot_state_##T(r + i * n, reset_h, n) + rnn_bias_##T(b, i, 3 * n); \
            } \
            gates[i] = sum; \
        } \
        for (long i = 2 * n; i < 3 * n; i++) \
            gates[i] = rnn_gate_##K(s, d, 1, gates[i]); \
        for (long i = 0; i < n; i++) \
            h[i] = (1 - gates[i]) * gates[2 * n + i] + gates[i] * h[i]; \
    } \
    WHET_INLINE void rnn_lstm_step_##T(const T *x, const T *w, const T *r, const T *b, \
                                       const T *p, wide_##T *state, const rnn_shape *s, \
                                       const int d) \
    { \
        const long n = s->hidden; \
        wide_##T *h = state, *c = state + n, *gates = state + 3 * n; \
        for (long i = 0; i < 4 * n; i++) \
            gates[i] = rnn_dot_##T(w + i * s->input, x, s->input) + \
                       rnn_dot_state_##T(r + i * n, h, n) + rnn_bias_##T(b, i, 4 * n); \
        for (long i = 0; i < n; i++) { \
            const wide_##T see_i = p ? widen_##T(p[i]) * c[i] : 0; \
            const wide_##T see_f = p ? widen_##T(p[2 * n + i]) * c[i] : 0; \
            const wide_##T input = rnn_gate_##K(s, d, 0, gates[i] + see_i); \
            const wide_##T forget = s->input_forget \
                                        ? 1 - input \
                                        : rnn_gate_##K(s, d, 0, gates[2 * n + i] + see_f); \
            c[i] = forget * c[i] + input * rnn_gate_##K(s, d, 1, gates[3 * n + i]); \
            const wide_##T see_o = p ? widen_##T(p[n + i]) * c[i] : 0; \
            const wide_##T output = rnn_gate_##K(s, d, 0, gates[n + i] + see_o); \
            h[i] = output * rnn_activate_##K(&s->activations[d][2], c[i]); \
        } \
    }

#define RNN_RUN(T) \
    WHET_INLINE void rnn_sequence_##T(const int cell, const T *x, const T *w, const T *r, \
                                      const T *b, const T *p, T *y, wide_##T *state, \
                                      const rnn_shape *s, const int d, const long batch, \
                                      const long steps) \
    { \
        const long n = s->hidden; \
        w += d * cell * n * s->input; \
        r += d * cell * n * n; \
        b = b ? b + d * 2 * cell * n : 0; \
        p = p ? p + d * 3 * n : 0; \
        for (long step = 0; step < s->steps; step++) { \
            const long t = step < steps && (d || s->reverse) ? steps - 1 - step : step; \
            const T *row = x + rnn_x_at(s, t, batch); \
            if (step < steps && cell == RNN_SIMPLE) \
                rnn_simple_step_##T(row, w, r, b, state, s, d); \
            else if (step < steps && cell == RNN_GRU) \
                rnn_gru_step_##T(row, w, r, b, state, s, d); \
            else if (step < steps) \
                rnn_lstm_step_##T(row, w, r, b, p, state, s, d); \
            for (long i = 0; y && i < n; i++) \
                y[rnn_y_at(s, t, d, batch) + i] = narrow_##T(step < steps ? state[i] : 0); \
        } \
    } \
    WHET_INLINE void rnn_run_##T(const int cell, const T *x, const T *w, const T *r, const T *b, \
                                 const i32 *lengths, const T *h0, const T *c0, const T *p, T *y, \
                                 T *y_h, T *y_c, wide_##T *scratch, const rnn_shape *s) \
    { \
        const long n = s->hidden; \
        for (int d = 0; d < s->directions; d++) \
            for (long batch = 0; batch < s->batch; batch++) { \
                const long at = rnn_state_at(s, d, batch); \
                long steps = lengths ? (long)lengths[batch] : s->steps; \
                steps = steps < 0 ? 0 : steps < s->steps ? steps : s->steps; \
                for (long i = 0; i < n; i++) { \
                    scratch[i] = h0 ? widen_##T(h0[at + i]) : 0; \
                    scratch[n + i] = c0 ? widen_##T(c0[at + i]) : 0; \
                } \
                rnn_sequence_##T(cell, x, w, r, b, p, y, scratch, s, d, batch, steps); \
                for (long i = 0; y_h && i < n; i++) \
                    y_h[at + i] = narrow_##T(scratch[i]); \
                for (long i = 0; y_c && i < n; i++) \
                    y_c[at + i] = narrow_##T(scratch[n + i]); \
            } \
    }

#define RNN_FAMILY(T, K) \
    RNN_CELLS(T, K) \
    RNN_RUN(T) \
    WHET_INLINE void rnn_##T(const T *x, const T *w, const T *r, const T *b, \
                             const i32 *lengths, const T *h0, T *y, T *y_h, wide_##T *scratch, \
                             const rnn_shape *s) \
    { \
        rnn_run_##T(RNN_SIMPLE, x, w, r, b, lengths, h0, 0, 0, y, y_h, 0, scratch, s); \
    } \
    WHET_INLINE void gru_##T(const T *x, const T *w, const T *r, const T *b, \
                             const i32 *lengths, const T *h0, T *y, T *y_h, wide_##T *scratch, \
                             const rnn_shape *s) \
    { \
        rnn_run_##T(RNN_GRU, x, w, r, b, lengths, h0, 0, 0, y, y_h, 0, scratch, s); \
    } \
    WHET_INLINE void lstm_##T(const T *x, const T *w, const T *r, const T *b, \
                              const i32 *lengths, const T *h0, const T *c0, const T *p, T *y, \
                              T *y_h, T *y_c, wide_##T *scratch, const rnn_shape *s) \
    { \
        rnn_run_##T(RNN_LSTM, x, w, r, b, lengths, h0, c0, p, y, y_h, y_c, scratch, s); \
    }
RNN_FAMILY(f32, f32)
RNN_FAMILY(f64, f64)
RNN_FAMILY(f16, f32)
RNN_FAMILY(bf16, f32)

#endif
