"""The 256-entry tables of named activation functions on 8-bit tensors.

`single`: the real function in double precision, rounded half to even (`function_table`).
`double`: what TensorFlow Lite Micro's kernel of that name computes for each of the 256 inputs. It
has no uint8; there TensorFlow Lite itself makes the `single` table for logistic and tanh.
"""

import math
from collections.abc import Callable

import numpy as np

from whet.errors import ShapeError
from whet.ops.integer import fixedpoint
from whet.ops.integer.fixedpoint import divide_by_power_of_two, inverse_sqrt
from whet.ops.integer.quantization import Affine, Integers, Rounding
from whet.ops.integer.requantize import Multiplier, Wide, multiplier, multiply, stored
from whet.ops.integer.unary import (
    Reals,
    every_byte,
    function_table,
    leaky_relu,
    leaky_relu_constants,
)

INPUT_BITS = 4
RSQRT_SHIFT = 20


def _need(condition: bool, why: str) -> None:
    if not condition:
        raise ShapeError("cannot make the table", why=why, hint="--rounding single")


def _sigmoid(v: Reals) -> Reals:
    return 1.0 / (1.0 + np.exp(-v))


def _fixed_point_table(
    x: Affine, function: Callable[[Wide, int], Wide], bits: int, zero: int
) -> Integers:
    """function in Q0.31 of x in Q4.27, rounded to `bits` fractional bits; saturates outside +-16.

    The input multiplier and the radius follow TensorFlow Lite Micro's LOGISTIC and TANH.
    """
    fraction, shift = math.frexp(x.scale * 2.0 ** (31 - INPUT_BITS))
    by = Multiplier(
        np.array(math.floor(fraction * (1 << 31) + 0.5), np.int64), np.array(31 - shift, np.int32)
    )
    radius = math.floor(((1 << INPUT_BITS) - 1) * 2.0 ** (31 - INPUT_BITS) / 2.0**shift)
    value = every_byte("int8").astype(np.int64) - x.zero
    inside = np.abs(value) < radius
    q4 = multiply(np.where(inside, value, 0), by, "double")
    y = divide_by_power_of_two(function(q4, INPUT_BITS), 31 - bits) + zero
    y = np.where(value <= -radius, -128, np.where(value >= radius, 127, y))
    return stored(y, -128, 127, "int8")


def logistic_table(x: Affine, y: Affine, rounding: Rounding) -> Integers:
    """1 / (1 + exp(-x)). `double` of int8 fixes the output at scale 1/256, zero -128."""
    if rounding == "single" or x.store == "uint8":
        return function_table(_sigmoid, x, y)
    _need((x.store, y.store, y.zero) == ("int8", "int8", -128), "LOGISTIC needs output zero -128")
    return _fixed_point_table(x, fixedpoint.logistic, 8, -128)


def tanh_table(x: Affine, y: Affine, rounding: Rounding) -> Integers:
    """tanh(x). `double` of int8 fixes the output at scale 1/128, zero 0."""
    if rounding == "single" or x.store == "uint8":
        return function_table(np.tanh, x, y)
    _need((x.store, y.store, y.zero) == ("int8", "int8", 0), "TANH needs output zero 0")
    return _fixed_point_table(x, fixedpoint.tanh, 7, 0)


def elu_table(x: Affine, y: Affine, rounding: Rounding) -> Integers:
    """x if x >= 0 else exp(x) - 1. `double` computes in float32, as TensorFlow Lite Micro."""
    if rounding == "single":
        return function_table(lambda v: np.where(v < 0, np.expm1(np.minimum(v, 0)), v), x, y)
    value = (every_byte(x.store).astype(np.int32) - x.zero).astype(np.float32)
    real = np.float32(x.scale) * value
    exp = np.exp(real.astype(np.float64)).astype(np.float32) - np.float32(1)
    scaled = np.where(real < 0, exp, real) * (np.float32(1) / np.float32(y.scale))
    away = np.trunc(scaled.astype(np.float64) + np.copysign(0.5, scaled)).astype(np.int64)
    return stored(away + y.zero, y.low, y.high, y.store)


def leaky_relu_table(x: Affine, y: Affine, alpha: float, rounding: Rounding) -> Integers:
    """x if x >= 0 else alpha * x."""
    if rounding == "single":
        return function_table(lambda v: np.where(v < 0, v * alpha, v), x, y)
    return leaky_relu(every_byte(x.store), leaky_relu_constants(x, y, alpha, rounding))


def relu6_table(x: Affine, y: Affine, rounding: Rounding) -> Integers:
    """min(max(x, 0), 6). `double` ignores the output's quantisation: it only clamps."""
    if rounding == "single":
        return function_table(lambda v: np.clip(v, 0, 6), x, y)
    six = round(6.0 / x.scale) if (6.0 / x.scale) % 1 != 0.5 else math.floor(6.0 / x.scale + 0.5)
    value = every_byte(x.store).astype(np.int64)
    return stored(np.clip(value, x.zero, min(x.zero + six, x.high)), x.low, x.high, x.store)


def absolute_table(x: Affine, y: Affine, rounding: Rounding) -> Integers:
    """|x|."""
    if rounding == "single":
        return function_table(np.abs, x, y)
    value = np.abs(every_byte(x.store).astype(np.int64) - x.zero)
    if x.scale != y.scale:
        by = multiplier(float(np.float32(x.scale) / np.float32(y.scale)))
        value = multiply(value, by, "double")
    return stored(value + y.zero, y.low, y.high, y.store)


def reciprocal_sqrt_table(x: Affine, y: Affine, rounding: Rounding) -> Integers:
    """1 / sqrt(x); an input of zero, and in either rounding a negative one, gives the largest y."""
    if rounding == "single":
        return function_table(lambda v: 1.0 / np.sqrt(np.maximum(v, 0)), x, y)
    root = np.sqrt(np.float32(x.scale))
    by = multiplier(1.0 / float(root * np.float32(y.scale)))
    out = np.full(256, y.high, np.int64)
    for i, q in enumerate(every_byte(x.store)):
        if int(q) > x.zero:
            m, exponent = inverse_sqrt(int(q) - x.zero)
            first = Multiplier(np.array(m), np.array(31 - exponent - RSQRT_SHIFT))
            once = multiply(np.array(1), first, "double")
            out[i] = multiply(once, Multiplier(by.m, by.t + RSQRT_SHIFT), "double") + y.zero
    return stored(out, y.low, y.high, y.store)


def hard_swish_table(x: Affine, y: Affine, rounding: Rounding) -> Integers:
    """x * min(max(x + 3, 0), 6) / 6. `double` is 16-bit fixed point, as TensorFlow Lite Micro."""
    if rounding == "single":
        return function_table(lambda v: v * np.clip(v + 3, 0, 6) / 6, x, y)
    fine = np.float32(1 / 128) * np.float32(x.scale)
    y_m, y_exponent = _short_multiplier(float(fine / np.float32(y.scale)))
    r_m, r_exponent = _short_multiplier(float(fine / np.float32(3 / 32768)))
    _need(y_exponent <= 0, "HARD_SWISH needs an output scale of at least x.scale / 128")
    value = (every_byte(x.store).astype(np.int64) - x.zero) << 7
    before = _high16(value, y_m)
    relu = value
    if r_exponent > 0:
        relu = _saturate16(relu << (r_exponent - 1))
    relu = _high16(relu, r_m)
    if r_exponent > 0:
        relu = _saturate16(relu << 1)
    elif r_exponent < 0:
        relu = divide_by_power_of_two(relu, -r_exponent)
    relu = (relu + (1 << 15)) >> 1
    product = relu * before
    halved = np.sign(product) * (np.abs(product) >> 15)
    out = divide_by_power_of_two(halved, -y_exponent) + y.zero
    wrapped = out.astype(np.int16).astype(np.int64)
    return stored(wrapped, y.low, y.high, y.store)


def _short_multiplier(real: float) -> tuple[int, int]:
    """(15-bit significand, exponent) of a positive real multiplier."""
    by = multiplier(real)
    m = int(by.m)
    short = 32767 if m >= (1 << 31) - 1 - (1 << 15) else (m + (1 << 15)) >> 16
    return short, 31 - int(by.t)


def _high16(a: Wide, b: int) -> Wide:
    """(2 * a * b) >> 16 to nearest, ties up, of 16-bit values."""
    return (a * b + (1 << 14)) >> 15


def _saturate16(a: Wide) -> Wide:
    return np.clip(a, -32768, 32767)
