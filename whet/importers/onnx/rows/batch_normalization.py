"""Batch normalization as what it is when the statistics are known: one product and one sum."""

from __future__ import annotations

from whet.errors import UnsupportedError, UnsupportedOp
from whet.importers.onnx.layer import Layer, row, scalar
from whet.ir.node import Value
from whet.ops import elementwise as e
from whet.ops.movement import reshape


@row("BatchNormalization")
def batch_normalization(layer: Layer) -> Value:
    """y = x * s + (bias - mean * s), s = scale / sqrt(variance + epsilon), per channel."""
    if layer.integer("training_mode"):
        reason = "statistics of the batch are for training"
        raise UnsupportedError([UnsupportedOp("BatchNormalization", layer.name, reason)])
    x, scale, bias, mean, variance = (layer[i] for i in range(5))
    widened = e.add(variance, scalar(layer.real("epsilon", 1e-5), variance))
    factor = e.div(scale, e.sqrt(widened))
    offset = e.sub(bias, e.mul(mean, factor))
    shape = (*scale.shape, *(1,) * (len(x.shape) - 2))
    y = e.mul(x, reshape(factor, shape=shape))
    return e.add(y, reshape(offset, shape=shape))
