"""Repeating, reversing, and moving blocks between axes."""

from __future__ import annotations

import numpy as np

from whet.errors import ModelError
from whet.importers.tflite.layer import Layer, row
from whet.importers.tflite.names import op_name
from whet.ir.dim import static_shape
from whet.ir.element import Quant
from whet.ir.leaf import constant
from whet.ir.node import Value
from whet.ops.gather import gather, gather_nd, scatter_nd
from whet.ops.movement import broadcast, concat, pad, reshape, slice_op, transpose


@row("UNPACK")
def unpack(layer: Layer) -> tuple[Value, ...]:
    shape = static_shape(layer[0].shape)
    axis, parts = layer.option(1) % len(shape), []
    size = tuple(1 if i == axis else d for i, d in enumerate(shape))
    for k in range(shape[axis]):
        begin = tuple(k if i == axis else 0 for i in range(len(shape)))
        part = slice_op(layer[0], begin=begin, size=size, step=(1,) * len(shape))
        parts.append(reshape(part, shape=shape[:axis] + shape[axis + 1 :]))
    return tuple(parts)


@row("BROADCAST_TO")
def repeated(layer: Layer) -> Value:
    return broadcast(layer[0], shape=layer.ints(1))


@row("TILE")
def tiled(layer: Layer) -> Value:
    y = layer[0]
    for axis, count in enumerate(layer.ints(1)):
        if not 1 <= count <= 1 << 12:
            raise ModelError(f"{count} tiles", where=layer.name)
        y = concat(*[y] * count, axis=axis) if count > 1 else y
    return y


@row("REVERSE_V2")
def backwards(layer: Layer) -> Value:
    shape = static_shape(layer[0].shape)
    axes = {a % len(shape) for a in layer.ints(1)}
    begin = tuple(d - 1 if i in axes else 0 for i, d in enumerate(shape))
    step = tuple(-1 if i in axes else 1 for i in range(len(shape)))
    return slice_op(layer[0], begin=begin, size=shape, step=step)


@row("SPACE_TO_DEPTH", "DEPTH_TO_SPACE")
def blocks(layer: Layer) -> Value:
    n, h, w, c = static_shape(layer[0].shape)
    b = layer.option(0)
    if op_name(layer.operator.code) == "SPACE_TO_DEPTH":
        _divides(layer, b, h, w)
        split = reshape(layer[0], shape=(n, h // b, b, w // b, b, c))
        moved = transpose(split, perm=(0, 1, 3, 2, 4, 5))
        return reshape(moved, shape=(n, h // b, w // b, b * b * c))
    _divides(layer, b * b, c)
    split = reshape(layer[0], shape=(n, h, w, b, b, c // (b * b)))
    moved = transpose(split, perm=(0, 1, 3, 2, 4, 5))
    return reshape(moved, shape=(n, h * b, w * b, c // (b * b)))


def _divides(layer: Layer, block: int, *sizes: int) -> None:
    if block < 1 or any(d % block for d in sizes):
        raise ModelError(f"blocks of {block} in sizes {sizes}", where=layer.name)


@row("SPACE_TO_BATCH_ND")
def to_batch(layer: Layer) -> Value:
    """Source: TensorFlow's space_to_batch_nd: pad, split each axis, blocks in front."""
    shape, sizes = static_shape(layer[0].shape), layer.ints(1)
    m, rest = len(sizes), len(shape) - 1 - len(sizes)
    pads = layer.constant(2).reshape(m, 2)
    low = (0, *(int(p) for p in pads[:, 0]), *(0,) * rest)
    high = (0, *(int(p) for p in pads[:, 1]), *(0,) * rest)
    x = pad(layer[0], _zero(layer[0]), low=low, high=high, mode="constant")
    shape = static_shape(x.shape)
    for block, d in zip(sizes, shape[1:], strict=False):
        _divides(layer, block, d)
    split = [v for d, b in zip(shape[1:], sizes, strict=False) for v in (d // b, b)]
    x = reshape(x, shape=(shape[0], *split, *shape[m + 1 :]))
    inside, outside = (tuple(range(k, 2 * m + 1, 2)) for k in (2, 1))
    last = tuple(range(2 * m + 1, 2 * m + 1 + rest))
    x = transpose(x, perm=(*inside, 0, *outside, *last))
    made = tuple(d // b for d, b in zip(shape[1:], sizes, strict=False))
    return reshape(x, shape=(shape[0] * int(np.prod(sizes)), *made, *shape[m + 1 :]))


@row("BATCH_TO_SPACE_ND")
def from_batch(layer: Layer) -> Value:
    """Source: TensorFlow's batch_to_space_nd: the inverse, then a crop."""
    shape, sizes = static_shape(layer[0].shape), layer.ints(1)
    m, blocks_ = len(sizes), int(np.prod(sizes))
    _divides(layer, blocks_, shape[0])
    crops = layer.constant(2).reshape(m, 2)
    x = reshape(layer[0], shape=(*sizes, shape[0] // blocks_, *shape[1:]))
    inner = tuple(v for i in range(m) for v in (m + 1 + i, i))
    x = transpose(x, perm=(m, *inner, *range(2 * m + 1, m + len(shape))))
    grown = tuple(d * b for d, b in zip(shape[1:], sizes, strict=False))
    x = reshape(x, shape=(shape[0] // blocks_, *grown, *shape[m + 1 :]))
    rest = len(shape) - 1 - m
    begin = (0, *(int(c) for c in crops[:, 0]), *(0,) * rest)
    cut = (0, *(int(c.sum()) for c in crops), *(0,) * rest)
    size = tuple(d - c for d, c in zip(static_shape(x.shape), cut, strict=True))
    return slice_op(x, begin=begin, size=size, step=(1,) * len(size))


def _zero(x: Value) -> Value:
    element = x.tensor.element
    code = element.zero[0] if isinstance(element, Quant) else 0
    return constant(np.asarray(code).astype(element.dtype), element)


@row("GATHER_ND")
def gathered(layer: Layer) -> Value:
    return gather_nd(layer[0], layer[1], batch=0)


@row("SCATTER_ND")
def scattered(layer: Layer) -> Value:
    element = layer.elements[0]
    empty = constant(np.zeros(layer.ints(2), element.dtype), element)
    return scatter_nd(empty, layer[0], layer[1], combine="add")


@row("EMBEDDING_LOOKUP")
def embedded(layer: Layer) -> Value:
    return gather(layer[1], layer[0], axis=0)
