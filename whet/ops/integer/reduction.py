"""Mean, sum and maximum over axes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from whet.ops.integer.quantization import Affine, Integers, Rounding
from whet.ops.integer.requantize import Multiplier, multiplier, requantize, wrap32


@dataclass(frozen=True, slots=True)
class Reduction:
    """Constants of a mean or sum over `count` elements."""

    count: int
    x_zero: int
    by: Multiplier
    y_zero: int
    low: int
    high: int
    rounding: Rounding
    store: str


def sum_constants(x: Affine, y: Affine, count: int, rounding: Rounding) -> Reduction:
    """Constants of a sum: real multiplier x.scale / y.scale."""
    by = multiplier(x.scale / y.scale)
    return Reduction(count, x.zero, by, y.zero, y.low, y.high, rounding, y.store)


def mean_constants(x: Affine, y: Affine, count: int, rounding: Rounding) -> Reduction:
    """Constants of a mean.

    single: the multiplier nearest to x.scale / y.scale / count.
    double: as TensorFlow Lite Micro, that of a sum, whose significand is then divided by count
    (truncating) after a left shift of min(floor(log2(count)), 32, 31 + shift) bits.
    """
    if rounding == "single":
        by = multiplier(x.scale / y.scale / count)
    else:
        total = multiplier(x.scale / y.scale)
        shift = 31 - int(total.t)
        extra = min(count.bit_length() - 1, 32, 31 + shift)
        m = (int(total.m) << extra) // count
        by = Multiplier(np.array(m, np.int32), np.array(31 - (shift - extra), np.int32))
    return Reduction(count, x.zero, by, y.zero, y.low, y.high, rounding, y.store)


def mean_or_sum(x: Integers, axes: Sequence[int], c: Reduction, keep_dims: bool) -> Integers:
    """clamp(y_zero + multiply(sum(x) - x_zero * count)): one requantisation of the exact sum."""
    total = x.astype(np.int64).sum(axis=tuple(axes), keepdims=keep_dims) - c.x_zero * c.count
    acc = wrap32(np.asarray(total)).astype(np.int32)
    return requantize(acc, c.by, c.y_zero, c.low, c.high, c.rounding, c.store)


def reduce_max(x: Integers, axes: Sequence[int], keep_dims: bool) -> Integers:
    """Largest stored value over `axes`; input and output share one quantisation."""
    return np.asarray(x.max(axis=tuple(axes), keepdims=keep_dims))


def reduce_min(x: Integers, axes: Sequence[int], keep_dims: bool) -> Integers:
    """Smallest stored value over `axes`; input and output share one quantisation."""
    return np.asarray(x.min(axis=tuple(axes), keepdims=keep_dims))
