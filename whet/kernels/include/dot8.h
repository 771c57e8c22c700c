// The 8-bit vocabulary of the machine this unit is compiled for: signed bytes, four to a lane.
//
//   vq                      VL quads (4 bytes) of activations, as dot4 multiplies them
//   vw                      VL quads of weights, as dot4 multiplies them
//   dot4(acc, a, w)         acc[l] + sum over i < 4 of a[l][i] * w[l][i], exact modulo 2^32
//   quad_set(p, n, ready)   the n <= 4 activations at p, then zeros, in every lane; ready: as
//                           ready_s8 wrote them
//   quad_ones()             1 in every place, in the stead of activations with DOT8_SHIFT
//   quads_set(p)            VL quads of activations at p, in the order of quad_load
//   quad_interleave(p, n)   lane l = p[0][l] p[1][l] p[2][l] p[3][l] for l < n <= VL;
//                           touches n bytes of each row
//   quad_interleave_wide(p, pixels, size, even, q)   4 * VL bytes of each of 4 rows as 4 vectors
//                           of quads: lane l of q[j] is byte wide_channel(j, l). The bytes of row i
//                           are `size` at each of p[i][0 .. pixels), then rubbish; it touches no
//                           others, but those between where the pixels are every second of one run
//                           (even). pixels is 1, or 2, 4 or 8 where pixels * size is 4 * VL
//   quads_join(a, b, n)     lanes n .. VL - 1 of a, then the first n of b; n is a multiple of 4
//   store_wide_s8(p, v, OUT, low, high)   4 vectors whose lanes are in that order, as store_s8 does
//                           (OUT = 1) or store_low_s8 (OUT = 2)
//   quad_load(w)            VL quads of packed weights
//   quad_load_ready(w)      the same of weights of DOT8_BYTES each
//   store_s8(p, v, NV, n, low, high)   NV vectors saturated to int8 and clamped, n lanes of the
//                           last, and no byte beyond
//   store_low_s8(p, v, NV, n, low, high)   the same of the low 16 bits of each lane, as a signed
//                           number; the high 16 bits are those of LINEAR_ZERO, plus or minus 1
//   store_tile_s8(p, ldp, v, MR, NV, n, OUT, low, high)   MR rows of NV vectors, `ldp` bytes
//                           apart, as store_s8 does (OUT = 1) or store_low_s8 (OUT = 2)
//   load_s8(p, n)           n bytes as a vi
//   mul_high(a, m)          floor(a * m / 2^32)
//   mul_rounded(a, m)       floor(a * m / 2^31 + 1/2) where that fits
//   pair_dot(a, b)          the sum of the products of the signed 16-bit halves of a lane
//   table_words(t, i)       t[i[l]]
//
//   ready_s8(n, a, to)      n activations as dot4 takes them, DOT8_BYTES each
//   ready_fill_s8(n, v, to) n times the activation v, the same
//
// DOT8_SHIFT: dot4 multiplies activation + DOT8_SHIFT. It is 128 where the instruction takes
// unsigned by signed bytes and 0 elsewhere; packing_s8.py takes the constant that it adds out of
// the bias, so nothing is paid at run time.
//
// DOT8_PAIRS: dot4 is a product of 16-bit pairs for each half of the quads. A vector of packed
// weights is then the first pair of every lane and after them the second, and a ready activation
// is 16 bits. A kernel that is short of registers goes by halves:
//   DOT8_PARTS, part_load, part_set, part_dot   quad_load, quad_set and dot4 of part 0 and part 1
//
// WHET_SCALAR selects the portable definitions, which every other form equals bit for bit.
#pragma once
#include "simd.h"
#include "tile.h"
typedef signed char s8;
enum { WIDE_PIXELS = 8 };

#if defined(WHET_SCALAR)
#include "dot8_scalar.h"
#elif defined(__AVX512BW__)
#include "dot8_avx512.h"
#elif defined(__AVX2__) && VL == 8
#include "dot8_avx2.h"
#elif defined(__aarch64__) && VL == 4
#include "dot8_neon.h"
#else
#include "dot8_scalar.h"
#endif

#if !defined(DOT8_PAIRS)
#define DOT8_PAIRS 0
typedef vq vq_part;
typedef vw vw_part;
INLINE vw_part part_load(const s8 *w, const int part) { return (void)part, quad_load(w); }
INLINE vq_part part_set(const s8 *p, const int n, const int ready, const int part) {
    return (void)part, quad_set(p, n, ready);
}
INLINE vi part_dot(vi acc, vq_part a, vw_part w) { return dot4(acc, a, w); }
INLINE vw quad_load_ready(const s8 *w) { return quad_load(w); }
#endif
#if defined(WHET_DOT8_SHIFT) && WHET_DOT8_SHIFT != DOT8_SHIFT \
    || defined(WHET_DOT8_PAIRS) && WHET_DOT8_PAIRS != DOT8_PAIRS
#error "weights are packed for another dot product: compile for the machine that the model is for"
#endif
enum { DOT8_PARTS = 1 + DOT8_PAIRS, DOT8_BYTES = 1 + DOT8_PAIRS };

INLINE void ready_s8(const long n, const s8 *restrict a, s8 *restrict to) {
#if DOT8_PAIRS
    for (long i = 0; i < n; i++) ((short *)to)[i] = a[i];
#else
    for (long i = 0; i < n; i++) to[i] = (s8)(a[i] ^ (DOT8_SHIFT ? -128 : 0));
#endif
}
INLINE vq quad_ones(void) {
#if DOT8_PAIRS
    static const short one[4] = {1, 1, 1, 1};
#else
    static const s8 one[4] = {1, 1, 1, 1};
#endif
    return quad_set((const s8 *)one, 4, 1);
}
INLINE void ready_fill_s8(const long n, const int v, s8 *to) {
#if DOT8_PAIRS
    for (long i = 0; i < n; i++) ((short *)to)[i] = (short)v;
#else
    for (long i = 0; i < n; i++) to[i] = (s8)(v ^ (DOT8_SHIFT ? -128 : 0));
#endif
}

#if !defined(DOT8_ROUNDED)
INLINE vi mul_rounded(vi a, vi m) {
    UNROLL(l, VL) a[l] = (int)(((long long)a[l] * m[l] + (1 << 30)) >> 31);
    return a;
}
#endif
#if !defined(DOT8_WORDS)
INLINE vi pair_dot(vi a, vi b) { return (a << 16 >> 16) * (b << 16 >> 16) + (a >> 16) * (b >> 16); }
INLINE vi table_words(const int *table, vi i) {
    UNROLL(l, VL) i[l] = table[i[l]];
    return i;
}
#endif

#if !defined(DOT8_STORE_LOW)
INLINE void store_low_s8(s8 *p, const vi *v, const int NV, const int n, const int low,
                         const int high) {
    vi code[TILE_ACCUMULATORS];
    UNROLL(j, NV) code[j] = v[j] - 0x4b400000;
    store_s8(p, code, NV, n, low, high);
}
#endif

INLINE void store_tile_s8(s8 *p, const long ldp, const vi *v, const int MR, const int NV,
                          const int n, const int OUT, const int low, const int high) {
    int done = 0; // vectors
#if defined(DOT8_STORE_FOUR)
    const int fours = n == VL ? MR * NV / 4 : 0, run = NV % 4 == 0 ? 4 : NV % 2 == 0 ? 2 : 1;
    UNROLL(f, fours) {
        s8 *at[4];
        UNROLL(i, 4) at[i] = p + (4 * f + i) / NV * ldp + (4 * f + i) % NV * VL;
        store_four_s8(at, run, v + 4 * f, OUT, low, high);
    }
    done = 4 * fours;
#endif
#if defined(DOT8_STORE_ROWS)
    if (NV == 1) {
        UNROLL(f, MR / 4) store_rows_s8(p + 4 * f * ldp, ldp, v + 4 * f, n, OUT, low, high);
        done = MR / 4 * 4;
    }
#endif
    UNROLL(i, MR) {
        const int from = done > i * NV ? done - i * NV : 0;
        if (from >= NV) continue;
        s8 *to = p + i * ldp + from * VL;
        if (OUT == 1)
            store_s8(to, v + i * NV + from, NV - from, n, low, high);
        else
            store_low_s8(to, v + i * NV + from, NV - from, n, low, high);
    }
}

INLINE int wide_channel(const int j, const int l) { return l / 4 * 16 + 4 * j + l % 4; }
#if !defined(DOT8_JOIN)
INLINE vq quads_join(vq a, vq b, const int n) {
    enum { PARTS = sizeof(vq) / (4 * VL) };
    vi from[2][PARTS], to[PARTS];
    __builtin_memcpy(from[0], &a, sizeof a);
    __builtin_memcpy(from[1], &b, sizeof b);
    UNROLL(i, PARTS) UNROLL(l, VL) to[i][l] =
        l + n < VL ? from[0][i][l + n] : from[1][i][l + n - VL];
    __builtin_memcpy(&a, to, sizeof a);
    return a;
}
#endif
#if !defined(DOT8_WIDE)
INLINE void quad_interleave_wide(const s8 *const (*p)[WIDE_PIXELS], const int pixels,
                                 const int size, const int even, vq *q) {
    (void)even;
    UNROLL(j, 4) {
        s8 part[4][VL];
        UNROLL(i, 4) UNROLL(l, VL) {
            const int at = wide_channel(j, l);
            part[i][l] = at < pixels * size ? p[i][at / size][at % size] : 0;
        }
        const s8 *rows[4] = {part[0], part[1], part[2], part[3]};
        q[j] = quad_interleave(rows, VL);
    }
}
INLINE void store_wide_s8(s8 *p, const vi *v, const int OUT, const int low, const int high) {
    vi y[4];
    UNROLL(j, 4) UNROLL(l, VL) y[wide_channel(j, l) / VL][wide_channel(j, l) % VL] = v[j][l];
    if (OUT == 1)
        store_s8(p, y, 4, VL, low, high);
    else
        store_low_s8(p, y, 4, VL, low, high);
}
#endif
