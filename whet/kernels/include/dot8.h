// The 8-bit vocabulary of the machine this unit is compiled for: signed bytes, four to a lane.
//
//   vq                      VL quads (4 bytes) of activations, as dot4 multiplies them
//   vw                      VL quads of weights, as dot4 multiplies them
//   dot4(acc, a, w)         acc[l] + sum over i < 4 of a[l][i] * w[l][i], exact modulo 2^32
//   quad_set(p, n, shifted) the n <= 4 activations at p, then zeros, in every lane;
//                           shifted: DOT8_SHIFT is in them already
//   quads_set(p)            VL quads of activations at p
//   quad_interleave(p, n)   lane l = p[0][l] p[1][l] p[2][l] p[3][l] for l < n <= VL;
//                           touches n bytes of each row
//   quad_load(w)            VL quads of packed weights
//   store_s8(p, v, NV, n, low, high)   NV vectors saturated to int8 and clamped, n lanes of the
//                           last, and no byte beyond
//   store_low_s8(p, v, NV, n, low, high)   the same of the low 16 bits of each lane, as a signed
//                           number; the high 16 bits are those of LINEAR_ZERO, plus or minus 1
//   load_s8(p, n)           n bytes as a vi
//   mul_high(a, m)          floor(a * m / 2^32)
//
// DOT8_SHIFT: dot4 multiplies activation + DOT8_SHIFT. It is 128 where the instruction takes
// unsigned by signed bytes and 0 elsewhere; packing_s8.py takes the constant that it adds out of
// the bias, so nothing is paid at run time. WHET_SCALAR selects the portable definitions, which
// every other form equals bit for bit.
#pragma once
#include "simd.h"
typedef signed char s8;

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

#if !defined(DOT8_STORE_LOW)
INLINE void store_low_s8(s8 *p, const vi *v, const int NV, const int n, const int low,
                         const int high) {
    vi code[32];
    UNROLL(j, NV) code[j] = v[j] - 0x4b400000;
    store_s8(p, code, NV, n, low, high);
}
#endif
