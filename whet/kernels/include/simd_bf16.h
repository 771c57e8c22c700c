// bfloat16 beside simd.h: the upper half of a float, of which a vector has VL as well.
//   vload_bf16_n(p, n)       the first n of VL numbers as floats, absent lanes 0
//   vstore_bf16_n(p, v, n)   the first n lanes, rounded to nearest even; what is below 2^-126 may
//                            become 0
//   vround_bf16(v)           the same rounding, as floats
// Pairs: a lane of a vi holds two numbers, the first in its low half. A dot of pairs is
//   vdot_bf16(acc, x, w)     acc + x.low * w.low + x.high * w.high in f32
// where the machine has it: on x86-64 vdpbf16ps, which rounds after each product and reads and
// writes what is below 2^-126 as 0 (Intel SDM, volume 2). Elsewhere two multiply-adds of widened
// halves, which round as the machine's multiply-add does.
#pragma once
#include "simd.h"
#include "types.h"

typedef uint16_t vh __attribute__((vector_size(2 * VL)));
typedef uint16_t vh_memory __attribute__((vector_size(2 * VL), aligned(2), may_alias));

INLINE vf vwiden_bf16(vh h) { return (vf)(__builtin_convertvector(h, vi) << 16); }
INLINE vf vlow_bf16(vi pair) { return (vf)(pair << 16); }
INLINE vf vhigh_bf16(vi pair) { return (vf)(pair & (int)0xffff0000u); }

#if VL == 16 && defined(__AVX512BF16__)
INLINE vh vnarrow_bf16(vf v) { return (vh)_mm512_cvtneps_pbh((__m512)v); }
INLINE vf vdot_bf16(vf acc, vi x, vi w) {
    return (vf)_mm512_dpbf16_ps((__m512)acc, (__m512bh)x, (__m512bh)w);
}
#else
INLINE vh vnarrow_bf16(vf v) {
    const vi bits = (vi)v, nearest = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    const vi nan = v != v;
    return __builtin_convertvector((nan & (bits >> 16 | 0x40)) | (~nan & nearest), vh);
}
INLINE vf vdot_bf16(vf acc, vi x, vi w) {
    return vfma(vhigh_bf16(x), vhigh_bf16(w), vfma(vlow_bf16(x), vlow_bf16(w), acc));
}
#endif
INLINE vf vround_bf16(vf v) { return vwiden_bf16(vnarrow_bf16(v)); }

INLINE vf vload_bf16_n(const bf16 *p, const int n) {
    if (n >= VL) return vwiden_bf16(*(const vh_memory *)p);
#if VL == 16 && defined(__AVX512BW__) && defined(__AVX512VL__)
    return vwiden_bf16((vh)_mm256_maskz_loadu_epi16((__mmask16)((1u << n) - 1), p));
#else
    vh h = {0};
    UNROLL (l, VL)
        if (l < n) h[l] = p[l].bits;
    return vwiden_bf16(h);
#endif
}
INLINE void vstore_bf16_n(bf16 *p, vf v, const int n) {
    const vh h = vnarrow_bf16(v);
    if (n >= VL) {
        *(vh_memory *)p = h;
        return;
    }
    if (n == 1) { // clang 21 writes four bytes where it narrows one lane under a mask
        p->bits = h[0];
        return;
    }
#if VL == 16 && defined(__AVX512BW__) && defined(__AVX512VL__)
    _mm256_mask_storeu_epi16(p, (__mmask16)((1u << n) - 1), (__m256i)h);
#else
    UNROLL (l, VL)
        if (l < n) p[l].bits = h[l];
#endif
}
