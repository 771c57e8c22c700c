"""Softmax over the last axis. Outputs have the fixed quantisation scale 2**-bits, zero = lowest."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from whet.ops.integer.fixedpoint import (
    divide_by_power_of_two,
    exp_on_negative,
    mul_high,
    reciprocal,
)
from whet.ops.integer.quantization import Affine, Integers, Rounding
from whet.ops.integer.requantize import Multiplier, stored

SCALED_DIFF_BITS = 5
SUM_BITS = 12
EXP_BITS = {"int8": 16, "uint8": 16, "int16": 24}


@dataclass(frozen=True, slots=True)
class Softmax:
    """Constants of a softmax of int8 (or uint8) inputs.

    single: `exp_table`, uint32[256], exp(-d * scale * beta) for d = max - x, with EXP_BITS
    fractional bits: 16 keep an 8-bit softmax of up to 65535 elements within 32-bit arithmetic.
    double: `by` scales a difference to Q5.26; differences below `diff_min` give probability 0.
    """

    rounding: Rounding
    store: Literal["int8", "uint8", "int16"]
    exp_table: npt.NDArray[np.uint32]
    by: Multiplier
    diff_min: int


def softmax_constants(
    x: Affine, beta: float, rounding: Rounding, store: Literal["int8", "uint8", "int16"] = "int8"
) -> Softmax:
    """Constants for inputs quantised as `x`; beta multiplies the logits.

    The table of `single` is exp in double precision, rounded half to even. `double` follows
    TensorFlow Lite's PreprocessSoftmaxScaling and CalculateInputRadius.
    """
    d = np.arange(256, dtype=np.float64)
    exp_table = np.rint(np.exp(-d * x.scale * beta) * 2.0 ** EXP_BITS[store]).astype(np.uint32)
    real = min(beta * x.scale * 2.0 ** (31 - SCALED_DIFF_BITS), 2.0**31 - 1.0)
    fraction, exponent = math.frexp(real)
    m = math.floor(fraction * (1 << 31) + 0.5)
    if m == 1 << 31:
        m, exponent = m >> 1, exponent + 1
    by = Multiplier(np.array(m, np.int32), np.array(31 - exponent, np.int32))
    radius = math.floor(
        ((1 << SCALED_DIFF_BITS) - 1) * 2.0 ** (31 - SCALED_DIFF_BITS) / 2.0**exponent
    )
    return Softmax(rounding, store, exp_table, by, -radius)


def softmax(x: Integers, c: Softmax) -> Integers:
    """Softmax over the last axis of int8 or uint8 x, same shape, stored as `c.store`.

    With B = 8 or 16 output bits and low the smallest stored value:
    single: E = exp_table[max - x], S = sum of E (exact), y = low + (E * 2**B + S // 2) // S,
    clamped: an exact division, ties up.
    double: TensorFlow Lite Micro's fixed-point SOFTMAX: exponential in Q0.31 by polynomial and
    barrel shifter, reciprocal by three Newton steps.
    """
    low, high = int(np.iinfo(c.store).min), int(np.iinfo(c.store).max)
    bits = 8 * np.dtype(c.store).itemsize
    wide = x.astype(np.int64)
    diff = wide - wide.max(axis=-1, keepdims=True)
    if c.rounding == "single":
        e = c.exp_table[-diff].astype(np.int64)
        total = e.sum(axis=-1, keepdims=True)
        y = ((e << bits) + (total >> 1)) // total
        return stored(y + low, low, high, c.store)
    live = diff >= c.diff_min
    shifted = np.where(live, diff, 0) << (31 - int(c.by.t))
    e = exp_on_negative(mul_high(shifted, int(c.by.m)), SCALED_DIFF_BITS)
    total = np.where(live, divide_by_power_of_two(e, SUM_BITS), 0).sum(axis=-1, keepdims=True)
    inverse, over_unit = reciprocal(total, SUM_BITS)
    y = divide_by_power_of_two(mul_high(inverse, e), over_unit + 31 - bits) + low
    return stored(np.where(live, y, low), low, high, c.store)
