// Transposing in registers: VL vectors of VL floats, and matrices in such blocks; sums of rows.
#pragma once
#include "simd.h"

// The first (second) halves of a and b, interleaved.
#if VL == 16
#define INTERLEAVE_LOW(a, b) \
    __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define INTERLEAVE_HIGH(a, b) \
    __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#elif VL == 8
#define INTERLEAVE_LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define INTERLEAVE_HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#else
#define INTERLEAVE_LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define INTERLEAVE_HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#endif

// One of the log2(VL) shuffles that transpose: each moves a bit of the row number to the column's.
INLINE void transpose_step_f32(const vf *from, vf *to) {
    UNROLL (i, VL / 2) {
        to[2 * i] = INTERLEAVE_LOW(from[i], from[i + VL / 2]);
        to[2 * i + 1] = INTERLEAVE_HIGH(from[i], from[i + VL / 2]);
    }
}

// rows[i][j] becomes rows[j][i].
INLINE void transpose_block_f32(vf *rows) {
    vf other[VL];
    transpose_step_f32(rows, other);
    transpose_step_f32(other, rows);
    if (VL == 8) {
        transpose_step_f32(rows, other);
        UNROLL (i, VL) rows[i] = other[i];
    } else if (VL == 16) {
        transpose_step_f32(rows, other);
        transpose_step_f32(other, rows);
    }
}

// y[j * ldy + i] = factor * x[i * ldx + j] for i < rows and j < columns, 0 for rows <= i < VL;
// rows <= VL.
INLINE void transpose_rows_f32(const int rows, const int columns, const float factor,
                               const float *x, const long ldx, float *y, const long ldy) {
    for (int j = 0; j < columns; j += VL) {
        const int width = columns - j < VL ? columns - j : VL;
        vf block[VL];
        UNROLL (i, VL) block[i] = i < rows ? vload_n(x + i * ldx + j, width) * factor : (vf){0};
        transpose_block_f32(block);
        UNROLL (i, VL)
            if (i < width) vstore(y + (j + i) * ldy, block[i]);
    }
}

// y[i * ldy + j] = x[j * ldx + i] for i < rows <= VL and j < columns <= VL.
INLINE void transpose_part_f32(const int rows, const int columns, const float *x, const long ldx,
                               float *y, const long ldy) {
    vf block[VL];
    UNROLL (j, VL) block[j] = j < columns ? vload_n(x + j * ldx, rows) : (vf){0};
    transpose_block_f32(block);
    UNROLL (i, VL)
        if (i < rows) vstore_n(y + i * ldy, block[i], columns);
}

// The first rows and columns of each of B matrices x[B][C][R] as y[B][R][C].
INLINE void transpose_f32(const long B, const long R, const long C, const long rows,
                          const long columns, const float *x, float *y) {
    for (long b = 0; b < B; b++, x += R * C, y += R * C)
        for (long i = 0; i < rows; i += VL)
            for (long j = 0; j < columns; j += VL) {
                const int height = rows - i < VL ? (int)(rows - i) : VL;
                const int width = columns - j < VL ? (int)(columns - j) : VL;
                if (height == VL && width == VL)
                    transpose_part_f32(VL, VL, x + j * R + i, R, y + i * C + j, C);
                else
                    transpose_part_f32(height, width, x + j * R + i, R, y + i * C + j, C);
            }
}

// Lane i: the sum (the largest) of the lanes of rows[i], for VL rows, which are used up. The order
// of the sums is the same on every call.
INLINE vf sums_of_rows_f32(vf *rows) {
    for (int n = VL / 2; n > 0; n /= 2)
        UNROLL (i, n)
            rows[i] = INTERLEAVE_LOW(rows[i], rows[i + n]) + INTERLEAVE_HIGH(rows[i], rows[i + n]);
    return rows[0];
}
INLINE vf maxima_of_rows_f32(vf *rows) {
    for (int n = VL / 2; n > 0; n /= 2)
        UNROLL (i, n)
            rows[i] = vmax(INTERLEAVE_LOW(rows[i], rows[i + n]),
                           INTERLEAVE_HIGH(rows[i], rows[i + n]));
    return rows[0];
}
#undef INTERLEAVE_LOW
#undef INTERLEAVE_HIGH
