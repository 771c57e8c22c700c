// The vector vocabulary of the machine this unit is compiled for, chosen by the compiler's own
// macros. Kernels name no instruction set: they are written over VL, vf, vi and the functions of
// simd_types.h.
#pragma once
#if defined(__AVX512F__)
#include "simd_avx512.h"
#elif defined(__AVX2__) && defined(__FMA__)
#include "simd_avx2.h"
#elif defined(__ARM_NEON)
#include "simd_neon.h"
#elif defined(__wasm_simd128__)
#include "simd_wasm.h"
#else
#include "simd_scalar.h"
#endif
#if defined(WHET_LANES) && VL != WHET_LANES
#error "weights are packed for other vectors: compile for the machine that the model is for"
#endif
