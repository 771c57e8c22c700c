"""Values that do not depend on data: constants, ranges, masks."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from whet.errors import ModelError
from whet.importers.onnx.layer import Layer, row, scalar
from whet.importers.onnx.rows.shape import wanted_shape
from whet.importers.onnx.tensors import element_of
from whet.ir.dim import UNBOUNDED, Size
from whet.ir.element import I64, Scalar, scalar_of
from whet.ir.leaf import constant
from whet.ir.node import Value
from whet.ops import elementwise as e
from whet.ops.convert import convert
from whet.ops.iota import iota
from whet.ops.movement import broadcast, reshape


def whole(n: int) -> Value:
    """An i64 scalar."""
    return constant(np.int64(n))


def element_named(layer: Layer, attribute: str, default: Scalar) -> Scalar:
    """The element type an attribute names by ONNX's number."""
    number = layer.integer(attribute, TensorProto.UNDEFINED)
    if number == TensorProto.UNDEFINED:
        return default
    return scalar_of(np.dtype(element_of(number, layer.name).dtype))


def as_whole(value: Value) -> Value:
    """The value as i64."""
    return value if value.tensor.element == I64 else convert(value, to=I64)


@row("Constant")
def constant_value(layer: Layer) -> Value:
    data = layer.tensor("value")
    if data is not None:
        return constant(data)
    if layer.has("sparse_value"):
        return constant(layer.sparse_tensor("sparse_value"))
    if layer.has("value_float"):
        return constant(np.float32(layer.real("value_float")))
    if layer.has("value_int"):
        return constant(np.int64(layer.integer("value_int")))
    if layer.has("value_floats"):
        return constant(np.array(layer.reals("value_floats"), np.float32))
    if layer.has("value_ints"):
        return constant(np.array(layer.integers("value_ints"), np.int64))
    if layer.has("value_string"):
        return constant(np.array(layer.text("value_string"), object))
    if layer.has("value_strings"):
        return constant(np.array(layer.texts("value_strings"), object))
    raise ModelError("a Constant without a value that Whet reads", where=layer.name)


@row("ConstantOfShape")
def filled(layer: Layer) -> Value:
    data = layer.tensor("value")
    value = constant(np.float32(0) if data is None else data.reshape(()))
    return broadcast(value, shape=wanted_shape(layer, 0, UNBOUNDED))


@row("Range")
def counted(layer: Layer) -> Value:
    start, limit, delta = (reshape(layer[i], shape=()) for i in range(3))
    element = start.tensor.element
    steps = iota(_range_size(layer, start, limit, delta))
    numbers = steps if element == I64 else convert(steps, to=element)
    return e.add(start, e.mul(numbers, delta))


def _range_size(layer: Layer, start: Value, limit: Value, delta: Value) -> Size:
    """max(0, ceil((limit - start) / delta))."""
    distance = e.sub(limit, start)
    if e.is_float(start.tensor.element):
        count = convert(e.ceil(e.div(distance, delta)), to=I64)
    else:
        distance, step = as_whole(distance), as_whole(delta)
        away = e.select(e.less(whole(0), step), e.sub(step, whole(1)), e.add(step, whole(1)))
        count = e.div(e.add(distance, away), step)
    return layer.extent(e.maximum(count, whole(0)), 0, UNBOUNDED)


@row("EyeLike")
def identity_matrix(layer: Layer) -> Value:
    x = layer[0]
    own = x.tensor.element
    element = element_named(layer, "dtype", own if isinstance(own, Scalar) else I64)
    rows, columns = iota(x.shape[0], 0, 2), iota(x.shape[1], 1, 2)
    on = e.equal(e.add(rows, whole(layer.integer("k"))), columns)
    return convert(on, to=element)


@row("Trilu")
def triangle(layer: Layer) -> Value:
    x, k = layer[0], layer.whole(1)
    rank = len(x.shape)
    rows, columns = iota(x.shape[-2], rank - 2, rank), iota(x.shape[-1], rank - 1, rank)
    edge = rows if k is None else e.add(rows, reshape(k, shape=()))
    upper = layer.integer("upper", 1)
    keep = e.less_equal(edge, columns) if upper else e.less_equal(columns, edge)
    return e.select(keep, x, scalar(0, x))


@row("OneHot")
def one_hot(layer: Layer) -> Value:
    indices = layer[0]
    rank = len(indices.shape) + 1
    axis = layer.axis("axis", rank, -1)
    count = reshape(as_whole(layer[1]), shape=())
    depth = layer.extent(count, axis, UNBOUNDED)
    position = as_whole(indices)
    position = e.select(e.less(position, whole(0)), e.add(position, count), position)
    shape = (*indices.shape[:axis], 1, *indices.shape[axis:])
    on = e.equal(reshape(position, shape=shape), iota(depth, axis, rank))
    off, hot = layer.elements(2)
    return e.select(on, hot, off)
