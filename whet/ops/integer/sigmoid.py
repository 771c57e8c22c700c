"""Logistic and tanh of int16 tensors: one shared table, interpolated linearly.

The same integers in both roundings: they are TensorFlow Lite Micro's 16-bit LOGISTIC and TANH.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from whet.ops.integer.quantization import Affine, Integers
from whet.ops.integer.requantize import Wide

STEPS_PER_UNIT = 24


def sigmoid_table() -> npt.NDArray[np.uint16]:
    """256 values of 2**16 / (1 + exp(-i / 24)), each raised by half the chord's largest error.

    Raising by f''(i) / 16 halves the error of linear interpolation of a concave function. The first
    entry is exactly one half, the last one below 2**16.
    """
    s = 1.0 / (1.0 + np.exp(-np.arange(256) / STEPS_PER_UNIT))
    curvature = s * (1 - s) * (1 - 2 * s) / STEPS_PER_UNIT**2
    table = np.rint(65536 * (s - curvature / 16))
    table[255] = 65535
    return table.astype(np.uint16)


_TABLE = sigmoid_table().astype(np.int64)


@dataclass(frozen=True, slots=True)
class Scaling:
    """Input scaling: (x * m + 2**(shift-1)) >> shift counts 1 / (24 * 512) (logistic) or
    1 / (24 * 512) of twice the value (tanh)."""

    m: int
    shift: int


def input_scaling(x: Affine, powers_of_two: tuple[int, ...]) -> Scaling:
    """Scaling of inputs quantised as int16 `x`, zero point 0, as TensorFlow Lite Micro derives it.

    powers_of_two: exponents k for which a scale of 2**(k - 12) is taken exactly; (0,) for logistic
    and (0, 1) for tanh.
    """
    log2 = math.log2(x.scale)
    exponent = round(log2)
    if abs(log2 - exponent) < 1e-3 and exponent + 12 in powers_of_two:
        return Scaling(3 << (exponent + 12), 0)
    real, shift = x.scale * 4096.0 * 3.0, 0
    while real <= 32767.0 / 2.0 and shift <= 30:
        real, shift = real * 2.0, shift + 1
    return Scaling(int(real), shift)


def _scaled(x: Integers, c: Scaling) -> Wide:
    half = (1 << c.shift) >> 1
    y: Wide = (x.astype(np.int64) * c.m + half) >> c.shift
    return y


def logistic16(x: Integers, c: Scaling) -> Integers:
    """1 / (1 + exp(-x)) in Q0.15."""
    value = _scaled(x, c)
    high, low = np.abs(value) >> 9, np.abs(value) & 511
    i = np.minimum(high, 254)
    y = (_TABLE[i] << 9) + low * (_TABLE[i + 1] - _TABLE[i])
    y = np.where(high >= 255, 0x7FFF << 10, y)
    y = np.where(value >= 0, y + (1 << 9), (1 << 25) - y + (1 << 9) - 1) >> 10
    q15: Integers = y.astype(np.int16)
    return q15


def tanh16(x: Integers, c: Scaling) -> Integers:
    """tanh(x) in Q0.15, as 2 * sigmoid(2x) - 1."""
    value = _scaled(x, c)
    high, low = np.abs(value) >> 8, np.abs(value) & 255
    i = np.minimum(high, 254)
    y = (_TABLE[i] << 8) + low * (_TABLE[i + 1] - _TABLE[i])
    y = np.where(high >= 255, 0xFFFF << 8, y)
    y = np.where(value >= 0, y - (1 << 23) + (1 << 7), -y + (1 << 23) + (1 << 7) - 1) >> 8
    q15: Integers = y.astype(np.int16)
    return q15
