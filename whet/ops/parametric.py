"""Functions of two operands, or of a row, that have an integer definition of their own."""

from __future__ import annotations

import numpy as np

from whet.errors import ShapeError
from whet.ir.node import Array, Attr, Node, Op
from whet.ir.type import Type
from whet.ops.affine import operand, result, rounding
from whet.ops.broadcast import broadcast_shapes, same_element
from whet.ops.integer import multiplication as integer
from whet.ops.integer.normalization import l2_normalize as integer_l2_normalize


def _pairwise(x: Type, y: Type, *, clamp: Attr = None) -> Type:
    return Type(broadcast_shapes(x.shape, y.shape), same_element(x, y).element)


def _row(x: Type, *, clamp: Attr = None) -> Type:
    if not x.rank:
        raise ShapeError(f"a norm of {x}")
    return x


def _quantized_prelu(node: Node, x: Array, alpha: Array) -> Array:
    constants = integer.prelu_constants(
        operand(node, 0), operand(node, 1), result(node), rounding(node)
    )
    return integer.prelu(x, alpha, constants)


def _quantized_difference(node: Node, a: Array, b: Array) -> Array:
    constants = integer.squared_difference_constants(
        operand(node, 0), operand(node, 1), result(node), rounding(node)
    )
    return integer.squared_difference(a, b, constants)


def _unit(node: Node, x: Array) -> Array:
    total = (x * x).sum(axis=-1, keepdims=True)
    return np.asarray(x / np.sqrt(np.maximum(total, np.float32(1e-6))))


prelu = Op(
    "prelu", _pairwise, lambda node, x, alpha: np.where(x >= 0, x, alpha * x), "elementwise",
    _quantized_prelu,
)  # fmt: skip
squared_difference = Op(
    "squared_difference", _pairwise, lambda node, a, b: (a - b) * (a - b), "elementwise",
    _quantized_difference,
)  # fmt: skip
l2_normalize = Op(
    "l2_normalize", _row, _unit, "reduction",
    lambda node, x: integer_l2_normalize(x, operand(node, 0).zero, rounding(node)),
)  # fmt: skip
"""x / max(norm(x), 1e-3) over the last axis; int8 results have scale 1/128 and zero point 0."""
