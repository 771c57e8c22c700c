// Products of int8 codes: y = clamp(zero + (a - a_zero) * (b - b_zero) * multiplier), where
// kernels/linear_s8.py proves one f32 multiply-add equal to the multiplier's rounding. Differences
// of codes and their products are integers that f32 holds exactly.
#pragma once
#include "requantize.h"

enum { MUL_BLOCK = 256 }; // columns whose factors are kept as floats

INLINE void mul_factors(const int n, const s8 *b, const int b_zero, float *factor) {
    const int rest = n % VL, whole = n - rest;
    for (int j = 0; j < whole; j += VL) vstore(factor + j, vtof(load_s8(b + j, VL) - b_zero));
    if (rest) vstore(factor + whole, vtof(load_s8(b + whole, rest) - b_zero));
}

// NV vectors of which the last has `lanes`.
INLINE void mul_codes(const int NV, const int lanes, const s8 *a, const int a_zero,
                      const float *factor, const float scale, const float offset, const int low,
                      const int high, s8 *y) {
    vi codes[4];
    UNROLL(i, NV) {
        const vf v = vtof(load_s8(a + i * VL, i == NV - 1 ? lanes : VL)) - (float)a_zero;
        codes[i] = (vi)vfused(v * vload(factor + i * VL), vset(scale), vset(offset));
    }
    store_low_s8(y, codes, NV, lanes, low, high);
}

// Columns [j, j + n) of all rows; n is a constant.
INLINE void mul_columns(const long rows, const long width, const long j, const int n, const s8 *a,
                        const int a_zero, const s8 *b, const long b_step, const int b_zero,
                        const float scale, const float offset, const int low, const int high,
                        s8 *y) {
    const int rest = n % (4 * VL), vectors = (rest + VL - 1) / VL, whole = n - rest;
    float factor[MUL_BLOCK];
    for (long r = 0; r < rows; r++) {
        const s8 *from = a + r * width + j;
        s8 *to = y + r * width + j;
        if (!r || b_step) mul_factors(n, b + r * b_step + j, b_zero, factor);
        for (int i = 0; i < whole; i += 4 * VL)
            mul_codes(4, VL, from + i, a_zero, factor + i, scale, offset, low, high, to + i);
        if (rest)
            mul_codes(vectors, rest - (vectors - 1) * VL, from + whole, a_zero, factor + whole,
                      scale, offset, low, high, to + whole);
    }
}

// y[rows][width] of a[rows][width] and b, rows that are b_step apart: 0 where one serves all.
// width is a constant.
INLINE void mul_s8(const long rows, const int width, const s8 *a, const int a_zero, const s8 *b,
                   const long b_step, const int b_zero, const float scale, const float offset,
                   const int low, const int high, s8 *y) {
    const int rest = width % MUL_BLOCK;
    for (int j = 0; j < width - rest; j += MUL_BLOCK)
        mul_columns(rows, width, j, MUL_BLOCK, a, a_zero, b, b_step, b_zero, scale, offset, low,
                    high, y);
    if (rest)
        mul_columns(rows, width, width - rest, rest, a, a_zero, b, b_step, b_zero, scale, offset,
                    low, high, y);
}
