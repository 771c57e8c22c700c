"""Softmax of int16 logits over the last axis; the output has scale 2**-15, zero 0."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from whet.ops.integer.fixedpoint import count_leading_zeros
from whet.ops.integer.interpolation import interpolate, interpolated_table
from whet.ops.integer.quantization import Affine, Integers, Rounding
from whet.ops.integer.requantize import Multiplier, multiplier, multiply

_RANGE = 65535


@dataclass(frozen=True, slots=True)
class Softmax16:
    """Constants: by scales a difference of logits to [-65535, 0]; two tables of 513 entries."""

    by: Multiplier
    exp_table: npt.NDArray[np.int16]
    reciprocal_table: npt.NDArray[np.int16]
    rounding: Rounding


def softmax16_constants(x: Affine, beta: float, rounding: Rounding) -> Softmax16:
    """Tables of exp on [-10, 0] and of 1 / (1 + v) on [0, 1], both with outputs in Q0.15."""
    real = 10.0 / _RANGE
    scale32 = [float(np.float32(v) / np.float32(_RANGE)) for v in (10.0, 1.0, 2.0)]
    y = Affine(scale32[2], 0, "int16")
    return Softmax16(
        multiplier(x.scale * beta / real),
        interpolated_table(np.exp, Affine(scale32[0], 32767, "int16"), y, rounding),
        interpolated_table(lambda v: 1 / (1 + v), Affine(scale32[1], -32768, "int16"), y, rounding),
        rounding,
    )


def softmax16(x: Integers, c: Softmax16) -> Integers:
    """Softmax of int16 x: E = exp table of the scaled difference, S = sum(E), y = E / S.

    S is normalised to 1 + v by its leading zeros h; r = table of 1 / (1 + v);
    y = clamp((E * r + 2**(30-h)) >> (31 - h), 0, 32767). `double` is TensorFlow Lite Micro's.
    """
    wide = x.astype(np.int64)
    scaled = multiply(wide - wide.max(axis=-1, keepdims=True), c.by, c.rounding)
    e = interpolate(np.clip(scaled + 32767, -32768, 32767), c.exp_table).astype(np.int64)
    total = e.sum(axis=-1, keepdims=True)
    headroom = count_leading_zeros(total)
    normal = ((total << (headroom - 1)) + (1 << 13)) >> 14
    v = np.clip(normal - ((1 << 15) + (1 << 16)), -32768, 32767)
    inverse = interpolate(v, c.reciprocal_table).astype(np.int64)
    right = 31 - headroom
    y = (e * inverse + (np.int64(1) << (right - 1))) >> right
    narrowed: Integers = np.clip(y, 0, 32767).astype(np.int16)
    return narrowed
