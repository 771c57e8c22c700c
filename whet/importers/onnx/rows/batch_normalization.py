"""Batch normalization as what it is when the statistics are known: one product and one sum."""

from __future__ import annotations

from whet.importers.onnx.layer import Layer, Result, row, scalar
from whet.importers.onnx.rows.activation import scaled
from whet.ir.node import Value
from whet.ops import elementwise as e
from whet.ops import reduction as r
from whet.ops.movement import reshape


@row("BatchNormalization")
def batch_normalization(layer: Layer) -> Result:
    """y = x * s + (bias - mean * s), s = scale / sqrt(variance + epsilon), per channel."""
    x, scale, bias, mean, variance = (layer[i] for i in range(5))
    running: tuple[Value, ...] = ()
    if layer.integer("training_mode"):
        axes = (0, *range(2, len(x.shape)))
        held, momentum = (mean, variance), layer.real("momentum", 0.9)
        mean = r.reduce_mean(x, axes=axes, keep=True)
        centred = e.sub(x, mean)
        variance = flat(r.reduce_mean(e.mul(centred, centred), axes=axes, keep=True))
        mean = flat(mean)
        running = tuple(
            e.add(scaled(old, momentum), scaled(new, 1 - momentum))
            for old, new in zip(held, (mean, variance), strict=True)
        )
    widened = e.add(variance, scalar(layer.real("epsilon", 1e-5), variance))
    factor = e.div(scale, e.sqrt(widened))
    offset = e.sub(bias, e.mul(mean, factor))
    shape = (*scale.shape, *(1,) * (len(x.shape) - 2))
    y = e.add(e.mul(x, reshape(factor, shape=shape)), reshape(offset, shape=shape))
    return (y, *running)


def flat(x: Value) -> Value:
    """One value a channel."""
    return reshape(x, shape=(x.shape[1],))
