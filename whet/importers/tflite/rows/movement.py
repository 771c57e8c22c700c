"""Shapes and movement."""

from __future__ import annotations

import numpy as np

from whet.errors import ModelError
from whet.importers.tflite.layer import Layer, as_element, row, unsigned
from whet.importers.tflite.names import op_name
from whet.importers.tflite.rows.activation import activated
from whet.ir.dim import static_shape
from whet.ir.element import C64, Quant
from whet.ir.leaf import constant
from whet.ir.node import Value
from whet.ops.affine import affine_of
from whet.ops.convert import convert
from whet.ops.gather import gather
from whet.ops.integer.concatenation import concatenation_table
from whet.ops.lookup import lookup
from whet.ops.movement import concat, pad, reshape, slice_op, transpose


@row("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
def reshaped(layer: Layer) -> Value:
    parts = (2,) if layer.elements[0] == C64 else ()
    return reshape(layer[0], shape=(*layer.shapes[0], *parts))


@row("QUANTIZE", "DEQUANTIZE", "CAST")
def represented(layer: Layer) -> Value:
    return convert(layer[0], to=layer.elements[0])


@row("CONCATENATION")
def concatenation(layer: Layer) -> Value:
    rank = len(layer[0].shape)
    parts = [_joinable(layer, layer[i]) for i in range(len(layer.inputs))]
    joined = concat(*parts, axis=layer.option(0) % rank)
    return activated(layer, joined, layer.activation(1))


def _joinable(layer: Layer, x: Value) -> Value:
    source, element = x.tensor.element, layer.elements[0]
    legacy = layer.legacy and isinstance(source, Quant) and isinstance(element, Quant)
    if source == element or not legacy:
        return as_element(x, element)
    before, after = affine_of(unsigned(source)), affine_of(unsigned(element))
    table = concatenation_table(before, after, "double")
    assert table is not None
    codes = (table.astype(np.int16) - 128).astype(np.int8)
    return lookup(x, constant(np.roll(codes, 128), element), to=element)


@row("PACK")
def pack(layer: Layer) -> Value:
    axis = layer.option(1) % len(layer.shapes[0])
    shape = list(layer.shapes[0])
    shape[axis] = 1
    parts = [reshape(layer[i], shape=tuple(shape)) for i in range(len(layer.inputs))]
    return concat(*parts, axis=axis)


@row("TRANSPOSE")
def permuted(layer: Layer) -> Value:
    return transpose(layer[0], perm=layer.ints(1))


@row("PAD", "PADV2", "MIRROR_PAD")
def padded(layer: Layer) -> Value:
    x = layer[0]
    widths = layer.constant(1).reshape(-1, 2)
    low, high = tuple(map(int, widths[:, 0])), tuple(map(int, widths[:, 1]))
    element = x.tensor.element
    zero = element.zero[0] if isinstance(element, Quant) else 0
    value = constant(np.asarray(zero).astype(element.dtype), element)
    if op_name(layer.operator.code) == "PADV2":
        value = reshape(layer[2], shape=())
    if op_name(layer.operator.code) == "MIRROR_PAD":
        if layer.option(0, "b") != 0:
            raise ModelError("symmetric mirror padding", where=layer.name, why="not known")
        return pad(x, value, low=low, high=high, mode="reflect")
    return pad(x, value, low=low, high=high, mode="constant")


@row("SLICE")
def sliced(layer: Layer) -> Value:
    x = layer[0]
    begin, given = layer.ints(1), layer.ints(2)
    size = tuple(
        d - b if n < 0 else n for d, b, n in zip(static_shape(x.shape), begin, given, strict=True)
    )
    return slice_op(x, begin=begin, size=size, step=(1,) * len(size))


@row("STRIDED_SLICE")
def strided_slice(layer: Layer) -> Value:
    """Source: tensorflow/lite/kernels/internal/strided_slice_logic.h."""
    x, (begins, ends, steps) = layer[0], (layer.ints(i) for i in (1, 2, 3))
    if layer.option(2) or layer.option(3):
        raise ModelError("ellipsis or new axes in a strided slice", where=layer.name)
    shrink = layer.option(4)
    begin, size = [], []
    for i, d in enumerate(static_shape(x.shape)):
        step = steps[i]
        first, last = _bounded(begins[i], d, step), _bounded(ends[i], d, step)
        if layer.option(0) >> i & 1:
            first = 0 if step > 0 else d - 1
        if layer.option(1) >> i & 1:
            last = d if step > 0 else -1
        if shrink >> i & 1:
            last = first + (1 if step > 0 else -1)
        begin.append(first)
        size.append(max(0, -(-(last - first) // step)))
    y = slice_op(x, begin=tuple(begin), size=tuple(size), step=steps)
    return reshape(y, shape=layer.shapes[0]) if shrink else y


def _bounded(index: int, size: int, step: int) -> int:
    index = index + size if index < 0 else index
    return min(max(index, 0), size) if step > 0 else min(max(index, -1), size - 1)


@row("SPLIT", "SPLIT_V")
def split(layer: Layer) -> tuple[Value, ...]:
    x_at, axis_at = (1, 0) if op_name(layer.operator.code) == "SPLIT" else (0, 2)
    x = layer[x_at]
    shape = static_shape(x.shape)
    axis = layer.ints(axis_at)[0] % len(shape)
    parts, start = [], 0
    for out in layer.shapes:
        begin = tuple(start if i == axis else 0 for i in range(len(shape)))
        parts.append(slice_op(x, begin=begin, size=out, step=(1,) * len(shape)))
        start += out[axis]
    return tuple(parts)


@row("GATHER")
def gathered(layer: Layer) -> Value:
    rank = len(layer[0].shape)
    if layer.option(1):
        raise ModelError("gather with batch dimensions", where=layer.name, why="not known")
    return gather(layer[0], layer[1], axis=layer.option(0) % rank)
