// exp log tanh sigmoid erf gelu swish sin cos over vectors of floats, each a branch-free
// polynomial; all but gelu and swish for a single float too: lane_exp_f32, ... (lane 0 of the same
// code: the same bits).
//
// Within 2 units in the last place of the true value (sigmoid 2.1); NaN gives NaN, infinities give
// the limit, results may be subnormal. vsin and vcos: for |x| <= 8192, absolute error 2^-24 near
// their zeros. Polynomials are minimax fits of the stated function on the stated interval; ranges
// are reduced after Cody and Waite, with constants split so that products are exact.
#pragma once
#include "simd.h"

// c[0] + x c[1] + ... + x^(n-1) c[n-1]
INLINE vf vpolynomial(const float *c, const int n, vf x) {
    vf y = vset(c[n - 1]);
    UNROLL (i, n - 1) y = vfma(y, x, vset(c[n - 2 - i]));
    return y;
}

// z + MAGIC has round(z) in its low bits.
#define MAGIC 12582912.f // 1.5 * 2^23
#define MAGIC_BITS 0x4b400000

INLINE vf vexp(vf x) {
    // (e^r - 1 - r) / r^2, |r| <= ln 2 / 2
    static const float c[] = {0.5f, 0.166665183f, 0.0416662042f, 0.00836895396f, 0.00139505977f};
    x = vmin(vset(89.f), vmax(vset(-104.f), x));
    const vf z = vfma(x, vset(1.44269504f), vset(MAGIC)), n = z - MAGIC;
    const vf r = vfma(n, vset(-1.42860677e-6f), vfma(n, vset(-0.693145752f), x));
    return vscale(vfma(r * r, vpolynomial(c, 5, r), r) + 1.f, n);
}

// 2^x for x <= 0, 0 below -126.5, within 2.2 units in the last place; NaN gives NaN.
INLINE vf vexp2_negative(vf x) {
    // 2^r, |r| <= 1/2
    static const float c[] = {1.f,           0.693147004f,  0.240222424f,
                              0.0555073358f, 0.00967151299f, 0.00132647273f};
    x = vmax(vset(-127.f), x);
    const vf z = x + MAGIC, r = x - (z - MAGIC);
    return vpolynomial(c, 6, r) * (vf)(((vi)z << 23) + (127 << 23));
}

INLINE vf vlog(vf x) {
    // (log(1 + f) - f + f^2 / 2) / f^3, sqrt(1/2) <= 1 + f < sqrt(2)
    static const float c[] = {0.333333125f,  -0.250000095f, 0.200021236f,
                              -0.166680048f, 0.142194498f,  -0.124053457f,
                              0.118887248f,  -0.116774922f, 0.0674764212f};
    const vi tiny = x < 1.17549435e-38f, root = vset_i(0x3f3504f3); // bits of sqrt(1/2)
    const vi bits = (vi)vselect(tiny, x * 8388608.f, x) - root;
    const vf e = vtof((bits >> 23) - (tiny & 23));
    const vf f = (vf)((bits & 0x7fffff) + root) - 1.f;
    const vf low = vfma(f * f * f, vpolynomial(c, 9, f), e * 1.42860677e-6f);
    const vf y = vfma(e, vset(0.693145752f), f + vfma(f * f, vset(-0.5f), low));
    const vf limit =
        vselect(x == 0.f, vset(-__builtin_inff()), vselect(x < 0.f, vset(__builtin_nanf("")), x));
    return vselect((x > 0.f) & (x < __builtin_inff()), y, limit);
}

// e^x - 1 within 2 units in the last place for |x| <= 40, beyond that the value there.
INLINE vf vexpm1_near(vf x) {
    // (e^r - 1 - r) / r^2, |r| <= ln 2 / 2
    static const float c[] = {0.5f, 0.166665183f, 0.0416662042f, 0.00836895396f, 0.00139505977f};
    x = vmin(vset(40.f), vmax(vset(-40.f), x));
    const vf z = vfma(x, vset(1.44269504f), vset(MAGIC)), n = z - MAGIC;
    const vf r = vfma(n, vset(-1.42860677e-6f), vfma(n, vset(-0.693145752f), x));
    const vf power = (vf)(((vi)z << 23) + (127 << 23));
    return vfma(power, vfma(r * r, vpolynomial(c, 5, r), r), power - 1.f);
}

INLINE vf vtanh(vf x) {
    // (tanh(r) - r) / r^3 over r^2, r <= 0.55
    static const float c[] = {-0.33333318f, 0.133326017f, -0.053853855f, 0.021077747f,
                              -0.00628245837f};
    const vf r = vabs(x), s = r * r;
    const vf near = vfma(r * s, vpolynomial(c, 5, s), r);
    const vf far = 1.f - vdivide(vset(2.f), vexp(vmin(vset(40.f), r + r)) + 1.f);
    return vcopysign(vselect(r < 0.55f, near, far), x);
}

INLINE vf vsigmoid(vf x) {
    const vf e = vexp(-vabs(x));
    return vdivide(vselect(x >= 0.f, vset(1.f), e), e + 1.f);
}

// x vsigmoid(x) for x > -infinity, to an absolute error of 2^-23 or 2 units in the last place of
// x.
INLINE vf vswish(vf x) {
    // 2^r, |r| <= 1/2
    static const float c[] = {1.f,           0.693147004f,  0.240222424f,
                              0.0555073358f, 0.00967151299f, 0.00132647273f};
    const vf y = vmin(vset(120.f), vmax(vset(-120.f), x * -1.44269504f));
    const vf z = y + MAGIC, n = z - MAGIC;
    const vf power = (vf)(((vi)z << 23) + (vi)vpolynomial(c, 6, y - n)); // 2^y
    return x * vdivide(vset(1.f), power + 1.f);
}

INLINE vf verf(vf x) {
    // (erf(r) / r - 2 / sqrt(pi)) / r^2 over r^2, r <= 0.93; -log(1 - erf(r)), 0.92 <= r <= 4
    static const float c[] = {-0.376126353f,  0.112837091f,   -0.0268598856f,
                              0.00520183487f, -0.0008148648f, 8.38539277e-05f};
    static const float d[] = {0.000195655154f, 1.12767572f,    0.637182085f,    0.103931749f,
                              -0.0222269989f,  0.00304323851f, -0.000195939545f};
    const vf r = vabs(x), s = r * r;
    const vf near = vfma(r, vset(0.128379167f), vfma(r * s, vpolynomial(c, 6, s), r));
    const vf far = 1.f - vexp(-vpolynomial(d, 7, vmin(vset(4.f), r)));
    return vcopysign(vselect(r < 0.925f, near, far), x);
}

// x times the normal distribution's share below x, to an absolute error of 2^-23 or 1 unit in the
// last place of x.
INLINE vf vgelu(vf x) {
    // log2 of the share above r, 0 <= r <= 6, where the share matters
    static const float c[] = {-1.f,
                              -1.15110838f,
                              -0.459178001f,
                              -0.0525913127f,
                              0.00720366789f,
                              -0.000245650619f,
                              -0.000140772085f,
                              2.97557617e-05f,
                              -2.02721003e-06f};
    const vf r = vmin(vset(16.f), vabs(x));
    return vmax(vset(0.f), x) - r * vexp2_negative(vpolynomial(c, 9, r));
}

// sin(x + quarter * pi / 2)
INLINE vf vsin_quarter(vf x, const int quarter) {
    // (sin(r) - r) / r^3 and (cos(r) - 1 + r^2 / 2) / r^4 over r^2, |r| <= pi / 4
    static const float c[] = {-0.166666666f, 0.00833332936f, -0.000198393271f, 2.71823707e-06f};
    static const float d[] = {0.0416666666f, -0.00138888837f, 2.47995117e-05f, -2.72095428e-07f};
    const vf z = vfma(x, vset(0.636619772f), vset(MAGIC)), n = z - MAGIC;
    vf r = vfma(n, vset(-1.5703125f), x);
    r = vfma(n, vset(-7.54978995e-8f), vfma(n, vset(-4.83751297e-4f), r));
    const vi turn = (vi)z - MAGIC_BITS + quarter;
    const vf s = r * r, sine = vfma(r * s, vpolynomial(c, 4, s), r);
    const vf cosine = vfma(s, vfma(s, vpolynomial(d, 4, s), vset(-0.5f)), vset(1.f));
    const vf y = vselect((turn & 1) == 1, cosine, sine);
    return (vf)((vi)y ^ ((turn & 2) << 30));
}
INLINE vf vsin(vf x) { return vsin_quarter(x, 0); }
INLINE vf vcos(vf x) { return vsin_quarter(x, 1); }
#undef MAGIC
#undef MAGIC_BITS

INLINE float lane_exp_f32(float x) { return vexp(vset(x))[0]; }
INLINE float lane_log_f32(float x) { return vlog(vset(x))[0]; }
INLINE float lane_tanh_f32(float x) { return vtanh(vset(x))[0]; }
INLINE float lane_sigmoid_f32(float x) { return vsigmoid(vset(x))[0]; }
INLINE float lane_erf_f32(float x) { return verf(vset(x))[0]; }
INLINE float lane_sin_f32(float x) { return vsin(vset(x))[0]; }
INLINE float lane_cos_f32(float x) { return vcos(vset(x))[0]; }
