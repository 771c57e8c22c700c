"""L2 normalisation and layer normalisation over the last axis."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from whet.errors import ShapeError
from whet.ops.integer.fixedpoint import inverse_sqrt
from whet.ops.integer.quantization import Affine, Integers, Rounding
from whet.ops.integer.requantize import Multiplier, Wide, multiply, stored

OUTPUT_BITS = 7
NORMALISED_BITS = 12
WEIGHT_BITS = 16
MAX_DEPTH = 1 << 15


def integer_sqrt(x: Wide) -> Wide:
    """floor(sqrt(x)) for 0 <= x < 2**62."""
    root = np.sqrt(x.astype(np.float64)).astype(np.int64)
    root = root - (root * root > x)
    return root + ((root + 1) * (root + 1) <= x)


def l2_normalize(x: Integers, x_zero: int, rounding: Rounding) -> Integers:
    """x / norm(x) over the last axis as int8 with scale 1/128, zero 0. x is int8.

    With v = x - x_zero and S = sum of v * v:
    single: sign(v) * ((isqrt((v * v << 16) / S) + 1) >> 1), the division truncating, clamped: the
    exactly rounded quotient, ties away from zero; 0 where S is 0. 32-bit arithmetic.
    double: TensorFlow Lite Micro's L2_NORMALIZATION, by the Newton inverse square root.
    """
    value = x.astype(np.int64) - x_zero
    total = (value * value).sum(axis=-1, keepdims=True)
    if rounding == "single":
        ratio = (value * value << 16) // np.maximum(total, 1)
        y = np.sign(value) * ((integer_sqrt(ratio) + 1) >> 1)
        return stored(y, -128, 127, "int8")
    pairs = [inverse_sqrt(int(s)) for s in total.reshape(-1)]
    m = np.array([p[0] for p in pairs], np.int32).reshape(total.shape)
    t = np.array([31 - p[1] - OUTPUT_BITS for p in pairs], np.int32).reshape(total.shape)
    return stored(multiply(value, Multiplier(m, t), "double"), -128, 127, "int8")


@dataclass(frozen=True, slots=True)
class LayerNorm:
    """Constants of a layer normalisation over `depth` elements.

    gamma [depth] int32 and beta [depth] int64: gamma / y.scale and beta / y.scale, times
    2**(t - NORMALISED_BITS) and 2**t. epsilon: in units of the squared deviations, with
    `variance_bits` (even) fractional bits.
    """

    depth: int
    epsilon: int
    variance_bits: int
    gamma: npt.NDArray[np.int32]
    beta: npt.NDArray[np.int64]
    t: int
    y: Affine


def layer_norm_constants(
    x: Affine,
    y: Affine,
    gamma: npt.NDArray[np.floating],
    beta: npt.NDArray[np.floating],
    epsilon: float,
) -> LayerNorm:
    """Constants of y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, int8.

    gamma keeps WEIGHT_BITS bits. Raises ShapeError when the axis is longer than MAX_DEPTH or gamma
    exceeds what the output scale can show.
    """
    depth = len(gamma)
    if depth > MAX_DEPTH:
        raise ShapeError("layer norm", why=f"an axis of {depth} elements; at most {MAX_DEPTH}")
    g, b = np.asarray(gamma, np.float64) / y.scale, np.asarray(beta, np.float64) / y.scale
    _, exponent = math.frexp(max(float(np.abs(g).max()), 2.0**-20))
    shift = min(WEIGHT_BITS - exponent, 30)
    if shift < 0:
        raise ShapeError("layer norm", why="gamma is too large for the output scale")
    t = shift + NORMALISED_BITS
    variance_bits = 2 * max(0, min(8, (46 - 3 * depth.bit_length()) // 2))
    real_epsilon = epsilon * (depth / x.scale) ** 2 * 2.0**variance_bits
    return LayerNorm(
        depth=depth,
        epsilon=min(max(1, round(real_epsilon)), 1 << 60),
        variance_bits=variance_bits,
        gamma=np.rint(g * 2.0**shift).astype(np.int32),
        beta=np.rint(np.clip(b, -(2.0**15), 2.0**15) * 2.0**t).astype(np.int64),
        t=t,
        y=y,
    )


def layer_norm(x: Integers, c: LayerNorm) -> Integers:
    """Layer normalisation of int8 x over its last axis of n = depth elements, in integers.

    d = n * x - sum(x); V = (sum(d * d) << f) / n + epsilon, truncating, with
    f = variance_bits; k the even number that brings u = V * 2**k (truncating) into [2**30, 2**32);
    R = isqrt((2**62 / u) << 30); z = (d * R + half) >> (34 - (k + f) / 2), the normalised value in
    Q12;
    y = clamp(y.zero + ((z * gamma + beta + 2**(t-1)) >> t)).
    The zero point of x cancels. One definition for both roundings: TensorFlow Lite has no such op.
    """
    n = c.depth
    wide = x.astype(np.int64)
    d = n * wide - wide.sum(axis=-1, keepdims=True)
    v = ((d * d).sum(axis=-1, keepdims=True) << c.variance_bits) // n + c.epsilon
    bits = np.array([int(e).bit_length() for e in v.reshape(-1)], np.int64).reshape(v.shape)
    k = 2 * ((32 - bits) // 2)
    u = np.where(k >= 0, v << np.maximum(k, 0), v >> np.maximum(-k, 0))
    root = integer_sqrt(((1 << 62) // u) << 30)
    right = 34 - (k + c.variance_bits) // 2
    z = (d * root + (np.int64(1) << (right - 1))) >> right
    y = (z * c.gamma + c.beta + (1 << (c.t - 1))) >> c.t
    return stored(y + c.y.zero, c.y.low, c.y.high, c.y.store)
