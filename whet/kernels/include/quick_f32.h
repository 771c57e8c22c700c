/* exp, sigmoid and tanh of floats in float arithmetic and without branches, so that loops over them
 * vectorise; within 3 units in the last place. math.h has the accurate ones. */
#ifndef WHET_QUICK_F32_H
#define WHET_QUICK_F32_H
#include "math_rounding.h"

/* exp(x) for x <= 0; 0 below -87.3, where results would be subnormal. Taylor to r^7 for
 * |r| <= ln2 / 2. NaN stays NaN. */
WHET_INLINE float quick_exp_negative_f32(float x)
{
    const float y = x < -88.0f ? -88.0f : x;
    const float shifted = y * 0x1.715476p+0f + 0x1.8p23f; /* the low bits hold the integer k */
    const float k = shifted - 0x1.8p23f;
    const float r = (y - k * 0x1.62e4p-1f) - k * 0x1.7f7d1cp-20f;
    float p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r * r + r + 1.0f;
    const float power = f32_of_bits((bits_of_f32(shifted) + 127u) << 23);
    return x < -87.3f ? 0.0f : p * power;
}

WHET_INLINE float quick_sigmoid_f32(float x)
{
    const float e = quick_exp_negative_f32(-math_abs_f32(x));
    return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

/* Below 0.625 an odd polynomial fitted (Chebyshev) to 2e-8, above the definition by exp(-2|x|). */
WHET_INLINE float quick_tanh_f32(float x)
{
    const float size = math_abs_f32(x), z = x * x;
    float p = -0.006096714176237583f;
    p = p * z + 0.020997179672122f;
    p = p * z - 0.05385090783238411f;
    p = p * z + 0.1333276927471161f;
    p = p * z - 0.333333283662796f;
    const float e = quick_exp_negative_f32(-2.0f * size);
    const float far = math_copysign_f32((1.0f - e) / (1.0f + e), x);
    return size < 0.625f ? x + x * z * p : far;
}

#endif
