/* sin, cos, tan and their inverses in double. See math.h. */
#ifndef WHET_MATH_TRIGONOMETRIC_H
#define WHET_MATH_TRIGONOMETRIC_H
#include "math_rounding.h"

#define MATH_PI 0x1.921fb54442d18p+1
#define MATH_PI_2 0x1.921fb54442d18p+0
#define MATH_PI_2_LOW 0x1.1a62633145c07p-54

/* x = n pi/2 + *r with |*r| <= pi/4 for finite |x| >= 2^20; returns n mod 4.
 * Payne and Hanek 1983: the leading bits of 2/pi, which give only whole turns, are skipped. */
WHET_INLINE int math_reduce_large_f64(double x, double *r)
{
    static const u32 two_over_pi[] = {
        0x00000000, 0x00000000, 0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599,
        0x3c439041, 0xfe5163ab, 0xdebbc561, 0xb7246e3a, 0x424dd2e0, 0x06492eea, 0x09d1921c,
        0xfe1deb1c, 0xb129a73e, 0xe88235f5, 0x2ebb4484, 0xe99c7026, 0xb45f7e41, 0x3991d639,
        0x835339f4, 0x9c845f8b, 0xbdf9283b, 0x1ff897ff, 0xde05980f, 0xef2f118b, 0x5a0a6d1f,
        0x6d367ecf, 0x27cb09b7, 0x4f463f66, 0x9e5fea2d, 0x7527bac7, 0xebe5f17b, 0x3d0739f7,
        0x8a5292ea, 0x6bfb5fb1, 0x1f8d5d08, 0x56033046, 0xfc7b6bab};
    const u64 bits = bits_of_f64(x);
    const u64 mantissa = (bits & ((1ull << 52) - 1)) | 1ull << 52;
    const int exponent = (int)(bits >> 52 & 2047) - 1075; /* |x| = mantissa * 2^exponent */
    const int skip = exponent + 62; /* bit i of the table weighs 2^(63 - i): keep x's share < 4 */
    u32 part[6];
    for (int i = 0; i < 6; i++) {
        const u32 *word = two_over_pi + skip / 32 + i;
        part[i] = (u32)(((u64)word[0] << 32 | word[1]) >> (32 - skip % 32));
    }
    u32 product[6] = {0}; /* mantissa * part modulo 2^192, most significant word first */
    for (int half = 0; half < 2; half++) {
        const u64 factor = half ? mantissa >> 32 : (u32)mantissa;
        u64 carry = 0;
        for (int i = 5 - half; i >= 0; i--) {
            carry += product[i] + factor * part[i + half];
            product[i] = (u32)carry;
            carry >>= 32;
        }
    }
    int n = (int)(product[0] >> 30); /* two bits above the binary point, then the fraction */
    u64 high = ((u64)product[0] << 32 | product[1]) << 2 | product[2] >> 30;
    u64 low = ((u64)product[2] << 32 | product[3]) << 2 | product[4] >> 30;
    double sign = 1.0;
    if (high >> 63) { /* past a half: count from the next multiple */
        n++;
        high = ~high;
        low = ~low;
        sign = -1.0;
    }
    *r = sign * MATH_PI_2 * ((double)high * 0x1p-64 + (double)low * 0x1p-128);
    if (!(bits >> 63))
        return n & 3;
    *r = -*r;
    return -n & 3;
}

/* x = n pi/2 + *r, |*r| <= pi/4 (a little more at the seams); returns n mod 4. x is finite. */
WHET_INLINE int math_reduce_f64(double x, double *r)
{
    if (math_abs_f64(x) >= 0x1p20)
        return math_reduce_large_f64(x, r);
    const double n = math_round_f64(x * 0x1.45f306dc9c883p-1);
    const double high = x - n * 0x1.921fb544p+0, middle = n * 0x1.0b4611a6p-34;
    const double sum = high - middle; /* exact parts of pi/2: 33, 33 and 53 bits */
    *r = sum - (n * 0x1.3198a2e037073p-69 - ((high - sum) - middle));
    return (int)n & 3;
}

/* sin(r) for |r| <= pi/4: Taylor to r^17. */
WHET_INLINE double math_sin_reduced(double r)
{
    static const double c[] = {-1.0 / 6,         1.0 / 120,        -1.0 / 5040,
                               1.0 / 362880,     -1.0 / 39916800,  1.0 / 6227020800,
                               -1.0 / 1307674368000, 1.0 / 355687428096000};
    const double z = r * r;
    return r + r * z * math_polynomial(c, 8, z);
}

/* cos(r) for |r| <= pi/4: Taylor to r^16. */
WHET_INLINE double math_cos_reduced(double r)
{
    static const double c[] = {1.0 / 24,        -1.0 / 720,       1.0 / 40320,
                               -1.0 / 3628800,  1.0 / 479001600,  -1.0 / 87178291200,
                               1.0 / 20922789888000};
    const double z = r * r, half = 0.5 * z, lead = 1.0 - half;
    return lead + (((1.0 - lead) - half) + z * z * math_polynomial(c, 7, z));
}

/* sin(x + quarters pi/2). */
WHET_INLINE double math_sin_shifted_f64(double x, const int quarters)
{
    if (!(math_abs_f64(x) < MATH_INFINITY))
        return MATH_NAN;
    double r;
    const int n = math_reduce_f64(x, &r) + quarters;
    const double y = n & 1 ? math_cos_reduced(r) : r == 0.0 ? r : math_sin_reduced(r);
    return n & 2 ? -y : y;
}

WHET_INLINE double math_sin_f64(double x) { return x == 0.0 ? x : math_sin_shifted_f64(x, 0); }

WHET_INLINE double math_cos_f64(double x) { return math_sin_shifted_f64(x, 1); }

WHET_INLINE double math_tan_f64(double x)
{
    if (x == 0.0 || !(math_abs_f64(x) < MATH_INFINITY))
        return x == 0.0 ? x : MATH_NAN;
    double r;
    const int n = math_reduce_f64(x, &r);
    const double s = math_sin_reduced(r), c = math_cos_reduced(r);
    return n & 1 ? -c / s : s / c;
}

/* atan(x) for 0 <= x <= 1: atan(c) + atan((x - c)/(1 + x c)) with c the nearest quarter. */
WHET_INLINE double math_atan_unit(double x)
{
    static const double at_quarter[] = {0.0, 0.24497866312686414, 0.4636476090008061,
                                        0.6435011087932844, 0.7853981633974483};
    static const double c[] = {-1.0 / 3, 1.0 / 5,  -1.0 / 7, 1.0 / 9,
                               -1.0 / 11, 1.0 / 13, -1.0 / 15, 1.0 / 17};
    const int i = (int)(4.0 * x + 0.5);
    const double middle = 0.25 * i;
    const double t = (x - middle) / (1.0 + x * middle), z = t * t;
    return at_quarter[i] + (t + t * z * math_polynomial(c, 8, z));
}

WHET_INLINE double math_atan_f64(double x)
{
    const double size = math_abs_f64(x);
    if (!(size >= 0x1p-28))
        return x;
    if (size <= 1.0)
        return math_copysign_f64(math_atan_unit(size), x);
    return math_copysign_f64(MATH_PI_2 - (math_atan_unit(1.0 / size) - MATH_PI_2_LOW), x);
}

/* Angle of the point (x, y) in (-pi, pi], with C's rules for zeros and infinities. */
WHET_INLINE double math_atan2_f64(double y, double x)
{
    if (x != x || y != y)
        return x + y;
    const int left = (int)(bits_of_f64(x) >> 63);
    const double width = math_abs_f64(x), height = math_abs_f64(y);
    double angle;
    if (height == 0.0)
        angle = 0.0;
    else if (width == MATH_INFINITY)
        angle = height == MATH_INFINITY ? 0.5 * MATH_PI_2 : 0.0;
    else if (height > width)
        angle = MATH_PI_2 - (math_atan_f64(width / height) - MATH_PI_2_LOW);
    else
        angle = math_atan_unit(height / width);
    if (left)
        angle = MATH_PI - (angle - 2.0 * MATH_PI_2_LOW);
    return math_copysign_f64(angle, y);
}

WHET_INLINE double math_asin_f64(double x)
{
    if (!(math_abs_f64(x) <= 1.0))
        return MATH_NAN;
    return math_atan_f64(x / math_sqrt_f64((1.0 - x) * (1.0 + x)));
}

WHET_INLINE double math_acos_f64(double x)
{
    if (!(math_abs_f64(x) <= 1.0))
        return MATH_NAN;
    return 2.0 * math_atan_f64(math_sqrt_f64((1.0 - x) / (1.0 + x)));
}

#endif
