// x86-64 with AVX-512F: 32 registers of 16 floats, every access maskable.
#pragma once
#include <immintrin.h>
#define VL 16
#define VREGS 32
#define SIMD_ESTIMATES
#include "simd_types.h"

INLINE vf vmax(vf a, vf b) { return (vf)_mm512_max_ps((__m512)a, (__m512)b); }
INLINE vf vmin(vf a, vf b) { return (vf)_mm512_min_ps((__m512)a, (__m512)b); }
INLINE vf vscale(vf y, vf n) { return (vf)_mm512_scalef_ps((__m512)y, (__m512)n); }
INLINE vf vdivide(vf a, vf b) {
    const vf r = (vf)_mm512_rcp14_ps((__m512)b), q = a * r;
    return vfma(vfma(-b, q, a), r, q);
}
INLINE vf vfma_low(vf a, vf b, vf c) {
#if defined(__znver4__) // runs a 512-bit operation as two halves
    const __m256 x = _mm512_castps512_ps256((__m512)a), y = _mm512_castps512_ps256((__m512)b);
    return (vf)_mm512_castps256_ps512(_mm256_fmadd_ps(x, y, _mm512_castps512_ps256((__m512)c)));
#else
    return vfma(a, b, c);
#endif
}
INLINE vf vload_n(const float *p, const int n) {
    return n >= VL ? vload(p) : (vf)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}
INLINE void vstore_n(float *p, vf v, const int n) {
    if (n >= VL)
        vstore(p, v);
    else
        _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
}
