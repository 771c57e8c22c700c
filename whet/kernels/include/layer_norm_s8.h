// Layer normalisation of rows of int8 codes: the bits of whet/ops/integer/normalization.py.
//
// Sums over a row are integers; what follows is single precision, each operation rounded, so that
// every machine gives the same codes; compilers but clang need -ffp-contract=off for that. gamma
// and beta have room for 4 * VL more elements.
#pragma once
#include "dot8.h"
#include "math_rounding.h"

INLINE int norm_sum(vi v) {
    int s[VL];
    UNROLL (l, VL) s[l] = v[l];
    for (int h = VL / 2; h > 0; h /= 2)
        UNROLL (l, h) s[l] += s[l + h];
    return s[0];
}

// 1 / sqrt(variance + epsilon) of a row of codes, and its mean.
INLINE float norm_statistics(const int n, const float epsilon, const s8 *x, float *mean) {
#if defined(__clang__)
#pragma clang fp contract(off)
#endif
    const vq ones = quad_ones();
    vi sums = {0}, squares = {0};
    int j = 0;
    for (; j + 4 * VL <= n; j += 4 * VL) {
        const vw w = quad_load(x + j);
        sums = dot4(sums, ones, w);
        squares = dot4(squares, quads_set(x + j), w);
    }
    squares -= sums * DOT8_SHIFT;
    for (; j < n; j += VL) {
        const vi v = load_s8(x + j, n - j < VL ? n - j : VL);
        sums += v, squares += v * v;
    }
    const long long sum = norm_sum(sums), spread = (long long)n * norm_sum(squares) - sum * sum;
    *mean = (float)sum / (float)n;
    const float variance = (float)spread / (float)(n * n);
    return 1.f / math_sqrt_f32(variance + epsilon);
}

// y[j ...] of NV vectors, the last one of `lanes`.
INLINE void norm_codes(const int NV, const int lanes, const int zero, const int low, const int high,
                       const float mean, const float inverse, const s8 *x, const float *gamma,
                       const float *beta, s8 *y) {
#if defined(__clang__)
#pragma clang fp contract(off)
#endif
    vi codes[4];
    UNROLL (i, NV) {
        const vf v = vtof(load_s8(x + i * VL, i == NV - 1 ? lanes : VL));
        const vf scaled = (v - mean) * inverse * vload(gamma + i * VL);
        // 1.5 * 2^23 more: the nearest integer, ties to even, is in the low bits.
        const vf moved = scaled + vload(beta + i * VL) + 12582912.f;
        codes[i] = (vi)moved - (0x4b400000 - zero);
    }
    store_s8(y, codes, NV, lanes, low, high);
}

// Rows [begin, end) of x[...][n], each on its own.
INLINE void layer_norm_s8(const int n, const float epsilon, const int zero, const int low,
                          const int high, const int begin, const int end, const s8 *x,
                          const float *gamma, const float *beta, s8 *y) {
    const int rest = n % (4 * VL), vectors = (rest + VL - 1) / VL;
    for (long row = begin; row < end; row++) {
        const s8 *from = x + row * n;
        s8 *to = y + row * n;
        float mean;
        const float inverse = norm_statistics(n, epsilon, from, &mean);
        int j = 0;
        for (; j + 4 * VL <= n; j += 4 * VL)
            norm_codes(4, VL, zero, low, high, mean, inverse, from + j, gamma + j, beta + j,
                       to + j);
        if (rest)
            norm_codes(vectors, rest - (vectors - 1) * VL, zero, low, high, mean, inverse, from + j,
                       gamma + j, beta + j, to + j);
    }
}
