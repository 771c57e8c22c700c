"""Addition and subtraction of quantised tensors: both operands brought to a common scale."""

import math
from dataclasses import dataclass

import numpy as np

from whet.errors import ShapeError
from whet.ops.integer.quantization import (
    Activation,
    Affine,
    Integers,
    Rounding,
    activation_range,
)
from whet.ops.integer.requantize import Multiplier, multiplier, multiply, stored, wrap32


@dataclass(frozen=True, slots=True)
class Addition:
    """Compile-time constants of y = a + b (or a - b, when `b_by` came from `subtract`).

    single: `a_m`, `b_m` (negative to subtract) and the one shift `t` are used.
    double: `left_shift`, `a_by`, `b_by`, `y_by` and `sign` (+1 or -1) are used.
    """

    a_zero: int
    b_zero: int
    y_zero: int
    low: int
    high: int
    rounding: Rounding
    store: str
    sign: int
    a_m: int = 0
    b_m: int = 0
    t: int = 1
    left_shift: int = 0
    a_by: Multiplier | None = None
    b_by: Multiplier | None = None
    y_by: Multiplier | None = None


def _common_shift(a: float, b: float, bits: int) -> int:
    """t such that max(a, b) * 2**t lies in [2**bits, 2**(bits+1)), between 1 and 30 (62 wide)."""
    _, exponent = math.frexp(max(a, b))
    t = min(bits + 1 - exponent, 30 if bits <= 20 else 62)
    if t < 1:
        raise ShapeError("cannot add", why=f"input scale is {max(a, b):g} times the output scale")
    return t


def addition_constants(
    a: Affine,
    b: Affine,
    y: Affine,
    activation: Activation,
    rounding: Rounding,
    *,
    subtract: bool = False,
) -> Addition:
    """Constants of y = a + b, or a - b.

    single: a_m = round(a.scale / y.scale * 2**t), b_m likewise, with t the largest shift that keeps
    both within 2**21 (int8, 32-bit arithmetic) or 2**31 (int16, 64-bit arithmetic).
    double: TensorFlow Lite Micro's, derived in double precision.
    """
    low, high = activation_range(y, activation)
    sign = -1 if subtract else 1
    if rounding == "single":
        ra, rb = a.scale / y.scale, b.scale / y.scale
        t = _common_shift(ra, rb, 30 if "int16" in (a.store, b.store) else 20)
        a_m, b_m = math.floor(ra * 2.0**t + 0.5), math.floor(rb * 2.0**t + 0.5)
        return Addition(
            a.zero, b.zero, y.zero, low, high, rounding, y.store, sign, a_m, sign * b_m, t
        )
    left = 15 if y.store == "int16" else 20
    twice = 2 * max(a.scale, b.scale)
    reals = (a.scale / twice, b.scale / twice, twice / ((1 << left) * y.scale))
    a_by, b_by, y_by = (multiplier(r) for r in reals)
    if int(y_by.t) < 31:
        raise ShapeError("cannot add", why="the output scale is too small for its inputs")
    return Addition(
        a.zero, b.zero, y.zero, low, high, rounding, y.store, sign,
        left_shift=left, a_by=a_by, b_by=b_by, y_by=y_by,
    )  # fmt: skip


def add(a: Integers, b: Integers, c: Addition) -> Integers:
    """y = a + b (or a - b) with NumPy broadcasting.

    With a' = a - a_zero and b' = b - b_zero:
    single: y = clamp(y_zero + ((a' * a_m + b' * b_m + 2**(t-1)) >> t)): one rounding, ties up.
    double: multiply(multiply(a' << left, a_by) +- multiply(b' << left, b_by), y_by) + y_zero,
    three roundings, as TensorFlow Lite Micro's ADD and SUB.
    """
    a_value, b_value = a.astype(np.int64) - c.a_zero, b.astype(np.int64) - c.b_zero
    if c.a_by is None or c.b_by is None or c.y_by is None:
        total = (a_value * c.a_m + b_value * c.b_m + (1 << (c.t - 1))) >> c.t
    else:
        scaled_a = multiply(wrap32(a_value << c.left_shift), c.a_by, "double")
        scaled_b = multiply(wrap32(b_value << c.left_shift), c.b_by, "double")
        total = multiply(wrap32(scaled_a + c.sign * scaled_b), c.y_by, "double")
    return stored(total + c.y_zero, c.low, c.high, c.store)
