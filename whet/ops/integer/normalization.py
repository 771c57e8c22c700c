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
MAX_DEPTH = 1 << 15
LARGEST = 2.0**21

Reals = npt.NDArray[np.float32]


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
    """Constants of a layer normalisation over `depth` elements, in single precision.

    gamma, beta [depth]: gamma / y.scale and beta / y.scale. epsilon: in squared codes of x.
    """

    depth: int
    epsilon: np.float32
    gamma: Reals
    beta: Reals
    y: Affine


def layer_norm_constants(
    x: Affine,
    y: Affine,
    gamma: npt.NDArray[np.floating],
    beta: npt.NDArray[np.floating],
    epsilon: float,
) -> LayerNorm:
    """Constants of y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, 8-bit codes.

    Raises ShapeError when the axis is longer than MAX_DEPTH or a result may be 2**22 codes.
    """
    depth = len(gamma)
    if depth > MAX_DEPTH:
        raise ShapeError("layer norm", why=f"an axis of {depth} elements; at most {MAX_DEPTH}")
    g, b = np.asarray(gamma, np.float64) / y.scale, np.asarray(beta, np.float64) / y.scale
    largest = math.sqrt(depth) * np.abs(g).max(initial=0) + np.abs(b).max(initial=0)
    if not largest < LARGEST:
        raise ShapeError("layer norm", why=f"results of up to {largest:g} steps of their scale")
    least = max(epsilon / x.scale**2, 2.0**-100)
    return LayerNorm(depth, np.float32(least), g.astype(np.float32), b.astype(np.float32), y)


def layer_norm(x: Integers, c: LayerNorm) -> Integers:
    """Layer normalisation of 8-bit x over its last axis of n = depth elements.

    With S = sum(x) and V = n * sum(x * x) - S * S, integers, and each operation that follows
    rounded to single precision:
    r = 1 / sqrt(V / (n * n) + epsilon), z = (x - S / n) * r * gamma + beta,
    y = clamp(y.zero + z to the nearest integer, ties to even).
    The zero point of x cancels. One definition for both roundings: TensorFlow Lite has no such op.
    """
    single, n = np.float32, c.depth
    wide = x.astype(np.int64)
    total = wide.sum(axis=-1, keepdims=True)
    spread = n * (wide * wide).sum(axis=-1, keepdims=True) - total * total
    mean = total.astype(single) / single(n)
    inverse = single(1) / np.sqrt(spread.astype(single) / single(n * n) + c.epsilon)
    z = (x.astype(single) - mean) * inverse * c.gamma + c.beta
    return stored(np.rint(z).astype(np.int64) + c.y.zero, c.y.low, c.y.high, c.y.store)
