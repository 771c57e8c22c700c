"""Arithmetic of two operands, comparisons, logic and choice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from whet.importers.tflite.layer import Layer, as_element, integer_attributes, row
from whet.importers.tflite.names import op_name
from whet.importers.tflite.rows.activation import activated
from whet.ir.element import BOOL, F32, Quant
from whet.ir.leaf import constant
from whet.ir.node import Attr, Value
from whet.ops import elementwise as e
from whet.ops.broadcast import broadcast_shapes
from whet.ops.convert import bitcast
from whet.ops.movement import broadcast, reshape
from whet.ops.parametric import squared_difference

INTEGER = {"ADD": e.add, "SUB": e.sub, "MUL": e.mul}
Binary = Callable[[Value, Value], Value]


def filled(x: Value, other: Value) -> Value:
    """x repeated to the shape it has beside another operand; single elements stay."""
    shape = broadcast_shapes(x.shape, other.shape)
    return x if x.shape == shape or x.tensor.elements == 1 else broadcast(x, shape=shape)


@row(*INTEGER)
def arithmetic(layer: Layer) -> Value:
    op, activation = INTEGER[op_name(layer.operator.code)], layer.activation(0)
    if not layer.quantized:
        return activated(layer, op(layer[0], layer[1]), activation)
    a, b = filled(layer[0], layer[1]), filled(layer[1], layer[0])
    attrs: dict[str, Attr] = integer_attributes(layer.elements[0], activation)
    return op(a, b, **attrs)


@row("SQUARED_DIFFERENCE")
def difference(layer: Layer) -> Value:
    if layer.quantized:
        a, b = filled(layer[0], layer[1]), filled(layer[1], layer[0])
        return squared_difference(a, b, **layer.integer_attributes())
    d = e.sub(layer[0], layer[1])
    return e.mul(d, d)


@row("ADD_N")
def total(layer: Layer) -> Value:
    y = layer[0]
    for i in range(1, len(layer.inputs)):
        y = e.add(y, layer[i])
    return y


def real(x: Value) -> Value:
    """A quantised value as the floats it stands for."""
    return as_element(x, F32) if isinstance(x.tensor.element, Quant) else x


def _floor_divide(x: Value, y: Value) -> Value:
    if x.tensor.element.kind == "f":
        return e.floor(e.div(x, y))
    return e.div(e.sub(x, e.mod(x, y)), y)


REAL: dict[str, Binary] = {
    "DIV": e.div, "POW": e.pow, "ATAN2": e.atan2, "FLOOR_DIV": _floor_divide, "FLOOR_MOD": e.mod,
}  # fmt: skip


@row(*REAL)
def through_reals(layer: Layer) -> Value:
    """Ops that quantised operands go through as floats."""
    name = op_name(layer.operator.code)
    y = REAL[name](real(layer[0]), real(layer[1]))
    if name == "DIV" and not layer.quantized:
        return activated(layer, y, layer.activation(0))
    return as_element(y, layer.elements[0])


COMPARISONS: dict[str, Binary] = {
    "EQUAL": e.equal, "NOT_EQUAL": lambda a, b: e.bit_not(e.equal(a, b)), "LESS": e.less,
    "LESS_EQUAL": e.less_equal, "GREATER": lambda a, b: e.less(b, a),
    "GREATER_EQUAL": lambda a, b: e.less_equal(b, a),
}  # fmt: skip


@row(*COMPARISONS)
def comparison(layer: Layer) -> Value:
    """Codes are compared as the floats they stand for."""
    return COMPARISONS[op_name(layer.operator.code)](real(layer[0]), real(layer[1]))


LOGIC = {
    "LOGICAL_AND": e.bit_and, "LOGICAL_OR": e.bit_or, "BITWISE_XOR": e.bit_xor,
    "RIGHT_SHIFT": e.shift_right,
}  # fmt: skip


@row(*LOGIC)
def logic(layer: Layer) -> Value:
    return LOGIC[op_name(layer.operator.code)](layer[0], layer[1])


@row("LOGICAL_NOT")
def negation(layer: Layer) -> Value:
    return e.bit_not(layer[0])


def codes(layer: Layer, x: Value) -> Value:
    """A quantised operand's codes as plain integers, in the result's quantisation."""
    element = layer.elements[0]
    if not isinstance(element, Quant):
        return x
    return bitcast(as_element(x, element), to=element.store)


def of_codes(layer: Layer, y: Value) -> Value:
    """Plain integers as the result's codes."""
    element = layer.elements[0]
    return bitcast(y, to=element) if isinstance(element, Quant) else y


@row("MINIMUM", "MAXIMUM")
def extreme(layer: Layer) -> Value:
    op = e.minimum if op_name(layer.operator.code) == "MINIMUM" else e.maximum
    return of_codes(layer, op(codes(layer, layer[0]), codes(layer, layer[1])))


@row("SELECT", "SELECT_V2")
def select(layer: Layer) -> Value:
    condition = as_element(layer[0], BOOL)
    missing = len(layer[1].shape) - len(condition.shape)
    if op_name(layer.operator.code) == "SELECT" and condition.shape and missing > 0:
        condition = reshape(condition, shape=(*condition.shape, *(1,) * missing))
    return of_codes(layer, e.select(condition, codes(layer, layer[1]), codes(layer, layer[2])))


@row("ZEROS_LIKE")
def zeros(layer: Layer) -> Value:
    return constant(np.zeros(layer.shapes[0], layer.elements[0].dtype), layer.elements[0])


@row("FILL")
def fill(layer: Layer) -> Value:
    return broadcast(layer[1], shape=layer.shapes[0])
