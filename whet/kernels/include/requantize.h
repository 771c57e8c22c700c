// Accumulators to the output's scale: fixed-point multiplication per channel, in integers only.
//
// A multiplier is m / 2^t with m in [2^30, 2^31), or m = 0. packing_s8.requantization bounds the
// accumulators, says which form is exact for them, and makes its arrays:
//   single   y = zero + ((acc * m + 2^(t-1)) >> t): one rounding, ties up (TOSA RESCALE).
//            shift = t - 32 in [1, 22], round = 2^(shift-1) + (zero << shift): the high half of
//            the product is enough.
//   double   y = zero + round(round(acc * 2^left * m / 2^31) / 2^right): ties up, then ties away
//            from zero (MultiplyByQuantizedMultiplier of TensorFlow Lite Micro).
//            |acc| << (left + 2) < 2^31. Ties away from zero are ties up where no code is below
//            zero, and then it is a single one after a shift left.
//   *_wide   the same for any t in [1, 62] and any accumulator, in 64 bits, clamped to int8.
//
//   linear   one f32 multiply-add of the accumulator, whose low 16 bits are the code where OUT = 2;
//            kernels/linear_s8.py proves it equal to one of the above.
//
// The standard epilogues (see tile_s8.h) and the arrays that they read from extra, each of VL more
// words than channels:
//   single_s8       m, shift, round
//   single_left_s8  m, shift, round, left     acc << left first, for multipliers of 1/4 and more
//   single_wide_s8  m, t, zero
//   double_s8       m, right + 1, round, left + 2, away
//                                             round = 2^right + (zero << (right + 1)) + 1 (without
//                                             2^right where right = 0, and away = 0 there, else -2)
//   double_wide_s8  m, left, right, zero
//   linear_free_s8  scale, offset (f32)       for OUT = 2; accumulators are the bits of a float
//   linear_s8       scale, offset (f32)       for OUT = 2; accumulators are converted
//   linear_split_s8 scale, offset, below, more, offset below   for OUT = 2; as linear_free_s8, but
//                                             sums less than `below` get `more`, and that offset
//   linear_free_codes_s8, linear_codes_s8, linear_split_codes_s8   the same as codes
//   int32_s8        none                      the accumulators, for OUT = 4
//   float_s8        scale (f32)               acc * scale in f32, for OUT = 4
// An emitter's own epilogue calls requantize_*, clamp_i, then table_s8, add_* or its own code.
#pragma once
#include "dot8.h"

INLINE vi clamp_i(vi v, const int low, const int high) {
    const vi above = v > low, raised = (above & v) | (~above & low), below = raised < high;
    return (below & raised) | (~below & high);
}
INLINE int clamp_wide(const long long v) { return (int)(v < -128 ? -128 : v > 127 ? 127 : v); }

INLINE vi requantize_single(vi acc, vi m, vi shift, vi round) {
    return (mul_high(acc, m) + round) >> shift;
}

// x / 2^e rounded to nearest, ties away from zero; e in [0, 31).
INLINE vi divide_by_power_of_two(vi x, vi e) {
    vi nudge = (((vi){0} + 1) << e >> 1) + (x >> 31);
    nudge &= ~(nudge >> 31); // e = 0 has no nudge
    return (x + nudge) >> e;
}
INLINE vi requantize_double(vi acc, vi m, vi left, vi right, vi zero) {
    const vi x = (mul_high(acc << (left + 2), m) + 1) >> 1;
    return divide_by_power_of_two(x, right) + zero;
}
// In 64 bits a vector is many instructions, so these are called.
#define CALLED static __attribute__((noinline, unused))
CALLED vi requantize_single_wide(vi acc, vi m, vi t, vi zero) {
    UNROLL(l, VL)
        acc[l] = clamp_wide(zero[l] + (((long long)acc[l] * m[l] + (1ll << (t[l] - 1))) >> t[l]));
    return acc;
}
CALLED vi requantize_double_wide(vi acc, vi m, vi left, vi right, vi zero) {
    UNROLL(l, VL) {
        const long long x =
            ((long long)(int)((unsigned)acc[l] << left[l]) * m[l] + (1ll << 30)) >> 31;
        const long long half = (1ll << right[l]) >> 1;
        acc[l] = clamp_wide(zero[l] + ((x + half - (half && x < 0)) >> right[l]));
    }
    return acc;
}

#undef CALLED

#define EPILOGUE(name)                                                                  \
    INLINE vi name(const void *const *extra, vi acc, const long row, const int channel, \
                   const int lanes)
#define CONSTANT(i) vload_i((const int *)extra[i] + channel)
EPILOGUE(single_s8) {
    (void)row, (void)lanes;
    return requantize_single(acc, CONSTANT(0), CONSTANT(1), CONSTANT(2));
}
EPILOGUE(single_left_s8) {
    (void)row, (void)lanes;
    return requantize_single(acc << CONSTANT(3), CONSTANT(0), CONSTANT(1), CONSTANT(2));
}
EPILOGUE(single_wide_s8) {
    (void)row, (void)lanes;
    return requantize_single_wide(acc, CONSTANT(0), CONSTANT(1), CONSTANT(2));
}
EPILOGUE(double_s8) {
    (void)row, (void)lanes;
    const vi high = mul_high(acc << CONSTANT(3), CONSTANT(0)); // twice the doubling high product
    return (high + (((high + 1) >> 31) & CONSTANT(4)) + CONSTANT(2)) >> CONSTANT(1);
}
EPILOGUE(double_wide_s8) {
    (void)row, (void)lanes;
    return requantize_double_wide(acc, CONSTANT(0), CONSTANT(1), CONSTANT(2), CONSTANT(3));
}
enum { LINEAR_ZERO = 0x4b400000, LINEAR_CENTRE = 3 << 22 }; // the bits of a float: code 0
#define LINEAR(name, factor)                                                       \
    EPILOGUE(name) {                                                               \
        const float *scale = (const float *)extra[0] + channel;                    \
        const float *offset = (const float *)extra[1] + channel;                   \
        (void)row, (void)lanes;                                                    \
        return (vi)vfused(factor, vload(scale), vload(offset));                    \
    }
LINEAR(linear_free_s8, (vf)acc)
LINEAR(linear_s8, vtof(acc))
#undef LINEAR
EPILOGUE(linear_split_s8) {
    const vi below = acc < CONSTANT(2), offset = (below & CONSTANT(4)) | (~below & CONSTANT(1));
    (void)row, (void)lanes;
    return (vi)vfused((vf)(acc + (below & CONSTANT(3))), (vf)CONSTANT(0), (vf)offset);
}
#define LINEAR_CODES(from, name) \
    EPILOGUE(name) { return from(extra, acc, row, channel, lanes) - LINEAR_ZERO; }
LINEAR_CODES(linear_free_s8, linear_free_codes_s8)
LINEAR_CODES(linear_s8, linear_codes_s8)
LINEAR_CODES(linear_split_s8, linear_split_codes_s8)
#undef LINEAR_CODES
EPILOGUE(int32_s8) {
    (void)extra, (void)row, (void)channel, (void)lanes;
    return acc;
}
EPILOGUE(float_s8) {
    (void)row, (void)lanes;
    return (vi)(vtof(acc) * vload((const float *)extra[0] + channel));
}
#undef CONSTANT

#if !defined(DOT8_TABLE)
// table[x + 128] for x in [-128, 127].
INLINE vi table_s8(vi x, const s8 *table) {
    UNROLL(l, VL) x[l] = table[x[l] + 128];
    return x;
}
#endif

// Residual additions of int8 values x and r in 32-bit lanes, unclamped. `single`: one rounding,
// ((x - x_zero) * x_m + (r - r_zero) * r_m + 2^(t-1)) >> t, plus y_zero; |x_m|, |r_m| <= 2^21, and
// constant = 2^(t-1) - x_zero * x_m - r_zero * r_m.
INLINE vi add_single_s8(vi x, vi r, const int x_m, const int r_m, const int constant, const int t,
                        const int y_zero) {
    return ((x * x_m + r * r_m + constant) >> t) + y_zero;
}
// `double`: both operands, shifted left by 20, times m / 2^(31 + right), summed, and the sum times
// its own multiplier; every product rounded as `double` rounds (TensorFlow Lite Micro's ADD).
INLINE vi add_double_s8(vi x, vi r, const int x_zero, const int r_zero, const int x_m,
                        const int x_right, const int r_m, const int r_right, const int y_m,
                        const int y_right, const int y_zero) {
    const vi none = {0};
    const vi a = requantize_double((x - x_zero) << 20, vset_i(x_m), none, vset_i(x_right), none);
    const vi b = requantize_double((r - r_zero) << 20, vset_i(r_m), none, vset_i(r_right), none);
    return requantize_double(a + b, vset_i(y_m), none, vset_i(y_right), vset_i(y_zero));
}
// Either of them in f32, where epilogue_s8.py has compared every pair of codes. `low`: x and the
// sum are LINEAR_ZERO + code.
INLINE vi add_linear_low_s8(vi x, vi r, const float x_scale, const float r_scale,
                            const float offset) {
    const vf partial = vfused(vtof(r), vset(r_scale), vset(offset));
    const vf sum = vfused((vf)x - (float)LINEAR_CENTRE, vset(x_scale), partial);
    return (vi)(sum + (float)LINEAR_CENTRE);
}
INLINE vi add_linear_s8(vi x, vi r, const float x_scale, const float r_scale, const float offset) {
    return add_linear_low_s8(x + LINEAR_ZERO, r, x_scale, r_scale, offset) - LINEAR_ZERO;
}
