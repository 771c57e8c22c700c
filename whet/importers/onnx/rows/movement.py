"""Shapes and movement."""

from __future__ import annotations

import numpy as np

from whet.errors import ModelError
from whet.importers.onnx.layer import Layer, row
from whet.ir.dim import Size
from whet.ir.leaf import constant
from whet.ir.node import Value
from whet.ir.type import size_product
from whet.ops.movement import broadcast, concat, flattened, reshape, transpose


@row("Constant")
def constant_value(layer: Layer) -> Value:
    data = layer.tensor("value")
    if data is not None:
        return constant(data)
    if layer.has("value_float"):
        return constant(np.float32(layer.real("value_float")))
    if layer.has("value_int"):
        return constant(np.int64(layer.integer("value_int")))
    if layer.has("value_floats"):
        return constant(np.array(layer.reals("value_floats"), np.float32))
    if layer.has("value_ints"):
        return constant(np.array(layer.integers("value_ints"), np.int64))
    raise ModelError("a Constant without a value that Whet reads", where=layer.name)


@row("Identity")
def identity(layer: Layer) -> Value:
    return layer[0]


@row("Transpose")
def permuted(layer: Layer) -> Value:
    rank = len(layer[0].shape)
    return transpose(layer[0], perm=layer.integers("perm", tuple(reversed(range(rank)))))


@row("Reshape")
def reshaped(layer: Layer) -> Value:
    x = layer[0]
    wanted = layer.known_ints(1)
    if wanted is None:
        declared = layer.declared()
        if declared is None or not declared.static:
            raise ModelError("the shape is not known when compiling", where=layer.name)
        return reshape(x, shape=declared.shape)
    keep_zero = layer.integer("allowzero")
    shape: list[Size] = [
        x.shape[i] if n == 0 and not keep_zero else n for i, n in enumerate(wanted)
    ]
    if -1 in shape:
        rest = size_product(tuple(d for d in shape if d != -1))
        shape[shape.index(-1)] = x.tensor.elements // rest if rest != 0 else 0
    return reshape(x, shape=tuple(shape))


@row("Flatten")
def flatten(layer: Layer) -> Value:
    x = layer[0]
    axis = layer.integer("axis", 1)
    axis = axis + len(x.shape) if axis < 0 else axis
    return reshape(x, shape=(size_product(x.shape[:axis]), size_product(x.shape[axis:])))


@row("Concat")
def joined(layer: Layer) -> Value:
    axis = layer.axis("axis", len(layer[0].shape), 0)
    return concat(*(layer[i] for i in range(len(layer.inputs))), axis=axis)


@row("Expand")
def expanded(layer: Layer) -> Value:
    from whet.ops.broadcast import broadcast_shapes

    wanted = layer.known_ints(1)
    if wanted is None:
        declared = layer.declared()
        if declared is None or not declared.static:
            raise ModelError("the shape is not known when compiling", where=layer.name)
        return broadcast(layer[0], shape=declared.shape)
    return broadcast(layer[0], shape=broadcast_shapes(layer[0].shape, wanted))


__all__ = ["flattened"]
