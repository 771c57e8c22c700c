// What every instruction set shares. The including header defines VL (float lanes of a vector) and
// VREGS (vector registers); clang and GCC lower the vector extension, so only what they cannot see
// is left to the ISA headers:
//   vmax vmin     a NaN in b is the result: vmax(bound, x) and vmin(bound, x) keep a NaN of x
//   vload_n(p, n) vstore_n(p, v, n)   the first n of VL lanes, 1 <= n <= VL, and no byte beyond;
//                 absent lanes read as 0
//   vfma_low      vfma of the first VL / 2 lanes, the others rubbish: cheaper on some machines
// and, where SIMD_ESTIMATES is defined,
//   vdivide(a, b) a / b within 1 unit in the last place; 1 <= b <= 2^120
//   vscale(y, n)  y * 2^n; n an integer from -160 to 130, of which 2^n need not be a float
// Comparisons are the operators < <= == != > >=: they yield a vi of 0 and -1, which vselect takes.
#pragma once
#define INLINE static inline __attribute__((always_inline))

// for (int i = 0; i < n; i++), unrolled.
#if defined(__clang__)
#define UNROLL(i, n) _Pragma("clang loop unroll(full)") for (int i = 0; i < (n); i++)
#else
#define UNROLL(i, n) _Pragma("GCC unroll 128") for (int i = 0; i < (n); i++)
#endif

typedef float vf __attribute__((vector_size(4 * VL)));
typedef int vi __attribute__((vector_size(4 * VL)));
typedef float vf_memory __attribute__((vector_size(4 * VL), aligned(4), may_alias));
typedef int vi_memory __attribute__((vector_size(4 * VL), aligned(4), may_alias));

INLINE vf vload(const float *p) { return *(const vf_memory *)p; }
INLINE void vstore(float *p, vf v) { *(vf_memory *)p = v; }
INLINE vi vload_i(const int *p) { return *(const vi_memory *)p; }
INLINE void vstore_i(int *p, vi v) { *(vi_memory *)p = v; }

INLINE vf vset(float s) { return s - (vf){0}; } // minus, for 0 + -0 is +0
INLINE vi vset_i(int s) { return s + (vi){0}; }
// One rounding where the machine has it and -ffp-contract allows it.
INLINE vf vfma(vf a, vf b, vf c) { return a * b + c; }
// One rounding always, at the price of a call where the machine does not have it.
INLINE vf vfused(vf a, vf b, vf c) {
#if defined(__clang__)
    return __builtin_elementwise_fma(a, b, c);
#else
    UNROLL (l, VL) a[l] = __builtin_fmaf(a[l], b[l], c[l]);
    return a;
#endif
}
INLINE vf vselect(vi mask, vf a, vf b) { return (vf)((mask & (vi)a) | (~mask & (vi)b)); }

INLINE vi vtoi(vf v) { return __builtin_convertvector(v, vi); } // toward zero; |v| < 2^31
INLINE vf vtof(vi v) { return __builtin_convertvector(v, vf); }
INLINE vf vabs(vf v) { return (vf)((vi)v & 0x7fffffff); }
INLINE vf vcopysign(vf v, vf sign) {
    return (vf)(((vi)v & 0x7fffffff) | ((vi)sign & (int)0x80000000u));
}

// Nearest integer, ties to even.
INLINE vf vround(vf v) {
    const vf magic = vcopysign(vset(8388608.f), v);
    return vselect(vabs(v) < 8388608.f, vcopysign((v + magic) - magic, v), v);
}
INLINE vf vfloor(vf v) {
    const vf r = vround(v);
    return vselect(r > v, r - 1.f, r);
}
INLINE vf vceil(vf v) {
    const vf r = vround(v);
    return vselect(r < v, vcopysign(r + 1.f, v), r);
}
INLINE vf vsqrt(vf v) {
#if defined(__clang__)
    return __builtin_elementwise_sqrt(v);
#else
    UNROLL (l, VL) v[l] = __builtin_sqrtf(v[l]);
    return v;
#endif
}

#if !defined(SIMD_ESTIMATES)
INLINE vf vdivide(vf a, vf b) { return a / b; }
INLINE vf vscale(vf y, vf n) {
    const vi power = (vi)(n + 12582912.f) - 0x4b400000, half = power >> 1; // 1.5 * 2^23
    return y * (vf)((half + 127) << 23) * (vf)((power - half + 127) << 23);
}
#endif

// Sum and maximum over the lanes, halving: the order is the same on every call.
INLINE float vsum(vf v) {
    float s[VL];
    UNROLL (l, VL) s[l] = v[l];
    for (int h = VL / 2; h > 0; h /= 2)
        UNROLL (l, h) s[l] += s[l + h];
    return s[0];
}
INLINE float vmaximum(vf v) {
    float s[VL];
    UNROLL (l, VL) s[l] = v[l];
    for (int h = VL / 2; h > 0; h /= 2)
        UNROLL (l, h) s[l] = s[l] > s[l + h] ? s[l] : s[l + h];
    return s[0];
}
