// Maximum, minimum, partial load and store for instruction sets without masked memory access: lane
// by lane, which clang turns into a few moves when n is a literal.
#pragma once
INLINE vf vmax(vf a, vf b) { return vselect(a > b, a, b); }
INLINE vf vmin(vf a, vf b) { return vselect(a < b, a, b); }
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
