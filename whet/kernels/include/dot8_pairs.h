// dot8.h by exact products of 16-bit pairs, over what a vector unit says of its parts:
//
//   part_all(pair)              the two 16-bit numbers of an int in every lane
//   part_ready(p)               VL pairs as they lie at p, 16 bits each
//   part_widen(p)               VL pairs of the bytes at p
//   part_interleave(p, q, n)    lane l = p[l] q[l] for l < n; touches n bytes of each
//   part_dot(acc, a, w)         acc[l] + the products of lane l's pairs
#pragma once
#define DOT8_SHIFT 0
#define DOT8_PAIRS 1
typedef vq_part vw_part;
typedef struct {
    vq_part part[2];
} vq;
typedef vq vw;

INLINE vw_part part_load(const s8 *w, const int part) { return part_widen(w + 2 * VL * part); }
INLINE vq_part part_set(const s8 *p, const int n, const int ready, const int part) {
    const int left = n - 2 * part;
    int pair = 0;
    if (left <= 0) return part_all(0);
    if (ready && left > 1)
        __builtin_memcpy(&pair, p + 4 * part, 4);
    else if (ready)
        pair = ((const unsigned short *)p)[2 * part];
    else
        pair = (unsigned short)p[2 * part] | (left > 1 ? (unsigned)p[2 * part + 1] << 16 : 0);
    return part_all(pair);
}

INLINE vw quad_load(const s8 *w) { return (vw){{part_load(w, 0), part_load(w, 1)}}; }
INLINE vw quad_load_ready(const s8 *w) {
    return (vw){{part_ready(w), part_ready(w + 4 * VL)}};
}
INLINE vq quads_set(const s8 *p) { return quad_load(p); }
INLINE vq quad_set(const s8 *p, const int n, const int ready) {
    return (vq){{part_set(p, n, ready, 0), part_set(p, n, ready, 1)}};
}
INLINE vq quad_interleave(const s8 *const *p, const int n) {
    return (vq){{part_interleave(p[0], p[1], n), part_interleave(p[2], p[3], n)}};
}
INLINE vi dot4(vi acc, vq a, vw w) {
    return part_dot(part_dot(acc, a.part[0], w.part[0]), a.part[1], w.part[1]);
}
