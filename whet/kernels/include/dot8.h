// The 8-bit vocabulary of the machine this unit is compiled for: products of signed bytes, four to a 32-bit lane.
//
//   vq   VL quads (4 bytes) of activations, vw   VL quads of weights, each in the form that dot4 multiplies
//   dot4(acc, a, w)               acc[l] + sum over i < 4 of a[l][i] * w[l][i], exact modulo 2^32
//   quad_set(p)                   the 4 activations at p in every lane;  quad_set_n(p, n): the first n, then zeros
//   quad_set_shifted(p)           the same for bytes that shift_s8 has shifted already
//   quad_interleave(p, n)         lane l = p[0][l] p[1][l] p[2][l] p[3][l] for l < n <= VL; touches n bytes of each row
//   quad_load(w)                  VL quads of packed weights
//   store_s8(p, v, NV, n, low, high)   NV vectors, saturated to int8 and clamped, n lanes of the last; no byte beyond
//   load_s8(p, n)                 n bytes as a vi;  mul_high(a, m): floor(a * m / 2^32)
//
// DOT8_SHIFT: dot4 multiplies activation + DOT8_SHIFT. It is 128 where the instruction takes unsigned x signed bytes
// and 0 elsewhere; packing_s8.py subtracts the constant it adds from the bias, so nothing is paid at run time.
// WHET_SCALAR selects the portable definitions, which every other form equals bit for bit.
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
