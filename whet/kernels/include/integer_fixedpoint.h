/* Fixed-point exponential, reciprocal, logistic and tanh on i32, portable scalar C: the bits of
 * whet/ops/integer/fixedpoint.py. Qa.b has a integer and b fractional bits. */
#ifndef WHET_INTEGER_FIXEDPOINT_H
#define WHET_INTEGER_FIXEDPOINT_H
#include "integer_requantize.h"

/* x * 2^by, saturated; by in 1..30. */
WHET_INLINE i32 integer_shift_left_saturating(const i32 x, const int by)
{
    const i32 bound = (1 << (31 - by)) - 1;
    return x > bound ? INT32_MAX : x < -bound ? INT32_MIN : integer_shift_left(x, by);
}

/* exp(a) in Q0.31 for a <= 0 in Q(integer_bits). */
WHET_INLINE i32 integer_exp_on_negative(const i32 a, const int integer_bits)
{
    static const i32 powers[7] = {1672461947, 1302514674, 790015084, 290630308,
                                  39332535,   720401,     242}; /* exp(-2^k), k = -2.. */
    const int fractional = 31 - integer_bits;
    const i32 quarter = 1 << (fractional - 2);
    const i32 reduced = (a & (quarter - 1)) - quarter;
    const i32 scaled =
        integer_bits ? integer_shift_left_saturating(reduced, integer_bits) : reduced;
    const i32 x = scaled + (1 << 28);
    const i32 x2 = integer_mul_high(x, x);
    const i32 x3 = integer_mul_high(x2, x);
    const i32 x4_over_4 = integer_divide_by_power(integer_mul_high(x2, x2), 2);
    const i32 cubic = integer_mul_high(x4_over_4 + x3, 715827883) + x2;
    i32 result = 1895147668 + integer_mul_high(x + integer_divide_by_power(cubic, 1), 1895147668);
    const u32 remainder = (u32)reduced - (u32)a;
    for (int k = -2; k < integer_bits && k < 5; k++)
        if (remainder & (u32)1 << (fractional + k))
            result = integer_mul_high(result, powers[k + 2]);
    if (integer_bits > 5 && a < -(1 << (36 - integer_bits)))
        result = 0;
    return a == 0 ? INT32_MAX : result;
}

/* 1 / half_denominator in Q2.29 for half_denominator in [1/2, 1]: three Newton steps. */
WHET_INLINE i32 integer_newton_reciprocal(const i32 half_denominator)
{
    i32 x = 1515870810 + integer_mul_high(half_denominator, -1010580540);
    for (int i = 0; i < 3; i++) {
        const i32 error = (1 << 29) - integer_mul_high(half_denominator, x);
        x = (i32)((u32)x + (u32)integer_shift_left_saturating(integer_mul_high(x, error), 2));
    }
    return x;
}

/* (a + 1) / 2 in Q0.31, to nearest. */
WHET_INLINE i32 integer_half_of_one_plus(const i32 a)
{
    const i64 total = (i64)a + INT32_MAX;
    return (i32)((total + (total >= 0)) >> 1);
}

/* 1 / (1 + a) in Q0.31 for a in [0, 1]. */
WHET_INLINE i32 integer_one_over_one_plus(const i32 a)
{
    return integer_shift_left_saturating(integer_newton_reciprocal(integer_half_of_one_plus(a)),
                                         1);
}

/* (1 - a) / (1 + a) in Q0.31 for a in [0, 1]. */
WHET_INLINE i32 integer_one_minus_over_one_plus(const i32 a)
{
    const i32 x = integer_newton_reciprocal(integer_half_of_one_plus(a));
    return integer_shift_left_saturating(x - (1 << 29), 2);
}

/* 1 / x = result * 2^-(31 + *over_unit) for x > 0 with integer_bits integer bits. */
WHET_INLINE i32 integer_reciprocal(const i32 x, const int integer_bits, i32 *over_unit)
{
    const int headroom = __builtin_clz((u32)x);
    *over_unit = integer_bits - headroom;
    return integer_one_over_one_plus((i32)(((u32)x << headroom) - ((u32)1 << 31)));
}

/* 1 / (1 + exp(-a)) in Q0.31. */
WHET_INLINE i32 integer_logistic(const i32 a, const int integer_bits)
{
    if (a == 0)
        return 1 << 30;
    const i32 negative = a > 0 ? -a : a;
    const i32 y = integer_one_over_one_plus(integer_exp_on_negative(negative, integer_bits));
    return a > 0 ? y : INT32_MAX - y;
}

/* tanh(a) in Q0.31. */
WHET_INLINE i32 integer_tanh(const i32 a, const int integer_bits)
{
    if (a == 0)
        return 0;
    const i32 e = integer_exp_on_negative(a > 0 ? -a : a, integer_bits + 1);
    const i32 y = integer_one_minus_over_one_plus(e);
    return a < 0 ? -y : y;
}
#endif
