// Maximum, minimum, partial load and store for instruction sets without masked memory access: lane
// by lane, which clang turns into a few moves when n is a literal.
#pragma once
#if defined(__aarch64__) && defined(__has_builtin) && __has_builtin(__builtin_elementwise_maximum)
INLINE vf vmax(vf a, vf b) { return __builtin_elementwise_maximum(a, b); }
INLINE vf vmin(vf a, vf b) { return __builtin_elementwise_minimum(a, b); }
#else
INLINE vf vmax(vf a, vf b) { return vselect(a > b, a, b); }
INLINE vf vmin(vf a, vf b) { return vselect(a < b, a, b); }
#endif
INLINE vf vfma_low(vf a, vf b, vf c) { return vfma(a, b, c); }
INLINE vf vload_n(const float *p, const int n) {
    if (n >= VL) return vload(p);
    vf v = {0};
    UNROLL (l, VL)
        if (l < n) v[l] = p[l];
    return v;
}
INLINE void vstore_n(float *p, vf v, const int n) {
    if (n >= VL) {
        vstore(p, v);
        return;
    }
    UNROLL (l, VL)
        if (l < n) p[l] = v[l];
}
