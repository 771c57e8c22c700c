"""Reshapes move towards the outputs, past ops that do not care how rows are arranged."""

from __future__ import annotations

import numpy as np

from whet.ir.element import F32, Quant
from whet.ir.graph import Graph
from whet.ir.leaf import constant, known, parameter
from whet.ir.node import Node, Value
from whet.ir.type import Type
from whet.ops.convolution import conv
from whet.ops.elementwise import add
from whet.ops.lookup import lookup
from whet.ops.matmul import matmul
from whet.ops.movement import reshape
from whet.ops.normalization import layer_norm, rms_norm
from whet.rewrite.rule import Replacement, Rule, Uses, rule


def _reshaped() -> Graph:
    x = parameter("x", Type((1, 4), F32))
    y = add(reshape(x, shape=(4, 1)), constant(np.float32(2)))
    return Graph((x,), (y,), ("y",))


@rule(example=_reshaped)
def sink_reshape(node: Node, uses: Uses) -> Replacement:
    """f(reshape(x), one number) -> reshape(f(x, one number))."""
    if node.op.family != "elementwise" or len(node.outputs) != 1:
        return None
    moved: set[Value] = set()
    for v in node.inputs[:1] if node.op is lookup else node.inputs:
        if v is None or not isinstance(v.type, Type):
            return None
        data = known(v)
        if data is None or data.size != 1:
            moved.add(v)
    first = next(iter(moved), None)
    if len(moved) != 1 or first is None or first.op is not reshape or uses(first) > 1:
        return None
    out, x = node.outputs[0], first.node.input(0)
    elements = (x.tensor.element, out.tensor.element)
    if out.shape != first.shape or any(
        isinstance(e, Quant) and e.axis is not None for e in elements
    ):
        return None
    inputs = tuple(x if v is first else _number(v) for v in node.inputs)
    return reshape(node.replace(inputs).outputs[0], shape=out.shape)


def _number(value: Value | None) -> Value | None:
    data = known(value)
    if data is None or value is None or data.size != 1:
        return value
    return constant(data.reshape(()), value.tensor.element)


def _rows() -> Graph:
    x = parameter("x", Type((2, 3, 4), F32))
    w = constant(np.linspace(-1, 1, 8, dtype=np.float32).reshape(4, 2))
    return Graph((x,), (matmul(reshape(x, shape=(6, 4)), w),), ("y",))


@rule(matmul, layer_norm, rms_norm, example=_rows)
def sink_reshape_of_rows(node: Node, uses: Uses) -> Replacement:
    """f(reshape(x)) -> reshape(f(x)) where f works on each row and the rows stay as they are."""
    first = node.input(0)
    if first.op is not reshape or node["epilogue"] is not None:
        return None
    x = first.node.input(0)
    if node.op is matmul:
        w = known(node.inputs[1])
        if w is None or w.ndim != 2 or len(x.shape) < 2 or x.shape[-1] != first.shape[-1]:
            return None
        made = node.replace((x, *node.inputs[1:])).outputs[0]
        return reshape(made, shape=node.outputs[0].shape)
    rows = first.shape[node.integer("axis") :]
    axis = len(x.shape) - len(rows)
    if axis < 0 or x.shape[axis:] != rows:
        return None
    made = node.replace((x, *node.inputs[1:]), axis=axis).outputs[0]
    return reshape(made, shape=node.outputs[0].shape)


def _residual() -> Graph:
    x, r = parameter("x", Type((2, 4), F32)), parameter("r", Type((1, 2, 3), F32))
    w = constant(np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3))
    return Graph((x, r), (add(reshape(matmul(x, w), shape=(1, 2, 3)), r),), ("y",))


@rule(example=_residual)
def sink_reshape_to_residual(node: Node, uses: Uses) -> Replacement:
    """reshape(conv(x)) + r -> reshape(conv(x) + reshape(r)), so that the sum may join the
    contraction; any op of two operands alike."""
    if node.op.family != "elementwise" or len(node.inputs) != 2 or len(node.outputs) != 1:
        return None
    values = node.operands
    if len(values) != 2 or any(v.op in (conv, matmul) for v in values):
        return None
    out = node.outputs[0]
    for v, other in (values, values[::-1]):
        if v.op is not reshape or v is other or not _same_shape(v, other, out):
            continue
        y = v.node.input(0)
        if y.op in (conv, matmul) and uses(v) == 1 and uses(y) == 1 and y.tensor.element == F32:
            moved = {v: y, other: reshape(other, shape=y.shape)}
            inputs = tuple(moved[w] for w in values)
            return reshape(node.replace(inputs).outputs[0], shape=out.shape)
    return None


def _same_shape(*values: Value) -> bool:
    return len({v.shape for v in values}) == 1


RESHAPE: tuple[Rule, ...] = (sink_reshape, sink_reshape_of_rows, sink_reshape_to_residual)
