// Portable definitions of the 8-bit vocabulary, for any VL, on little-endian machines: a quad is
// one word, whose bytes shifts sign-extend.
#pragma once
#define DOT8_SHIFT 0
typedef struct {
    vi byte[4];
} vq;
typedef vq vw;

INLINE vq quad_of(vi words) {
    return (vq){{words << 24 >> 24, words << 16 >> 24, words << 8 >> 24, words >> 24}};
}
INLINE int quad_word(const s8 *p, const int n) {
    unsigned q = 0;
    UNROLL(i, n) q |= (unsigned)(unsigned char)p[i] << 8 * i;
    return (int)q;
}
INLINE vq quad_set(const s8 *p, const int n, const int ready) {
    (void)ready;
    return quad_of(vset_i(quad_word(p, n)));
}
INLINE vq quads_set(const s8 *p) { return quad_of(vload_i((const int *)p)); }
INLINE vi load_s8(const s8 *p, const int n) {
    vi v = {0};
    UNROLL(l, VL)
        if (l < n) v[l] = p[l];
    return v;
}
INLINE vq quad_interleave(const s8 *const *p, const int n) {
    return (vq){{load_s8(p[0], n), load_s8(p[1], n), load_s8(p[2], n), load_s8(p[3], n)}};
}
INLINE vw quad_load(const s8 *w) { return quad_of(vload_i((const int *)w)); }
INLINE vi dot4(vi acc, vq a, vw w) {
    UNROLL(i, 4) acc += a.byte[i] * w.byte[i];
    return acc;
}

INLINE vi mul_high(vi a, vi m) {
    UNROLL(l, VL) a[l] = (int)((long long)a[l] * m[l] >> 32);
    return a;
}
INLINE void store_s8(s8 *p, const vi *v, const int NV, const int n, const int low, const int high) {
    UNROLL(j, NV)
        UNROLL(l, VL)
            if (j < NV - 1 || l < n) {
                const int y = v[j][l];
                p[j * VL + l] = (s8)(y < low ? low : y > high ? high : y);
            }
}
