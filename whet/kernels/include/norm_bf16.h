// layer_norm_bf16_f32: for each row of n numbers
//     y = (x - mean) / sqrt(variance + epsilon) * scale[n] + bias[n]
// x and y of bf16, scale and bias of f32 (bias may be null); statistics take two passes in f32. x
// and y may be the same tensor. A call does rows [begin, end).
#pragma once
#include "simd_bf16.h"

INLINE void layer_norm_bf16_f32(const int n, const float epsilon, const int begin, const int end,
                                const bf16 *x, const float *scale, const float *bias, bf16 *y) {
    const int whole = n / VL * VL, rest = n - whole;
    for (int r = begin; r < end; r++) {
        const bf16 *row = x + (long)r * n;
        bf16 *to = y + (long)r * n;
        vf sum = {0}, squares = {0};
        for (int i = 0; i < whole; i += VL) sum += vload_bf16_n(row + i, VL);
        if (rest) sum += vload_bf16_n(row + whole, rest);
        const float mean = vsum(sum) / n;
        for (int i = 0; i < whole; i += VL) {
            const vf d = vload_bf16_n(row + i, VL) - mean;
            squares = vfma(d, d, squares);
        }
        float more = 0;
        for (int i = whole; i < n; i++) {
            const float d = widen_bf16(row[i]) - mean;
            more += d * d;
        }
        const float deviation = vsqrt(vset((vsum(squares) + more) / n + epsilon))[0];
        const float inverse = 1.f / deviation;
        for (int i = 0; i < whole; i += VL) {
            const vf unit = (vload_bf16_n(row + i, VL) - mean) * inverse;
            const vf shift = bias ? vload(bias + i) : (vf){0};
            vstore_bf16_n(to + i, vfma(unit, vload(scale + i), shift), VL);
        }
        if (rest) {
            const vf unit = (vload_bf16_n(row + whole, rest) - mean) * inverse;
            const vf shift = bias ? vload_n(bias + whole, rest) : (vf){0};
            vstore_bf16_n(to + whole, vfma(unit, vload_n(scale + whole, rest), shift), rest);
        }
    }
}
