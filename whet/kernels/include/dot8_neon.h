// AArch64 with Advanced SIMD: sdot where there is the dot-product extension, else widening
// multiplies.
#pragma once
#include <arm_neon.h>
#define DOT8_SHIFT 0
typedef int8x16_t vq;
typedef int8x16_t vw;

INLINE int quad_word(const s8 *p, const int n) {
    int q = 0;
    if (n == 4)
        __builtin_memcpy(&q, p, 4);
    else
        UNROLL(i, n) q |= (unsigned char)p[i] << 8 * i;
    return q;
}
INLINE vq quad_set(const s8 *p, const int n, const int ready) {
    (void)ready;
    return vreinterpretq_s8_s32(vdupq_n_s32(quad_word(p, n)));
}
INLINE vw quad_load(const s8 *w) { return vld1q_s8(w); }
INLINE vq quads_set(const s8 *p) { return vld1q_s8(p); }
INLINE vq quad_interleave(const s8 *const *p, const int n) {
    const int32x4_t rows = {quad_word(p[0], n), quad_word(p[1], n), quad_word(p[2], n),
                            quad_word(p[3], n)};
    const int8x16_t from = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
    return vqtbl1q_s8(vreinterpretq_s8_s32(rows), vreinterpretq_u8_s8(from));
}
INLINE vi dot4(vi acc, vq a, vw w) {
#if defined(__ARM_FEATURE_DOTPROD)
    return (vi)vdotq_s32((int32x4_t)acc, a, w);
#else
    const int32x4_t low = vpaddlq_s16(vmull_s8(vget_low_s8(a), vget_low_s8(w)));
    const int32x4_t high = vpaddlq_s16(vmull_s8(vget_high_s8(a), vget_high_s8(w)));
    return acc + (vi)vcombine_s32(vpadd_s32(vget_low_s32(low), vget_high_s32(low)),
                                  vpadd_s32(vget_low_s32(high), vget_high_s32(high)));
#endif
}

INLINE vi load_s8(const s8 *p, const int n) {
    const int8x8_t v = vreinterpret_s8_s32(vdup_n_s32(quad_word(p, n)));
    return (vi)vmovl_s16(vget_low_s16(vmovl_s8(v)));
}
INLINE vi mul_high(vi a, vi m) {
    return (vi)vshrq_n_s32(vqdmulhq_s32((int32x4_t)a, (int32x4_t)m), 1);
}

#define DOT8_ROUNDED
INLINE vi mul_rounded(vi a, vi m) { return (vi)vqrdmulhq_s32((int32x4_t)a, (int32x4_t)m); }

INLINE void store_s8(s8 *p, const vi *v, const int NV, const int n, const int low, const int high) {
    UNROLL(j, NV) {
        const int16x4_t half = vqmovn_s32((int32x4_t)v[j]);
        int8x8_t y = vqmovn_s16(vcombine_s16(half, half));
        if (low > -128) y = vmax_s8(y, vdup_n_s8((s8)low));
        if (high < 127) y = vmin_s8(y, vdup_n_s8((s8)high));
        const int q = vget_lane_s32(vreinterpret_s32_s8(y), 0);
        if (j < NV - 1 || n == VL)
            __builtin_memcpy(p + j * VL, &q, 4);
        else
            UNROLL(l, n) p[j * VL + l] = (s8)(q >> 8 * l);
    }
}
