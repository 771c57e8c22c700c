"""Concatenation of tensors whose quantisations differ."""

from collections.abc import Sequence

import numpy as np

from whet.errors import ShapeError
from whet.ops.integer.quantization import Affine, Integers, Rounding
from whet.ops.integer.requantize import stored
from whet.ops.integer.unary import every_byte, lookup, rescale, rescale_constants


def concatenation_table(x: Affine, y: Affine, rounding: Rounding) -> Integers | None:
    """The table that brings 8-bit `x` to `y`; None when they are equal and bytes are copied.

    single: one requantisation (`rescale`). double: TensorFlow Lite Micro demands equal int8
    quantisations (ShapeError otherwise); TensorFlow Lite's uint8 is x * s + b in float32 with
    s = x.scale * (1 / y.scale), b = -x.zero * s, rounded with ties away from zero.
    """
    if x == y:
        return None
    values = every_byte(x.store)
    if rounding == "single":
        return rescale(values, rescale_constants(x, y, "single"))
    if x.store != "uint8":
        raise ShapeError("concatenation", why="TensorFlow Lite needs equal int8 quantisations")
    s = np.float32(x.scale) * (np.float32(1) / np.float32(y.scale))
    real = (values.astype(np.float32) * s + np.float32(-x.zero) * s).astype(np.float64)
    away = np.trunc(real + np.copysign(0.5, real)).astype(np.int64)
    return stored(away + y.zero, y.low, y.high, y.store)


def concatenate(
    inputs: Sequence[Integers], tables: Sequence[Integers | None], axis: int
) -> Integers:
    """The inputs, each through its table, one after another along `axis`."""
    parts = [x if t is None else lookup(x, t) for x, t in zip(inputs, tables, strict=True)]
    return np.concatenate(parts, axis=axis)
