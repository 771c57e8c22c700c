"""Elementwise ops: one scalar function each, broadcast over its operands.

Each row gives the NumPy meaning; `emit` holds the same function in C. Floats narrower than 32
bits are computed in f32 and rounded once. Integer division truncates, shifts are logical on
unsigned operands, integer arithmetic wraps.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from whet.errors import ShapeError
from whet.ir.element import BOOL, Scalar
from whet.ir.node import Array, Node, Op
from whet.ir.type import Type
from whet.ops.affine import clamped, operand, result, rounding
from whet.ops.broadcast import broadcast_shapes, same_element
from whet.ops.integer.addition import add as integer_add
from whet.ops.integer.addition import addition_constants
from whet.ops.integer.multiplication import mul as integer_mul
from whet.ops.integer.multiplication import multiplication_constants
from whet.ops.integer.quantization import Activation

Function = Callable[..., object]


def _evaluate(function: Function) -> Callable[..., Array]:
    def run(node: Node, *arrays: Array) -> Array:
        narrow = any(a.dtype.kind in "fV" and a.dtype.itemsize < 4 for a in arrays)
        if narrow:
            arrays = tuple(a if a.dtype == np.bool_ else a.astype(np.float32) for a in arrays)
        return np.asarray(function(*arrays))

    return run


def _same(*types: Type) -> Type:
    return Type(broadcast_shapes(*(t.shape for t in types)), same_element(*types).element)


def _compares(*types: Type) -> Type:
    same_element(*types)
    return Type(broadcast_shapes(*(t.shape for t in types)), BOOL)


def _tests(x: Type) -> Type:
    return Type(x.shape, BOOL)


def _selects(condition: Type, x: Type, y: Type) -> Type:
    if condition.element != BOOL:
        raise ShapeError(f"the condition is {condition.element}, not bool")
    shape = broadcast_shapes(condition.shape, x.shape, y.shape)
    return Type(shape, same_element(x, y).element)


def _divide(x: Array, y: Array) -> Array:
    if x.dtype.kind == "f":
        return np.asarray(np.divide(x, y))
    safe = np.where(y == 0, 1, y).astype(y.dtype)
    quotient = np.abs(x) // np.abs(safe) if x.dtype.kind == "i" else x // safe
    return np.asarray(np.where((x < 0) != (y < 0), -quotient, quotient)).astype(x.dtype)


def _modulo(x: Array, y: Array) -> Array:
    return np.asarray(
        np.mod(x, np.where(y == 0, 1, y).astype(y.dtype) if y.dtype.kind in "iu" else y)
    )


def _fmod(x: Array, y: Array) -> Array:
    return np.asarray(
        np.fmod(x, np.where(y == 0, 1, y).astype(y.dtype) if y.dtype.kind in "iu" else y)
    )


def _power(x: Array, y: Array) -> Array:
    return (
        np.power(x.astype(np.float64), y.astype(np.float64))
        if x.dtype.kind in "iu"
        else np.power(x, y)
    )


_erf = np.vectorize(math.erf, otypes=[np.float64])
_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def _error_function(x: Array) -> Array:
    return np.asarray(_erf(x)).reshape(x.shape)


def _gelu(x: Array) -> Array:
    """x times the normal distribution's share below x (arXiv 1606.08415)."""
    return np.asarray(x * 0.5 * _erfc(-x.astype(np.float64) / math.sqrt(2))).reshape(x.shape)


def _sigmoid(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1 / (1 + e), e / (1 + e)))


def _shift_left(x: Array, n: Array) -> Array:
    """0 where n is not below the width."""
    width = x.dtype.itemsize * 8
    outside = (n < 0) | (n >= width)
    return np.where(outside, 0, np.left_shift(x, np.where(outside, 0, n))).astype(x.dtype)


def _shift_right(x: Array, n: Array) -> Array:
    """The sign's bits where n is not below the width."""
    width = x.dtype.itemsize * 8
    held = np.where((n < 0) | (n >= width), width - 1, n)
    shifted = np.right_shift(x, held.astype(x.dtype))
    outside = 0 if x.dtype.kind == "u" else shifted
    return np.where(held != n, outside, shifted).astype(x.dtype)


def _row(
    name: str, function: Function, infer: Callable[..., Type] = _same,
    quantized: Function | None = None,
) -> Op:  # fmt: skip
    run = _evaluate(function)
    return Op(name, lambda *types, **_: infer(*types), run, "elementwise", quantized)


def _quantized_sum(subtract: bool) -> Function:
    def run(node: Node, a: Array, b: Array) -> Array:
        constants = addition_constants(
            operand(node, 0), operand(node, 1), result(node), Activation.NONE, rounding(node),
            subtract=subtract,
        )  # fmt: skip
        return integer_add(a, b, clamped(constants, node))

    return run


def _quantized_product(node: Node, a: Array, b: Array) -> Array:
    constants = multiplication_constants(
        operand(node, 0), operand(node, 1), result(node), Activation.NONE, rounding(node)
    )
    return integer_mul(a, b, clamped(constants, node))


add = _row("add", np.add, quantized=_quantized_sum(False))
sub = _row("sub", np.subtract, quantized=_quantized_sum(True))
mul = _row("mul", np.multiply, quantized=_quantized_product)
div, mod, fmod = _row("div", _divide), _row("mod", _modulo), _row("fmod", _fmod)
minimum, maximum = _row("min", np.minimum), _row("max", np.maximum)
atan2 = _row("atan2", np.arctan2)
pow = Op(
    "pow",
    lambda x, y, **_: Type(broadcast_shapes(x.shape, y.shape), x.element),
    _evaluate(_power),
    family="elementwise",
)
neg, absolute, sign = _row("neg", np.negative), _row("abs", np.abs), _row("sign", np.sign)
exp, log, sqrt = _row("exp", np.exp), _row("log", np.log), _row("sqrt", np.sqrt)
expm1, log1p = _row("expm1", np.expm1), _row("log1p", np.log1p)
sin, cos, tan = _row("sin", np.sin), _row("cos", np.cos), _row("tan", np.tan)
asin, acos, atan = _row("asin", np.arcsin), _row("acos", np.arccos), _row("atan", np.arctan)
sinh, cosh, tanh = _row("sinh", np.sinh), _row("cosh", np.cosh), _row("tanh", np.tanh)
asinh, acosh = _row("asinh", np.arcsinh), _row("acosh", np.arccosh)
atanh, erf = _row("atanh", np.arctanh), _row("erf", _error_function)
sigmoid, gelu = _row("sigmoid", _sigmoid), _row("gelu", _gelu)
floor, ceil = _row("floor", np.floor), _row("ceil", np.ceil)
round_even, trunc = _row("round", np.rint), _row("trunc", np.trunc)
bit_and, bit_or = _row("bit_and", np.bitwise_and), _row("bit_or", np.bitwise_or)
bit_xor, bit_not = _row("bit_xor", np.bitwise_xor), _row("bit_not", np.invert)
shift_left, shift_right = _row("shift_left", _shift_left), _row("shift_right", _shift_right)
equal, less = _row("equal", np.equal, _compares), _row("less", np.less, _compares)
less_equal = _row("less_equal", np.less_equal, _compares)
is_nan, is_inf = _row("is_nan", np.isnan, _tests), _row("is_inf", np.isinf, _tests)
select = _row("select", np.where, _selects)


def is_float(element: object) -> bool:
    """Whether an element is a machine float."""
    return isinstance(element, Scalar) and element.kind == "f"
