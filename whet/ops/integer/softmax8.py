"""Softmax over the last axis of 8-bit codes, to 8-bit codes of any scale whose zero is the lowest.

One rounding to 16 bits for each exponential, one for the reciprocal of a row's sum, one for the
result: within two hundredths of a code of the real function, before the rounding to a code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from whet.errors import ShapeError
from whet.ops.integer.quantization import Affine, Integers
from whet.ops.integer.requantize import stored

TOP = 65535
RECIPROCAL_BITS = 16
LONGEST = 4096
LONGEST_SHIFT = 15


@dataclass(frozen=True, slots=True)
class Softmax8:
    """exponentials: uint16[256], TOP * exp(-d * scale * beta) for d = max - x, ties to even.

    factor: 1 / y.scale with RECIPROCAL_BITS fractional bits.
    """

    exponentials: npt.NDArray[np.uint16]
    factor: int
    y: Affine


def softmax8_constants(x: Affine, beta: float, y: Affine) -> Softmax8:
    """Constants for codes quantised as `x`, results as `y`; beta multiplies the logits.

    Raises ShapeError where y's zero is not its lowest code, or its scale is below 2**-12.
    """
    if y.zero != y.low or y.scale < 2.0**-12:
        raise ShapeError("softmax", why=f"no integer form gives codes of {y}")
    d = np.arange(256, dtype=np.float64)
    exponentials = np.rint(np.exp(-d * x.scale * beta) * TOP).astype(np.uint16)
    return Softmax8(exponentials, max(1, round(2.0**RECIPROCAL_BITS / y.scale)), y)


def reciprocal_of_sum(total: int, factor: int) -> tuple[int, int]:
    """r of at most 16 bits and a shift s of 2 to LONGEST_SHIFT: r * 2**-(s + 16) is
    factor / total / 2**RECIPROCAL_BITS, cut."""
    shift = 16 + total.bit_length() - factor.bit_length()
    r = (factor << shift) // total
    if r >> 16:
        r, shift = r >> 1, shift - 1
    over = max(shift - LONGEST_SHIFT, 0)
    return r >> over, shift - over


def softmax8(x: Integers, c: Softmax8) -> Integers:
    """Softmax over the last axis of n <= LONGEST codes, same shape, stored as c.y.store.

    E = exponentials[max - x]; (r, s) = reciprocal_of_sum(sum of E, factor);
    y = y.zero + ((((E * r) >> 16) + 2**(s - 1)) >> s), clamped.
    """
    wide = x.astype(np.int64)
    e = c.exponentials[wide.max(axis=-1, keepdims=True) - wide].astype(np.int64)
    totals = e.sum(axis=-1, keepdims=True)
    pairs = np.array([reciprocal_of_sum(int(t), c.factor) for t in totals.reshape(-1)], np.int64)
    r, s = (p.reshape(totals.shape) for p in pairs.reshape(-1, 2).T)
    y = ((e * r >> 16) + (1 << (s - 1))) >> s
    return stored(y + c.y.zero, c.y.low, c.y.high, c.y.store)
