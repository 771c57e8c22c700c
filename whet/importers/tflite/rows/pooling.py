"""Pooling and means."""

from __future__ import annotations

from whet.importers.tflite.layer import Layer, row
from whet.importers.tflite.names import op_name
from whet.importers.tflite.rows.activation import activated
from whet.ir.node import Value
from whet.ops.pooling import average_pool, max_pool
from whet.ops.reduction import reduce_mean, reduce_sum


@row("AVERAGE_POOL_2D", "MAX_POOL_2D")
def pool(layer: Layer) -> Value:
    op = average_pool if op_name(layer.operator.code) == "AVERAGE_POOL_2D" else max_pool
    kernel, stride = (layer.option(4), layer.option(3)), (layer.option(2), layer.option(1))
    activation = layer.activation(5)
    window = layer.window(kernel, stride)
    y = layer.on_own_codes(lambda x, attrs: op(x, kernel=kernel, **window, **attrs), activation)
    return activated(layer, y, activation)


@row("MEAN", "SUM")
def mean(layer: Layer) -> Value:
    op = reduce_mean if op_name(layer.operator.code) == "MEAN" else reduce_sum
    rank = len(layer[0].shape)
    axes = tuple(sorted({a % rank for a in layer.ints(1)}))
    keep = bool(layer.option(0, "B"))
    return layer.on_own_codes(lambda x, attrs: op(x, axes=axes, keep=keep, **attrs))
