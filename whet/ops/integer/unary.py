"""Functions of one quantised value: for 8-bit tensors each becomes a 256-entry table.

A table is indexed by the byte of the input (two's complement for int8), so a device looks it up
without arithmetic. Tables are made once, at compile time.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from whet.ops.integer.quantization import (
    Activation,
    Affine,
    Integers,
    Rounding,
    activation_range,
)
from whet.ops.integer.requantize import Multiplier, multiplier, multiply, stored

Reals = npt.NDArray[np.float64]


def every_byte(store: str) -> Integers:
    """The 256 values of an 8-bit storage type in table order: entry i has byte i."""
    return np.arange(256, dtype=np.uint8).view(store)


def function_table(function: Callable[[Reals], Reals], x: Affine, y: Affine) -> Integers:
    """The table of any real function: y = clamp(y.zero + rint(function(real x) / y.scale)).

    Evaluated in double precision and rounded half to even. Where the function is not a number the
    entry is y.zero; infinities clamp.
    """
    real = (every_byte(x.store).astype(np.float64) - x.zero) * x.scale
    with np.errstate(all="ignore"):
        scaled = np.rint(function(real) / y.scale)
    finite = np.nan_to_num(scaled, nan=0.0, posinf=1e9, neginf=-1e9)
    return stored(np.clip(finite, -1e9, 1e9).astype(np.int64) + y.zero, y.low, y.high, y.store)


def table_of(function: Callable[[Integers], Integers], store: str) -> Integers:
    """The table of an integer function of `store` values."""
    return function(every_byte(store))


def lookup(x: Integers, table: Integers) -> Integers:
    """table[byte of x], element by element."""
    looked: Integers = table[x.view(np.uint8)]
    return looked


@dataclass(frozen=True, slots=True)
class Rescale:
    """Constants of y = x, from one quantisation to another, with a clamp."""

    x_zero: int
    by: Multiplier
    y_zero: int
    low: int
    high: int
    rounding: Rounding
    store: str


def rescale_constants(x: Affine, y: Affine, rounding: Rounding) -> Rescale:
    """Constants for the real multiplier x.scale / y.scale."""
    return Rescale(x.zero, multiplier(x.scale / y.scale), y.zero, y.low, y.high, rounding, y.store)


def relu_constants(x: Affine, y: Affine, activation: Activation, rounding: Rounding) -> Rescale:
    """Constants of a stand-alone clamp; the multiplier is float32(x.scale / y.scale)."""
    by = multiplier(float(np.float32(x.scale) / np.float32(y.scale)))
    low, high = activation_range(y, activation)
    return Rescale(x.zero, by, y.zero, low, high, rounding, y.store)


def rescale(x: Integers, c: Rescale) -> Integers:
    """y = clamp(y_zero + multiply(x - x_zero)). Input up to int32, output of any storage type."""
    value = (x.astype(np.int64) - c.x_zero).astype(np.int32)
    return stored(multiply(value, c.by, c.rounding) + c.y_zero, c.low, c.high, c.store)


@dataclass(frozen=True, slots=True)
class LeakyRelu:
    """Constants of y = x if x >= 0 else alpha * x."""

    x_zero: int
    identity: Multiplier
    alpha: Multiplier
    negative_alpha: bool
    y: Affine
    rounding: Rounding


def leaky_relu_constants(x: Affine, y: Affine, alpha: float, rounding: Rounding) -> LeakyRelu:
    """Multipliers x.scale / y.scale and alpha times it, in float32 as TensorFlow Lite Micro."""
    x32, y32 = np.float32(x.scale), np.float32(y.scale)
    identity, scaled = float(x32 / y32), float(x32 * np.float32(alpha) / y32)
    return LeakyRelu(x.zero, multiplier(identity), multiplier(abs(scaled)), scaled < 0, y, rounding)


def leaky_relu(x: Integers, c: LeakyRelu) -> Integers:
    """multiply(x', identity) if x' >= 0 else +-multiply(x', alpha), plus the output zero point."""
    value = x.astype(np.int64) - c.x_zero
    positive = multiply(value, c.identity, c.rounding)
    negative = multiply(value, c.alpha, c.rounding) * (-1 if c.negative_alpha else 1)
    y = np.where(value >= 0, positive, negative) + c.y.zero
    return stored(y, c.y.low, c.y.high, c.y.store)
