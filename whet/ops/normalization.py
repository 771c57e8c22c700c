"""Normalisations along axes: softmax, layer norm and their kin."""

from __future__ import annotations

import numpy as np

from whet.errors import ShapeError
from whet.ir.node import Array, Attr, Node, Op
from whet.ir.type import Type
from whet.ops.affine import operand, result, rounding
from whet.ops.integer import softmax as integer


def _infer(x: Type, *, axis: int, clamp: Attr = None, beta: float = 1.0) -> Type:
    if not 0 <= axis < x.rank:
        raise ShapeError(f"axis {axis} is not an axis of {x}")
    return x


def _softmax(node: Node, x: Array) -> Array:
    wide = x.astype(np.float32) if x.dtype.itemsize < 4 else x
    axis, beta = node.integer("axis"), node.attrs.get("beta", 1.0)
    assert isinstance(beta, float)
    e = np.exp((wide - wide.max(axis=axis, keepdims=True)) * wide.dtype.type(beta))
    return np.asarray(e / e.sum(axis=axis, keepdims=True))


def _quantized_softmax(node: Node, x: Array) -> Array:
    """Along the last axis; the result's scale is fixed by its width (1/256 for 8 bits)."""
    beta = node.attrs.get("beta", 1.0)
    assert isinstance(beta, float)
    store = result(node).store
    assert store != "int32"
    constants = integer.softmax_constants(operand(node, 0), beta, rounding(node), store)
    return integer.softmax(x, constants)


softmax = Op("softmax", _infer, _softmax, "reduction", _quantized_softmax)
