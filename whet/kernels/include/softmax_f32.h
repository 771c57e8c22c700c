// Softmax of rows of a few vectors, VL rows at a time.
//
// x and y may be the same. The result of a row depends on nothing but the row.
#pragma once
#include "math_f32.h"
#include "transpose_f32.h"

// Vectors of the longest row.
enum { SOFTMAX_VECTORS = 4 };

// At most VL rows of n floats, n <= SOFTMAX_VECTORS * VL.
INLINE void softmax_block_f32(const int rows, const int n, const float *x, float *y) {
    const int vectors = (n + VL - 1) / VL, rest = n - (vectors - 1) * VL;
    vi lane;
    UNROLL (l, VL) lane[l] = l;
    vf each[VL];
    float of_row[VL];
    UNROLL (i, VL) each[i] = vset(-__builtin_inff());
    UNROLL (i, VL) {
        if (i >= rows) continue;
        for (int j = 0; j < vectors; j++) {
            const int lanes = j < vectors - 1 ? VL : rest;
            const vf v = vload_n(x + i * n + j * VL, lanes);
            each[i] = vmax(each[i], lanes < VL ? vselect(lane < lanes, v, each[i]) : v);
        }
    }
    vstore(of_row, maxima_of_rows_f32(each));
    UNROLL (i, VL) each[i] = vset(1.f);
    UNROLL (i, VL) {
        if (i >= rows) continue;
        vf sum = {0};
        for (int j = 0; j < vectors; j++) {
            const int lanes = j < vectors - 1 ? VL : rest, at = i * n + j * VL;
            const vf e = vexp(vload_n(x + at, lanes) - of_row[i]);
            vstore_n(y + at, e, lanes);
            sum += lanes < VL ? vselect(lane < lanes, e, (vf){0}) : e;
        }
        each[i] = sum;
    }
    vstore(of_row, 1.f / sums_of_rows_f32(each));
    UNROLL (i, VL) {
        if (i >= rows) continue;
        for (int j = 0; j < vectors; j++) {
            const int lanes = j < vectors - 1 ? VL : rest, at = i * n + j * VL;
            vstore_n(y + at, vload_n(y + at, lanes) * of_row[i], lanes);
        }
    }
}

// Any number of such rows; n is a literal.
INLINE void softmax_rows_f32(const long rows, const int n, const float *x, float *y) {
    long row = 0;
    for (; row + VL <= rows; row += VL) softmax_block_f32(VL, n, x + row * n, y + row * n);
    if (row < rows) softmax_block_f32((int)(rows - row), n, x + row * n, y + row * n);
}
