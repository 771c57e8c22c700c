// x86-64 with AVX2 and FMA (x86-64-v3): 16 registers of 8 floats.
#pragma once
#include <immintrin.h>
#define VL 8
#define VREGS 16
#include "simd_types.h"

INLINE vf vmax(vf a, vf b) { return (vf)_mm256_max_ps((__m256)a, (__m256)b); }
INLINE vf vmin(vf a, vf b) { return (vf)_mm256_min_ps((__m256)a, (__m256)b); }
INLINE vf vfma_low(vf a, vf b, vf c) { return vfma(a, b, c); }
INLINE __m256i first_lanes(const int n) { return (__m256i)((vi){0, 1, 2, 3, 4, 5, 6, 7} < n); }
INLINE vf vload_n(const float *p, const int n) {
    return n >= VL ? vload(p) : (vf)_mm256_maskload_ps(p, first_lanes(n));
}
INLINE void vstore_n(float *p, vf v, const int n) {
    if (n >= VL)
        vstore(p, v);
    else
        _mm256_maskstore_ps(p, first_lanes(n), (__m256)v);
}
