"""Fixed-point exponential, reciprocal, logistic and tanh on int32 (gemmlowp's definitions).

Used by the `double` rounding only. Values are int32 held in int64 arrays; Qa.b means a integer
and b fractional bits. All of it is integer arithmetic, so every device computes the same bits.
"""

import numpy as np
import numpy.typing as npt

from whet.ops.integer.requantize import wrap32

Wide = npt.NDArray[np.int64]

_MAX = (1 << 31) - 1
_EXP_MINUS_EIGHTH = 1895147668
_ONE_THIRD = 715827883
_EXP_POWERS = (
    (-2, 1672461947),
    (-1, 1302514674),
    (0, 790015084),
    (1, 290630308),
    (2, 39332535),
    (3, 720401),
    (4, 242),
)
"""(k, Q0.31 of exp(-2**k))."""
_48_OVER_17 = 1515870810
_NEG_32_OVER_17 = -1010580540


def mul_high(a: Wide, b: Wide | int) -> Wide:
    """(2 * a * b) >> 32 rounded to nearest, ties up: the Q0.31 product."""
    return (a * b + (1 << 30)) >> 31


def divide_by_power_of_two(x: Wide, exponent: Wide | int) -> Wide:
    """x / 2**exponent rounded to nearest, ties away from zero."""
    e = np.asarray(exponent, np.int64)
    half = (np.int64(1) << e) >> 1
    return (x + half - ((x < 0) & (e > 0))) >> e


def shift_left_saturating(x: Wide, by: int) -> Wide:
    """x * 2**by, saturated to int32; `by` is positive."""
    bound = (1 << (31 - by)) - 1
    return np.where(x > bound, _MAX, np.where(x < -bound, -_MAX - 1, x << by))


def _half_sum(a: Wide, b: int) -> Wide:
    total = a + b
    return (total + np.where(total >= 0, 1, 0)) >> 1


def exp_on_negative(a: Wide, integer_bits: int) -> Wide:
    """exp(a) in Q0.31 for a <= 0 in Q(integer_bits).(31 - integer_bits)."""
    fractional = 31 - integer_bits
    quarter = 1 << (fractional - 2)
    reduced = (a & (quarter - 1)) - quarter
    scaled = shift_left_saturating(reduced, integer_bits) if integer_bits else reduced
    x = scaled + (1 << 28)
    x2 = mul_high(x, x)
    x3 = mul_high(x2, x)
    x4_over_4 = divide_by_power_of_two(mul_high(x2, x2), 2)
    tail = divide_by_power_of_two(mul_high(x4_over_4 + x3, _ONE_THIRD) + x2, 1)
    result = _EXP_MINUS_EIGHTH + mul_high(x + tail, _EXP_MINUS_EIGHTH)
    remainder = reduced - a
    for power, factor in _EXP_POWERS:
        if integer_bits > power:
            taken = (remainder & (1 << (fractional + power))) != 0
            result = np.where(taken, mul_high(result, factor), result)
    if integer_bits > 5:
        result = np.where(a < -(1 << (36 - integer_bits)), 0, result)
    return np.where(a == 0, _MAX, result)


def _newton_reciprocal(half_denominator: Wide) -> Wide:
    """1 / half_denominator in Q2.29 for half_denominator in [1/2, 1) as Q0.31: three steps."""
    x = _48_OVER_17 + mul_high(half_denominator, _NEG_32_OVER_17)
    for _ in range(3):
        error = (1 << 29) - mul_high(half_denominator, x)
        x = wrap32(x + shift_left_saturating(mul_high(x, error), 2))
    return x


def one_over_one_plus(a: Wide) -> Wide:
    """1 / (1 + a) in Q0.31 for a in [0, 1] as Q0.31."""
    return shift_left_saturating(_newton_reciprocal(_half_sum(a, _MAX)), 1)


def one_minus_over_one_plus(a: Wide) -> Wide:
    """(1 - a) / (1 + a) in Q0.31 for a in [0, 1] as Q0.31."""
    return shift_left_saturating(_newton_reciprocal(_half_sum(a, _MAX)) - (1 << 29), 2)


def logistic(a: Wide, integer_bits: int) -> Wide:
    """1 / (1 + exp(-a)) in Q0.31 for a in Q(integer_bits).(31 - integer_bits)."""
    positive = one_over_one_plus(exp_on_negative(wrap32(-np.abs(a)), integer_bits))
    result = np.where(a > 0, positive, _MAX - positive)
    return np.where(a == 0, 1 << 30, result)


def tanh(a: Wide, integer_bits: int) -> Wide:
    """tanh(a) in Q0.31 for a in Q(integer_bits).(31 - integer_bits)."""
    n = wrap32(-np.abs(a))
    t = one_minus_over_one_plus(exp_on_negative(n, integer_bits + 1))
    return np.where(a == 0, 0, np.where(a < 0, -t, t))


def count_leading_zeros(x: Wide) -> Wide:
    """Leading zero bits of x seen as uint32; 32 for 0."""
    u = x & 0xFFFFFFFF
    return 32 - np.ceil(np.log2(u.astype(np.float64) + 1)).astype(np.int64)


def reciprocal(x: Wide, integer_bits: int) -> tuple[Wide, Wide]:
    """(r, e) with 1 / x = r * 2**-(31 + e), r in Q0.31, for x > 0 with `integer_bits` integers."""
    headroom = count_leading_zeros(x)
    minus_one = wrap32((x << headroom) - (1 << 31))
    return one_over_one_plus(minus_one), integer_bits - headroom


def inverse_sqrt(x: int) -> tuple[int, int]:
    """(m, e) with 1 / sqrt(x) = m * 2**(e - 31), e <= 0, for an int32 x; 0 is treated as 1.

    Five Newton steps in Q3.28 from the guess 1, on x scaled by a power of four into [2**27, 2**29).
    """
    if x <= 1:
        return _MAX, 0
    shift = 11
    while x >= 1 << 29:
        x, shift = x // 4, shift + 1
    pairs = (32 - x.bit_length() - 1) // 2 - 1
    x, shift = x << (2 * pairs), shift - pairs
    half_input = divide_by_power_of_two(np.asarray(x >> 1, np.int64), 1)
    guess = np.asarray(1 << 28, np.int64)
    for _ in range(5):
        cube = shift_left_saturating(mul_high(mul_high(guess, guess), guess), 6)
        step = mul_high(guess, (1 << 28) + (1 << 27)) - mul_high(half_input, cube)
        guess = shift_left_saturating(wrap32(np.asarray(step)), 3)
    m = int(mul_high(guess, 1518500250))
    if shift < 0:
        m, shift = m << -shift, 0
    return m, -shift
