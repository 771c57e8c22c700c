/* exp, expm1, log, log1p, pow and the hyperbolic family in double. See math.h. */
#ifndef WHET_MATH_EXPONENTIAL_H
#define WHET_MATH_EXPONENTIAL_H
#include "math_rounding.h"

#define MATH_LN2_HIGH 0x1.62e42fefp-1 /* 33 bits: k * MATH_LN2_HIGH is exact */
#define MATH_LN2_LOW 0x1.473de6af278edp-34

/* exp(r) - 1 for |r| <= ln2 / 2: Taylor to r^13, the rest is below 2^-57. */
WHET_INLINE double math_expm1_reduced(double r)
{
    static const double c[] = {
        1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040, 1.0 / 40320,
        1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};
    return r + r * r * math_polynomial(c, 12, r);
}

/* exp(x + low) for a small correction low. */
WHET_INLINE double math_exp_two_f64(double x, double low)
{
    if (!(x < 710.0))
        return x != x ? x : MATH_INFINITY;
    if (x < -746.0)
        return 0.0;
    const double k = math_round_f64(x * 0x1.71547652b82fep+0);
    const double high = x - k * MATH_LN2_HIGH;
    return math_scale_f64(1.0 + math_expm1_reduced(high - (k * MATH_LN2_LOW - low)), (int)k);
}

WHET_INLINE double math_exp_f64(double x) { return math_exp_two_f64(x, 0.0); }

WHET_INLINE double math_expm1_f64(double x)
{
    if (!(x < 710.0))
        return x != x ? x : MATH_INFINITY;
    if (x < -40.0)
        return -1.0;
    const double k = math_round_f64(x * 0x1.71547652b82fep+0);
    if (k == 0.0)
        return x == 0.0 ? x : math_expm1_reduced(x);
    const double r = x - k * MATH_LN2_HIGH - k * MATH_LN2_LOW;
    const double half_power = math_scale_f64(1.0, (int)k - 1);
    return ((half_power - 0.5) + half_power * math_expm1_reduced(r)) * 2.0;
}

/* 2 atanh(s) - 2 s = 2 s^3/3 + 2 s^5/5 + ... for |s| <= 0.1716. */
WHET_INLINE double math_atanh_tail(double s)
{
    static const double c[] = {2.0 / 3,  2.0 / 5,  2.0 / 7,  2.0 / 9,  2.0 / 11,
                               2.0 / 13, 2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21};
    const double z = s * s;
    return s * z * math_polynomial(c, 10, z);
}

/* Split a positive finite x into m * 2^k with m in [sqrt(1/2), sqrt(2)); returns m. */
WHET_INLINE double math_split_f64(double x, int *k)
{
    *k = 0;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        *k = -54;
    }
    const u64 bits = bits_of_f64(x) - 0x3fe6a09e667f3bcdull; /* sqrt(1/2) */
    const int exponent = (int)((i64)bits >> 52);
    *k += exponent;
    return f64_of_bits(bits_of_f64(x) - ((u64)exponent << 52));
}

WHET_INLINE double math_log_f64(double x)
{
    if (!(x > 0.0) || x == MATH_INFINITY)
        return x == 0.0 ? -MATH_INFINITY : x < 0.0 ? MATH_NAN : x;
    int k;
    const double f = math_split_f64(x, &k) - 1.0;
    const double s = f / (2.0 + f); /* log(1 + f) = f - s (f - tail / s) keeps f exact */
    return k * MATH_LN2_HIGH + (f - (s * f - (math_atanh_tail(s) + k * MATH_LN2_LOW)));
}

WHET_INLINE double math_log1p_f64(double x)
{
    if (!(x > -1.0) || x == MATH_INFINITY)
        return x == -1.0 ? -MATH_INFINITY : x < -1.0 ? MATH_NAN : x;
    if (x > -0.2928 && x < 0.4142) {
        const double s = x / (2.0 + x);
        return x - (s * x - math_atanh_tail(s));
    }
    const double u = 1.0 + x;
    const double lost = x > 1.0 ? 1.0 - (u - x) : x - (u - 1.0);
    return math_log_f64(u) + lost / u;
}

/* x ^ y for finite positive x and finite y. The logarithm is carried in two doubles; the error is
 * about 1 + |y log x| / 60 units in the last place. */
WHET_INLINE double math_pow_positive_f64(double x, double y)
{
    _Pragma("STDC FP_CONTRACT OFF")
    const u64 top = ~0ull << 27; /* keeps 26 bits, so that products of two are exact */
    int k;
    const double f = math_split_f64(x, &k) - 1.0;
    const double d = 2.0 + f, d_high = f64_of_bits(bits_of_f64(d) & top);
    const double s = f / d, s_high = f64_of_bits(bits_of_f64(s) & top);
    const double s_low = ((f - s_high * d_high) - s_high * (f - (d_high - 2.0))) / d;
    const double lead = k * MATH_LN2_HIGH;
    const double sum = lead + 2.0 * s_high;
    const double lost = k ? (lead - sum) + 2.0 * s_high : 0.0;
    const double low = lost + (2.0 * s_low + (math_atanh_tail(s) + k * MATH_LN2_LOW));
    const double log_high = f64_of_bits(bits_of_f64(sum + low) & top);
    const double log_low = (sum - log_high) + low;
    const double y_high = f64_of_bits(bits_of_f64(y) & top);
    const double product = y * (log_high + log_low);
    if (!(math_abs_f64(product) < 800.0))
        return product > 0.0 ? MATH_INFINITY : 0.0;
    const double high = y_high * log_high;
    return math_exp_two_f64(high, (y - y_high) * log_high + y * log_low);
}

WHET_INLINE double math_pow_f64(double x, double y)
{
    if (y == 0.0 || x == 1.0)
        return 1.0;
    if (x != x || y != y)
        return x + y;
    const double size = math_abs_f64(x), y_size = math_abs_f64(y);
    const int whole = y_size >= 0x1p52 || math_trunc_f64(y) == y;
    const int odd = whole && y_size < 0x1p53 && ((i64)y & 1);
    const int negative = bits_of_f64(x) >> 63;
    if (y_size == MATH_INFINITY)
        return size == 1.0 ? 1.0 : (size > 1.0) == (y > 0.0) ? MATH_INFINITY : 0.0;
    if (negative && !whole && size != 0.0 && size != MATH_INFINITY)
        return MATH_NAN;
    double out;
    if (size == 0.0 || size == MATH_INFINITY)
        out = (size == 0.0) == (y > 0.0) ? 0.0 : MATH_INFINITY;
    else
        out = math_pow_positive_f64(size, y);
    return negative && odd ? -out : out;
}

WHET_INLINE double math_sinh_f64(double x)
{
    const double size = math_abs_f64(x);
    if (size < 0x1p-28)
        return x;
    double y;
    if (size < 40.0) {
        const double t = math_expm1_f64(size);
        y = 0.5 * (t + t / (t + 1.0));
    } else {
        const double root = math_exp_f64(0.5 * size); /* exp(size) may overflow where y does not */
        y = 0.5 * root * root;
    }
    return math_copysign_f64(y, x);
}

WHET_INLINE double math_cosh_f64(double x)
{
    const double size = math_abs_f64(x);
    if (size < 40.0) {
        const double e = math_exp_f64(size);
        return 0.5 * e + 0.5 / e;
    }
    const double root = math_exp_f64(0.5 * size);
    return 0.5 * root * root;
}

WHET_INLINE double math_tanh_f64(double x)
{
    const double size = math_abs_f64(x);
    if (size < 0x1p-28)
        return x;
    if (size > 22.0)
        return math_copysign_f64(1.0, x);
    const double t = math_expm1_f64(-2.0 * size);
    return x != x ? x : math_copysign_f64(-t / (t + 2.0), x);
}

WHET_INLINE double math_asinh_f64(double x)
{
    const double size = math_abs_f64(x);
    if (size < 0x1p-28 || !(size < MATH_INFINITY))
        return x;
    double y;
    if (size > 0x1p28) {
        y = math_log_f64(size) + MATH_LN2_HIGH + MATH_LN2_LOW;
    } else {
        const double square = size * size;
        y = math_log1p_f64(size + square / (1.0 + math_sqrt_f64(square + 1.0)));
    }
    return math_copysign_f64(y, x);
}

WHET_INLINE double math_acosh_f64(double x)
{
    if (!(x >= 1.0))
        return MATH_NAN;
    if (x > 0x1p28)
        return math_log_f64(x) + MATH_LN2_HIGH + MATH_LN2_LOW;
    const double t = x - 1.0;
    return math_log1p_f64(t + math_sqrt_f64(t * (2.0 + t)));
}

WHET_INLINE double math_atanh_f64(double x)
{
    const double size = math_abs_f64(x);
    if (size < 0x1p-28)
        return x;
    if (!(size < 1.0))
        return size == 1.0 ? math_copysign_f64(MATH_INFINITY, x) : MATH_NAN;
    return math_copysign_f64(0.5 * math_log1p_f64(2.0 * size / (1.0 - size)), x);
}

/* Error function. Below 1 erf(x)/x is fitted in x^2 over [0, 1]; above, exp(x^2) erfc(x) is
 * fitted in (x - 2)/(x + 2) over [-1/3, 1/2]; at 6 and beyond erf is 1 to the last bit. */
WHET_INLINE double math_erf_f64(double x)
{
    static const double near[] = {
        1.1283791670955126,     -0.37612638903183543,    0.11283791670945006,
        -0.02686617064323777,   0.0052239776071164225,   -0.0008548325975389692,
        0.00012055294904839707, -1.492473690741966e-05,  1.6447424703317362e-06,
        -1.6208483801871705e-07, 1.3720064546777686e-08, -7.795898827002142e-10};
    static const double far[] = {
        0.2553956763105057,     -0.4271858474139585,    0.24165819424248763,
        -0.07897858101571269,   0.0037328924016564484,  0.006997461739200575,
        -0.0008471431229415333, -0.0009819771114740715, 4.355265359817883e-05,
        0.00017436477257256738, 2.7560352756678313e-05, -2.7640727821912852e-05,
        -1.4166339069117108e-05, 1.859427387429402e-06, 4.146302183268488e-06,
        -2.22812957637235e-07};
    const double size = math_abs_f64(x);
    if (size < 1.0)
        return x * math_polynomial(near, 12, x * x);
    if (!(size < 6.0))
        return x != x ? x : math_copysign_f64(1.0, x);
    const double tail = math_polynomial(far, 16, (size - 2.0) / (size + 2.0));
    return math_copysign_f64(1.0 - math_exp_f64(-size * size) * tail, x);
}

#endif
