// What recurrent_f32.h takes from integers: the product of recurrent weights and h, and that of
// int8 inputs and weights. Both are sums of products of bytes, exact, the same on every machine.
//
// h lies in [-1, 1] and is read as a multiple of 2^-22, three balanced digits of base 256:
//     round(h * 2^22) = d0 + 256 * d1 + 65536 * d2,    -128 <= d < 128
// A weight is an int8 code, PLACES = 1, or PLACES = 3 such digits e of a multiple of the column's
// scale. Products d * e of one power of 256 have a sum of their own, and of the powers the highest
// three count, all of them for a code. Joining the sums rounds three times in f32, as a float sum
// does for each term. Fewer than 2^15 hidden units, 2^17 with codes: the sums fit 32 bits.
//
// To a gate rounding h adds at most 2^-23 * (sum of |weights| of the column), and with digits
// rounding weights and what does not count 2^-22 * 1.26 * HIDDEN * (largest |weight|). So digits
// add less than a sum of floats may, HIDDEN * 2^-24 * (sum of |weights|), where that sum is 7.2
// times the largest weight: packing_recurrent.py has them only there.
//
//   digits [3][units]   of DOT8_BYTES, as dot4 multiplies them: DOT8_SHIFT is in them
//   r [quad of HIDDEN][PLACES][gate][NH * VL][4]   of a block, as quad_load has them, beyond HIDDEN
//                       zero
//   start [PLACES][gate][NH * VL]   of a block: what takes DOT8_SHIFT out of a sum
//   scale [columns]     of the lowest power that counts
#pragma once
#include "gemm_s8.h"

enum { RECURRENT_DIGITS = 3, RECURRENT_FRACTION = 22 };

// The digits of VL numbers in [-1, 1].
INLINE void recurrent_digits(vf h, s8 *digits, const long units) {
    const vf above = vfma(h, vset(1 << RECURRENT_FRACTION), vset(12582912.f)); // 1.5 * 2^23
    const vi whole = (vi)above - LINEAR_ZERO;
    const vi bytes = (whole + 0x808080) ^ (DOT8_SHIFT ? 0 : 0x808080);
    UNROLL(d, RECURRENT_DIGITS) {
        const vi code = bytes << (24 - 8 * d) >> 24;
        if (DOT8_PAIRS)
            UNROLL(l, VL) ((short *)digits)[d * units + l] = (short)code[l];
        else
            store_s8(digits + d * units, &code, 1, VL, -128, 127);
    }
}

// The sums of a column begin with what takes DOT8_SHIFT out of them.
INLINE void recurrent_start_s8(const int VECTORS, const int PLACES, vi *sum, const int *start) {
    UNROLL(d, RECURRENT_DIGITS)
        UNROLL(j, VECTORS) sum[d * VECTORS + j] = vload_i(start + (d % PLACES * VECTORS + j) * VL);
}
// Adds the products of the quads [begin, end) of h.
INLINE void recurrent_add_s8(const int VECTORS, const int PLACES, const int begin, const int end,
                             vi *sum, const s8 *digits, const long units, const s8 *r) {
    r += (long)begin * PLACES * VECTORS * VL * 4;
    for (int k = begin; k < end; k++, r += PLACES * VECTORS * VL * 4) {
        UNROLL(part, DOT8_PARTS) {
            vq_part h[RECURRENT_DIGITS];
            UNROLL(d, RECURRENT_DIGITS)
                h[d] = part_set(digits + (d * units + 4 * k) * DOT8_BYTES, 4, 1, part);
            UNROLL(e, PLACES)
                UNROLL(j, VECTORS) {
                    const vw_part w = part_load(r + (e * VECTORS + j) * VL * 4, part);
                    const int low = PLACES - 1 - e; // the digit of h that makes the lowest power
                    UNROLL(n, RECURRENT_DIGITS - low)
                        sum[n * VECTORS + j] = part_dot(sum[n * VECTORS + j], h[low + n], w);
                }
        }
    }
}
// acc[j] += the sums of column j joined
INLINE void recurrent_join_s8(const int VECTORS, vf *acc, const vi *sum, const float *scale) {
    UNROLL(j, VECTORS) {
        const vf high = vfma(vtof(sum[2 * VECTORS + j]), vset(256.f), vtof(sum[VECTORS + j]));
        const vf whole = vfma(high, vset(256.f), vtof(sum[j]));
        acc[j] = vfma(whole, vload(scale + j * VL), acc[j]);
    }
}

// extra: scale and bias, f32.
INLINE vi recurrent_gates_s8(const void *const *extra, vi acc, long row, int channel, int lanes) {
    (void)row, (void)lanes;
    const float *scale = (const float *)extra[0], *bias = (const float *)extra[1];
    return (vi)vfma(vtof(acc), vload(scale + channel), vload(bias + channel));
}

// gates[M][COLUMNS] = scale * (x * w) + bias, the panels [begin, end). w, start: pack_gemm_s8.
INLINE void recurrent_inputs_s8(const int M, const int COLUMNS, const int INPUT, const long ldx,
                                const int MR, const int NV, const int begin, const int end,
                                const s8 *x, const s8 *w, const int *start, const float *scale,
                                const float *bias, float *gates) {
    const void *const extra[] = {scale, bias};
    gemm_s8(M, COLUMNS, INPUT, (int)ldx, COLUMNS, MR, NV, M, 0, 0, 4, 0, 0, begin, end, x, w, start,
            gates, 0, 0, 0, extra, recurrent_gates_s8);
}
