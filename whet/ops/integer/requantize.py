"""Requantisation: an int32 accumulator times a real multiplier, as integers.

A real multiplier is stored as (m, t): real = m * 2**-t, m in [2**30, 2**31), t the total right
shift.
"""

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from whet.errors import ShapeError
from whet.ops.integer.quantization import Integers, Rounding, round_half_away

Wide: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Multiplier:
    """Fixed-point multipliers, one (shape ()) or one per channel (shape (channels,)).

    m: int32 significands in [2**30, 2**31), or 0. t: int32 total right shifts, 1..62.
    """

    m: npt.NDArray[np.int32]
    t: npt.NDArray[np.int32]


def quantize_multiplier(real: float) -> tuple[int, int]:
    """The pair (m, t) nearest to a non-negative `real`: real ~ m * 2**-t.

    m = round(frexp(real) * 2**31), ties away from zero; a multiplier below 2**-32 becomes (0, 31).
    Both roundings derive multipliers in this way. TensorFlow Lite's `shift` is 31 - t.
    Raises ShapeError for a multiplier that is negative, not finite, or 2**30 and more.
    """
    if real < 0 or not math.isfinite(real):
        raise ShapeError("cannot requantise", why=f"{real} is no finite non-negative multiplier")
    if real == 0.0:
        return 0, 31
    fraction, exponent = math.frexp(real)
    m = round_half_away(fraction * (1 << 31))
    if m == 1 << 31:
        m, exponent = m >> 1, exponent + 1
    if exponent < -31:
        return 0, 31
    if exponent > 30:
        raise ShapeError("cannot requantise", why=f"multiplier {real} is 2**30 or more")
    return m, 31 - exponent


def multiplier(reals: float | npt.NDArray[np.float64]) -> Multiplier:
    """`quantize_multiplier` of a scalar (shape ()) or of every channel (shape (channels,))."""
    array = np.asarray(reals, np.float64)
    pairs = [quantize_multiplier(float(r)) for r in array.reshape(-1)]
    m = np.array([p[0] for p in pairs], np.int32).reshape(array.shape)
    t = np.array([p[1] for p in pairs], np.int32).reshape(array.shape)
    return Multiplier(m, t)


def wrap32(x: Integers) -> Wide:
    """The int32 value congruent to x modulo 2**32, held as int64."""
    narrow: npt.NDArray[np.int32] = x.astype(np.int64).astype(np.int32)
    return narrow.astype(np.int64)


def stored(y: Wide, low: int, high: int, store: str) -> Integers:
    """y clamped to [low, high] in storage type `store`."""
    cut: Integers = np.clip(y, low, high).astype(store)
    return cut


def multiply(x: Integers, by: Multiplier, rounding: Rounding) -> Wide:
    """x * m * 2**-t as an integer; x holds int32 values, m and t broadcast over its last axis.

    single: (x * m + 2**(t-1)) >> t, one rounding, ties up (TOSA 1.0 RESCALE, SINGLE_ROUND).
    double: with e = 31 - t, high = (wrap32(x << max(e, 0)) * m + 2**30) >> 31, then
    high * 2**-max(-e, 0), ties away from zero: TensorFlow Lite Micro's
    `MultiplyByQuantizedMultiplier` (gemmlowp's doubling high multiply, written without a branch).
    """
    m, t = by.m.astype(np.int64), by.t.astype(np.int64)
    if rounding == "single":
        rounded: Wide = (x.astype(np.int64) * m + (np.int64(1) << (t - 1))) >> t
        return rounded
    left, right = np.maximum(31 - t, 0), np.maximum(t - 31, 0)
    high = (wrap32(x.astype(np.int64) << left) * m + (1 << 30)) >> 31
    half: Wide = np.left_shift(np.int64(1), right) >> 1
    result: Wide = (high + half - ((high < 0) & (right > 0))) >> right
    return result


def multiply_wide(x: Integers, by: Multiplier) -> Wide:
    """x * m * 2**-t for accumulators of up to 48 bits (int16 activations), in both roundings.

    The significand is cut to 15 bits, r = min((m + 2**15) >> 16, 2**15 - 1), then
    (x * r + 2**(t-17)) >> (t - 16), ties up: TensorFlow Lite Micro's 64-bit
    `MultiplyByQuantizedMultiplier`. Raises ShapeError when t < 17.
    """
    m, t = by.m.astype(np.int64), by.t.astype(np.int64) - 16
    if np.any(t < 1):
        raise ShapeError(
            "cannot requantise", why="a 64-bit accumulator needs a multiplier below 2**14"
        )
    reduced = np.where(m < 0x7FFF0000, (m + (1 << 15)) >> 16, 0x7FFF)
    return wrap32((x.astype(np.int64) * reduced + (np.int64(1) << (t - 1))) >> t)


def requantize(
    acc: Integers,
    by: Multiplier,
    zero: int,
    low: int,
    high: int,
    rounding: Rounding,
    store: str,
) -> Integers:
    """clamp(zero + acc * m * 2**-t, low, high) in storage type `store`.

    int32 accumulators go through `multiply`; int64 ones (dtype of `acc`) through `multiply_wide`.
    """
    scaled = multiply_wide(acc, by) if acc.dtype == np.int64 else multiply(acc, by, rounding)
    return stored(scaled + zero, low, high, store)
