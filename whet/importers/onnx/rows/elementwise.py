"""Elementwise ops."""

from __future__ import annotations

from functools import reduce

from whet.importers.onnx.layer import Layer, row, scalar
from whet.ir.node import Op, Value
from whet.ops import elementwise as e

SAME: dict[str, Op] = {
    "Add": e.add, "Sub": e.sub, "Mul": e.mul, "Div": e.div, "Pow": e.pow, "Neg": e.neg,
    "Abs": e.absolute, "Sign": e.sign, "Exp": e.exp, "Log": e.log, "Sqrt": e.sqrt, "Sin": e.sin,
    "Cos": e.cos, "Tan": e.tan, "Asin": e.asin, "Acos": e.acos, "Atan": e.atan, "Sinh": e.sinh,
    "Cosh": e.cosh, "Tanh": e.tanh, "Asinh": e.asinh, "Acosh": e.acosh, "Atanh": e.atanh,
    "Erf": e.erf, "Sigmoid": e.sigmoid, "Floor": e.floor, "Ceil": e.ceil, "Round": e.round_even,
    "And": e.bit_and, "Or": e.bit_or, "Xor": e.bit_xor, "Not": e.bit_not,
    "BitwiseAnd": e.bit_and, "BitwiseOr": e.bit_or, "BitwiseXor": e.bit_xor,
    "BitwiseNot": e.bit_not, "Equal": e.equal, "Less": e.less, "LessOrEqual": e.less_equal,
    "IsNaN": e.is_nan, "Where": e.select,
}  # fmt: skip


@row(*SAME)
def same(layer: Layer) -> Value:
    return SAME[layer.proto.op_type](*layer.inputs)


@row("Greater", "GreaterOrEqual")
def greater(layer: Layer) -> Value:
    op = e.less if layer.proto.op_type == "Greater" else e.less_equal
    return op(layer[1], layer[0])


@row("Min", "Max", "Sum", "Mean")
def variadic(layer: Layer) -> Value:
    kind, count = layer.proto.op_type, len(layer.inputs)
    op = {"Min": e.minimum, "Max": e.maximum}.get(kind, e.add)
    y = reduce(lambda a, b: op(a, b), [layer[i] for i in range(count)])
    return e.div(y, scalar(count, y)) if kind == "Mean" else y


@row("Mod")
def modulo(layer: Layer) -> Value:
    """The remainder has the sign of the divisor, or with `fmod` of the dividend."""
    op = e.fmod if layer.integer("fmod") else e.mod
    return op(layer[0], layer[1])


@row("BitShift")
def shift(layer: Layer) -> Value:
    op = e.shift_left if layer.text("direction") == "LEFT" else e.shift_right
    return op(layer[0], layer[1])


@row("IsInf")
def is_infinite(layer: Layer) -> Value:
    x, found = layer[0], e.is_inf(layer[0])
    if not layer.integer("detect_negative", 1):
        found = e.bit_and(found, e.less(scalar(0, x), x))
    if not layer.integer("detect_positive", 1):
        found = e.bit_and(found, e.less(x, scalar(0, x)))
    return found


@row("Reciprocal")
def reciprocal(layer: Layer) -> Value:
    return e.div(scalar(1, layer[0]), layer[0])


@row("Relu")
def relu(layer: Layer) -> Value:
    return e.maximum(layer[0], scalar(0, layer[0]))


@row("Clip")
def clip(layer: Layer) -> Value:
    x = layer[0]
    low, high = layer.optional(1), layer.optional(2)
    if layer.version < 11:
        low = scalar(layer.real("min"), x) if layer.has("min") else None
        high = scalar(layer.real("max"), x) if layer.has("max") else None
    if low is not None:
        x = e.maximum(x, low)
    return x if high is None else e.minimum(x, high)
