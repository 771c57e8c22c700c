"""The singular value decomposition filter: a rank-decomposed convolution over time, with memory."""

from dataclasses import dataclass

import numpy as np

from whet.ops.integer.contraction import exact_matmul
from whet.ops.integer.quantization import Affine, Integers, Rounding
from whet.ops.integer.requantize import Multiplier, multiplier, multiply, stored, wrap32


@dataclass(frozen=True, slots=True)
class Svdf:
    """Constants: feature multiplier into the state, time multiplier out of it."""

    x_zero: int
    state: Affine
    feature_by: Multiplier
    time_by: Multiplier
    y: Affine
    rank: int
    rounding: Rounding


def svdf_constants(
    x: Affine,
    feature_scale: float,
    time_scale: float,
    state: Affine,
    y: Affine,
    rank: int,
    rounding: Rounding,
) -> Svdf:
    """Constants; the real multipliers are float32 products and quotients, as TensorFlow Lite."""
    f32 = np.float32
    feature = f32(f32(x.scale) * f32(feature_scale)) / f32(state.scale)
    time = f32(f32(state.scale) * f32(time_scale)) / f32(y.scale)
    by_feature, by_time = multiplier(float(feature)), multiplier(float(time))
    return Svdf(x.zero, state, by_feature, by_time, y, rank, rounding)


def svdf(
    x: Integers, state: Integers, feature: Integers, time: Integers, bias: Integers | None, c: Svdf
) -> tuple[Integers, Integers]:
    """One step: (y [batch, units], state').

    x [batch, in] int8, state [batch, filters, memory] int8 or int16, feature [filters, in] int8,
    time [filters, memory] in the state's type, bias [units] int32; filters = units * rank. The
    state shifts by one and takes state.zero + sat(multiply(feature . x')) as its newest column;
    y = clamp(zero + multiply(sum over rank and memory of time * (state - state.zero) + bias)).
    """
    dot = wrap32(exact_matmul(x.astype(np.int32) - c.x_zero, feature.T.astype(np.int32)))
    scaled = np.clip(multiply(dot, c.feature_by, c.rounding), c.state.low, c.state.high)
    newest = (scaled + c.state.zero).astype(c.state.store)
    shifted = np.concatenate([state[:, :, 1:], newest[:, :, None]], axis=2)
    products = (shifted.astype(np.int64) - c.state.zero) * time.astype(np.int64)
    total = products.reshape(len(x), -1, c.rank * time.shape[1]).sum(axis=2)
    if bias is not None:
        total = total + bias.astype(np.int64)
    y = multiply(wrap32(total), c.time_by, c.rounding) + c.y.zero
    return stored(y, c.y.low, c.y.high, c.y.store), shifted
