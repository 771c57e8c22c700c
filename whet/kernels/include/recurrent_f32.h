// LSTM and GRU layers whose state is floats, with constant weights and the usual activations:
// sigmoid for the gates, tanh for the rest. rnn.h has every other recurrent layer.
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
// PLACES: not 0 where r is bytes, so many for a weight, as recurrent_s8.h has them: 1 for int8
// codes, 3 for floats in digits. INPUT_CODES: x and w are codes, w packed as b of gemm_s8. Each has
// starts and a scale for every column of a direction; else those are null.
//
// h0, c0 [direction][batch][hidden] and y, y_h, y_c may be null; with BATCH_FIRST batch and step,
// and batch and direction, change places. scratch: RECURRENT_MEETING + CHUNK * columns + 3 * units
// floats, units = blocks * NH * VL, columns = gates * units, and with PLACES 6 * units * DOT8_BYTES
// bytes.
// gates * NH <= 16, with PLACES 10.
//
// All `parts` threads of a run enter together and share the scratch: each has a range of the
// blocks, and they meet once a step. The result does not depend on their number.
#pragma once
#include "gemm_f32.h"
#include "math_f32.h"
#include "recurrent_s8.h"
#include "share.h"

enum { RECURRENT_GRU = 3, RECURRENT_LSTM = 4 }; // cells, by their number of gates
enum { RECURRENT_SUMS = 16 };                   // vectors of a block's gates, at most

// The constants of a layer, or of one direction of it.
typedef struct {
    const void *w;
    const float *bias;
    const void *r;
    const float *back;
    const int *w_start;
    const float *w_scale;
    const int *r_start;
    const float *r_scale;
} recurrent_constants;

// The last h and the next one; with PLACES their digits, too.
typedef struct {
    float *h, *next, *c;
    s8 *digits, *next_digits;
} recurrent_state;

// One of the threads of a run: which, of how many, and how they wait for each other.
typedef struct {
    int part, parts;
    void (*wait)(void *pool);
    void *pool;
} recurrent_thread;

INLINE void recurrent_wait(const recurrent_thread *t) {
    if (t->parts > 1) t->wait(t->pool);
}
// Where this thread's share begins; that of the next one, with past = 1.
INLINE int recurrent_share(const recurrent_thread *t, const int units, const int past) {
    return (int)thread_share(units, t->part + past, t->parts);
}

// Two threads meet at a step without standing at a wait: each comes, computes what does not need
// the other, and then looks for it. `word` counts those that have come, above two bits of which
// bit `part` says that the thread gave up looking: then both wait. More threads wait at once.
// THREADS: the most there are; one needs no word. quads: of h, [begin, end) from this thread.
typedef struct {
    const recurrent_thread *t;
    int begin, end;
    int *word, goal, last;
} recurrent_meeting;
enum {
    RECURRENT_MEETING = 32, // floats of scratch for the word, whose line has nothing else
    RECURRENT_ONE = 4,
    RECURRENT_LOOKS = 1 << 14
};

INLINE void recurrent_come(const int THREADS, recurrent_meeting *m) {
    m->last = 1;
    if (THREADS < 2 || m->t->parts != 2) return recurrent_wait(m->t);
    m->goal += 2 * RECURRENT_ONE;
    const int before = __atomic_fetch_add(m->word, RECURRENT_ONE, __ATOMIC_ACQ_REL);
    m->last = before >= m->goal - RECURRENT_ONE;
    if (m->last && before & 2 >> m->t->part) recurrent_wait(m->t);
}
INLINE void recurrent_look(const int THREADS, recurrent_meeting *m) {
    if (THREADS < 2 || m->last) return;
    const int mine = 1 << m->t->part;
    m->last = 1;
    for (int i = 0; i < RECURRENT_LOOKS; i++)
        if (__atomic_load_n(m->word, __ATOMIC_ACQUIRE) >= m->goal) return;
    if (__atomic_fetch_or(m->word, mine, __ATOMIC_ACQ_REL) < m->goal) recurrent_wait(m->t);
    __atomic_fetch_and(m->word, ~mine, __ATOMIC_ACQ_REL);
}

// acc[j] += sum over k of h[k] * r[k][j]
INLINE void recurrent_sum_f32(const int VECTORS, const int HIDDEN, vf *acc, const float *h,
                              const float *r) {
    for (int k = 0; k < HIDDEN; k++, r += VECTORS * VL)
        UNROLL (j, VECTORS) acc[j] = vfma(vset(h[k]), vload(r + j * VL), acc[j]);
}

// acc[j] += the sums of the columns of a block. To a float sum the order matters, so it needs all
// of h from the beginning; a sum of integers begins with what this thread has made, if it must look
// for the other.
INLINE void recurrent_add(const int THREADS, const int PLACES, const int V, const int HIDDEN,
                          const int units, const int b, vf *acc, const recurrent_state *s,
                          const recurrent_constants *k, recurrent_meeting *m) {
    const int quads = (HIDDEN + 3) / 4;
    const long column = (long)b * V * VL;
    if (!PLACES) {
        recurrent_look(THREADS, m);
        return recurrent_sum_f32(V, HIDDEN, acc, s->h, (const float *)k->r + column * HIDDEN);
    }
    vi sum[RECURRENT_DIGITS * RECURRENT_SUMS];
    const s8 *r = (const s8 *)k->r + column * quads * 4 * PLACES;
    recurrent_start_s8(V, PLACES, sum, k->r_start + column * PLACES);
    if (THREADS < 2 || m->last) {
        recurrent_add_s8(V, PLACES, 0, quads, sum, s->digits, units, r);
    } else {
        recurrent_add_s8(V, PLACES, m->begin, m->end, sum, s->digits, units, r);
        recurrent_look(THREADS, m);
        recurrent_add_s8(V, PLACES, 0, m->begin, sum, s->digits, units, r);
        recurrent_add_s8(V, PLACES, m->end, quads, sum, s->digits, units, r);
    }
    recurrent_join_s8(V, acc, sum, k->r_scale + column);
}

// acc = the gates of block b and the product of h and its recurrent columns; of the last gate of a
// GRU, which reset multiplies, the product and its bias alone.
INLINE void recurrent_sum(const int CELL, const int THREADS, const int PLACES, const int NH,
                          const int HIDDEN, const int units, const int b, vf *acc,
                          const float *gates, const recurrent_state *s,
                          const recurrent_constants *k, recurrent_meeting *m) {
    const int V = CELL * NH, whole = CELL == RECURRENT_GRU ? V - NH : V;
    UNROLL (j, V)
        acc[j] = j < whole ? vload(gates + j * VL) : vload(k->back + (b * NH + j - whole) * VL);
    recurrent_add(THREADS, PLACES, V, HIDDEN, units, b, acc, s, k, m);
}

// The next h of VL units from their gates, NH vectors apart; of a GRU `given` is the share of the
// inputs in the last one.
//     sigmoid(x) = 1 / recurrent_below(x)     tanh(x) = e / (e + 2), e = e^2x - 1
// Quotients that are multiplied share a division.
INLINE vf recurrent_below(vf x) { return vexpm1_near(-x) + 2.f; }
INLINE vf recurrent_lstm(const int NH, const vf *gates, float *c) {
    const vf in = recurrent_below(gates[0]), out = recurrent_below(gates[NH]);
    const vf forget = recurrent_below(gates[2 * NH]), x = gates[3 * NH];
    const vf fresh = vexpm1_near(x + x);
    const vf cell = vdivide(vload(c), forget) + vdivide(fresh, in * (fresh + 2.f));
    vstore(c, cell);
    const vf e = vexpm1_near(cell + cell);
    return vdivide(e, out * (e + 2.f));
}
INLINE vf recurrent_gru(const int NH, const vf *gates, const float *given, const float *h) {
    const vf update = recurrent_below(gates[0]), reset = recurrent_below(gates[NH]);
    const vf x = vdivide(gates[2 * NH], reset) + vload(given), e = vexpm1_near(x + x);
    const vf fresh = vdivide(e, e + 2.f);
    return vdivide(vload(h) - fresh, update) + fresh;
}

// One step of the blocks [first, last) from the gates of all.
INLINE void recurrent_step(const int CELL, const int THREADS, const int PLACES, const int NH,
                           const int HIDDEN, const int units, const int first, const int last,
                           const float *gates, const recurrent_state *s,
                           const recurrent_constants *k, recurrent_meeting *m) {
    for (int b = first; b < last; b++) {
        const float *of = gates + b * CELL * NH * VL, *given = of + 2 * NH * VL;
        vf acc[RECURRENT_SUMS];
        recurrent_sum(CELL, THREADS, PLACES, NH, HIDDEN, units, b, acc, of, s, k, m);
        UNROLL (j, NH) {
            const int unit = (b * NH + j) * VL;
            const vf h = CELL == RECURRENT_LSTM
                             ? recurrent_lstm(NH, acc + j, s->c + unit)
                             : recurrent_gru(NH, acc + j, given + j * VL, s->h + unit);
            vstore(s->next + unit, h);
            if (PLACES) recurrent_digits(h, s->next_digits + unit * DOT8_BYTES, units);
        }
    }
    recurrent_look(THREADS, m); // a thread without blocks
}

// gates[M][columns] = x * w + bias, this thread's share of the columns.
INLINE void recurrent_inputs(const int CODES, const int M, const int COLUMNS, const int INPUT,
                             const long ldx, const int MR, const int NV, const recurrent_thread *t,
                             const void *x, const recurrent_constants *k, float *gates) {
    const int panels = (COLUMNS + NV * VL - 1) / (NV * VL), rows = (M + MR - 1) / MR * MR;
    const int begin = recurrent_share(t, panels, 0);
    const int end = recurrent_share(t, panels, 1);
    if (CODES)
        recurrent_inputs_s8(M, COLUMNS, INPUT, ldx, MR, NV, begin, end, (const s8 *)x,
                            (const s8 *)k->w, k->w_start, k->w_scale, k->bias, gates);
    else
        gemm_f32(4, M, COLUMNS, INPUT, (int)ldx, 0, COLUMNS, MR, NV, rows, begin, end,
                 (const float *)x, (const float *)k->w, k->bias, gates, 0, 0, 0, 0,
                 identity_f32);
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

// One direction of one sequence. x, y: its first step, ldx and ldy elements between steps. BACK:
// steps run from the last to the first. Returns the last h.
INLINE const float *recurrent_run_f32(const int CELL, const int THREADS, const int PLACES,
                                      const int INPUT_CODES, const int STEPS, const int INPUT,
                                      const int HIDDEN, const int NH, const int CHUNK,
                                      const int BACK, const long ldx, const long ldy, const int MR,
                                      const int NV, const void *x, float *y, float *gates,
                                      recurrent_state s, const recurrent_constants *k,
                                      recurrent_meeting *m) {
    const recurrent_thread *const t = m->t;
    const int width = NH * VL, blocks = (HIDDEN + width - 1) / width, units = blocks * width;
    const int columns = CELL * units, REST = STEPS % CHUNK;
    const int first = recurrent_share(t, blocks, 0);
    const int last = recurrent_share(t, blocks, 1);
    const long kept = recurrent_bytes(first * width, last * width, HIDDEN);
    for (int begin = 0; begin < STEPS; begin += CHUNK) {
        const int count = STEPS - begin < CHUNK ? REST : CHUNK;
        const int low = BACK ? STEPS - begin - count : begin;
        const char *in = (const char *)x + low * ldx * (INPUT_CODES ? 1 : 4);
        if (count == CHUNK)
            recurrent_inputs(INPUT_CODES, CHUNK, columns, INPUT, ldx, MR, NV, t, in, k, gates);
        else
            recurrent_inputs(INPUT_CODES, REST, columns, INPUT, ldx, MR, NV, t, in, k, gates);
        recurrent_wait(t);
        for (int i = 0; i < count; i++) {
            const int step = BACK ? count - 1 - i : i;
            recurrent_step(CELL, THREADS, PLACES, NH, HIDDEN, units, first, last,
                           gates + (long)step * columns, &s, k, m);
            if (i < count - 1) recurrent_come(THREADS, m);
            s = (recurrent_state){s.next, s.h, s.c, s.next_digits, s.digits};
            if (y)
                __builtin_memcpy(y + (low + step) * ldy + first * width, s.h + first * width, kept);
        }
        recurrent_wait(t);
    }
    return s.h;
}

// The constants of direction d; null pointers stay null.
INLINE recurrent_constants recurrent_direction(const int PLACES, const int INPUT_CODES,
                                               const int INPUT, const int HIDDEN,
                                               const int columns, const int units, const int d,
                                               const recurrent_constants *all) {
    const long w = (long)d * columns * (INPUT_CODES ? (INPUT + 3) / 4 * 4 : INPUT * 4);
    const long r = (long)d * columns * (PLACES ? (HIDDEN + 3) / 4 * 4 * PLACES : HIDDEN * 4);
    const long column = (long)d * columns;
    return (recurrent_constants){
        (const char *)all->w + w,
        all->bias + column,
        (const char *)all->r + r,
        all->back ? all->back + d * units : 0,
        all->w_start ? all->w_start + column : 0,
        all->w_scale ? all->w_scale + column : 0,
        all->r_start ? all->r_start + column * PLACES : 0,
        all->r_scale ? all->r_scale + column : 0,
    };
}

INLINE void recurrent_f32(const int CELL, const int THREADS, const int PLACES,
                          const int INPUT_CODES, const int STEPS, const int BATCH, const int INPUT,
                          const int HIDDEN, const int DIRECTIONS, const int REVERSE,
                          const int BATCH_FIRST, const int NH, const int CHUNK, const int MR,
                          const int NV, const void *x, const recurrent_constants *all,
                          const float *h0, const float *c0, float *y, float *y_h, float *y_c,
                          void *scratch, const recurrent_thread *t) {
    const int width = NH * VL, blocks = (HIDDEN + width - 1) / width, units = blocks * width;
    const int columns = CELL * units, row = DIRECTIONS * HIDDEN, bytes = INPUT_CODES ? 1 : 4;
    const int begin = recurrent_share(t, blocks, 0) * width;
    const int end = recurrent_share(t, blocks, 1) * width;
    const long kept = recurrent_bytes(begin, end, HIDDEN);
    const long ldx = BATCH_FIRST ? INPUT : (long)BATCH * INPUT;
    const long ldy = BATCH_FIRST ? row : (long)BATCH * row;
    float *const gates = (float *)scratch + RECURRENT_MEETING;
    float *const state = gates + (long)CHUNK * columns;
    s8 *const digits = (s8 *)(state + 3 * units);
    const recurrent_state s = {state, state + units, state + 2 * units, digits,
                               digits + RECURRENT_DIGITS * units * DOT8_BYTES};
    const int quads = (HIDDEN + 3) / 4;
    recurrent_meeting m = {
        t, begin / 4 < quads ? begin / 4 : quads, end / 4 < quads ? end / 4 : quads, scratch, 0, 1};
    if (t->part == 0) *m.word = 0;
    for (int d = 0; d < DIRECTIONS; d++)
        for (int n = 0; n < BATCH; n++) {
            const long at = (BATCH_FIRST ? n * DIRECTIONS + d : d * BATCH + n) * HIDDEN;
            const char *in = (const char *)x + (long)n * INPUT * bytes * (BATCH_FIRST ? STEPS : 1);
            const float *h;
            float *out = y ? y + (BATCH_FIRST ? (long)n * STEPS * row + d * HIDDEN : at) : 0;
            recurrent_state_f32(HIDDEN, begin, end, s.h, h0 ? h0 + at : 0);
            recurrent_state_f32(HIDDEN, begin, end, s.c, c0 ? c0 + at : 0);
            for (int unit = begin; PLACES && unit < end; unit += VL)
                recurrent_digits(vload(s.h + unit), s.digits + unit * DOT8_BYTES, units);
            const recurrent_constants k = recurrent_direction(PLACES, INPUT_CODES, INPUT, HIDDEN,
                                                              columns, units, d, all);
            if (d || REVERSE)
                h = recurrent_run_f32(CELL, THREADS, PLACES, INPUT_CODES, STEPS, INPUT, HIDDEN, NH,
                                      CHUNK, 1, ldx, ldy, MR, NV, in, out, gates, s, &k, &m);
            else
                h = recurrent_run_f32(CELL, THREADS, PLACES, INPUT_CODES, STEPS, INPUT, HIDDEN, NH,
                                      CHUNK, 0, ldx, ldy, MR, NV, in, out, gates, s, &k, &m);
            if (y_h) __builtin_memcpy(y_h + at + begin, h + begin, kept);
            if (y_c) __builtin_memcpy(y_c + at + begin, s.c + begin, kept);
        }
}
