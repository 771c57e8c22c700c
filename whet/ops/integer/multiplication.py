"""Products of quantised tensors: multiplication, squared difference, and PReLU."""

from dataclasses import dataclass

import numpy as np

from whet.ops.integer.quantization import (
    Activation,
    Affine,
    Integers,
    Rounding,
    activation_range,
)
from whet.ops.integer.requantize import Multiplier, multiplier, multiply, stored, wrap32


@dataclass(frozen=True, slots=True)
class Multiplication:
    """Constants of y = a * b."""

    a_zero: int
    b_zero: int
    y_zero: int
    by: Multiplier
    low: int
    high: int
    rounding: Rounding
    store: str


def multiplication_constants(
    a: Affine, b: Affine, y: Affine, activation: Activation, rounding: Rounding
) -> Multiplication:
    """Constants for the real multiplier a.scale * b.scale / y.scale."""
    by = multiplier(a.scale * b.scale / y.scale)
    low, high = activation_range(y, activation)
    return Multiplication(a.zero, b.zero, y.zero, by, low, high, rounding, y.store)


def mul(a: Integers, b: Integers, c: Multiplication) -> Integers:
    """y = clamp(y_zero + multiply((a - a_zero) * (b - b_zero))), NumPy broadcasting."""
    product = wrap32((a.astype(np.int64) - c.a_zero) * (b.astype(np.int64) - c.b_zero))
    scaled = multiply(product, c.by, c.rounding) + c.y_zero
    return stored(scaled, c.low, c.high, c.store)


@dataclass(frozen=True, slots=True)
class SquaredDifference:
    """Constants of y = (a - b)**2: a_by, b_by to the common scale, y_by from its square."""

    a_zero: int
    b_zero: int
    y_zero: int
    left_shift: int
    a_by: Multiplier
    b_by: Multiplier
    y_by: Multiplier
    low: int
    high: int
    rounding: Rounding
    store: str


def squared_difference_constants(
    a: Affine, b: Affine, y: Affine, rounding: Rounding
) -> SquaredDifference:
    """Constants with common scale 2 * max(a.scale, b.scale) / 2**left_shift.

    left_shift is 7 for int8 and 0 for int16, in both roundings.
    """
    left = 0 if a.store == "int16" else 7
    twice = 2.0 * max(a.scale, b.scale)
    y_real = twice * twice / float(np.float32(1 << (2 * left)) * np.float32(y.scale))
    return SquaredDifference(
        a.zero, b.zero, y.zero, left,
        multiplier(a.scale / twice), multiplier(b.scale / twice), multiplier(y_real),
        y.low, y.high, rounding, y.store,
    )  # fmt: skip


def squared_difference(a: Integers, b: Integers, c: SquaredDifference) -> Integers:
    """d = multiply((a - a_zero) << left, a_by) - the same of b; y = y_zero + multiply(d * d, y_by).

    NumPy broadcasting. `double` is TensorFlow Lite Micro's SQUARED_DIFFERENCE.
    """
    a_value = (a.astype(np.int64) - c.a_zero) << c.left_shift
    b_value = (b.astype(np.int64) - c.b_zero) << c.left_shift
    difference = multiply(a_value, c.a_by, c.rounding) - multiply(b_value, c.b_by, c.rounding)
    scaled = multiply(wrap32(difference * difference), c.y_by, c.rounding) + c.y_zero
    return stored(scaled, c.low, c.high, c.store)


@dataclass(frozen=True, slots=True)
class ParametricRelu:
    """Constants of PReLU: by_positive = x / y scales, by_negative = x * alpha / y scales."""

    x_zero: int
    alpha_zero: int
    y_zero: int
    by_positive: Multiplier
    by_negative: Multiplier
    low: int
    high: int
    rounding: Rounding
    store: str


def prelu_constants(x: Affine, alpha: Affine, y: Affine, rounding: Rounding) -> ParametricRelu:
    """Constants of y = x if x >= 0 else alpha * x."""
    return ParametricRelu(
        x.zero, alpha.zero, y.zero,
        multiplier(x.scale / y.scale), multiplier(x.scale * alpha.scale / y.scale),
        y.low, y.high, rounding, y.store,
    )  # fmt: skip


def prelu(x: Integers, alpha: Integers, c: ParametricRelu) -> Integers:
    """multiply(x', by_positive) if x' >= 0 else multiply(x' * alpha', by_negative), plus y_zero."""
    value = x.astype(np.int64) - c.x_zero
    product = wrap32(value * (alpha.astype(np.int64) - c.alpha_zero))
    positive = multiply(value, c.by_positive, c.rounding)
    negative = multiply(product, c.by_negative, c.rounding)
    scaled = np.where(value >= 0, positive, negative) + c.y_zero
    return stored(scaled, c.low, c.high, c.store)
