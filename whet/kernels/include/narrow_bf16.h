// y[n] = x[n] of floats, rounded to bf16 as simd_bf16.h says. Work is ceil(n / NARROW_BLOCK) units;
// a call does [begin, end).
#pragma once
#include "simd_bf16.h"

enum { NARROW_BLOCK = 4096 };

INLINE void narrow_run_bf16(const long n, const int begin, const int end, const float *x, bf16 *y) {
    const long last = (long)end * NARROW_BLOCK < n ? (long)end * NARROW_BLOCK : n;
    long i = (long)begin * NARROW_BLOCK;
    for (; i + VL <= last; i += VL) vstore_bf16_n(y + i, vload(x + i), VL);
    for (; i < last; i++) y[i] = narrow_bf16(x[i]);
}
