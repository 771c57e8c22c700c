"""`lookup`: any function of one 8-bit value, as a table made when compiling."""

from __future__ import annotations

import numpy as np

from whet.errors import ShapeError
from whet.ir.element import Element, Quant
from whet.ir.node import Array, Node, Op
from whet.ir.type import Type


def _infer(x: Type, table: Type, *, to: Element) -> Type:
    """x: 8-bit codes; table: [256], indexed by the byte of a code."""
    if table.shape != (256,) or x.element.size != 1:
        raise ShapeError(f"lookup of {x} in {table}")
    return Type(x.shape, to)


def _evaluate(node: Node, x: Array, table: Array) -> Array:
    return np.asarray(table[np.ascontiguousarray(x).view(np.uint8)])


lookup = Op("lookup", _infer, _evaluate, family="elementwise")


def codes(element: Quant) -> Array:
    """Every code of an 8-bit element, in the order of a table."""
    return np.arange(256, dtype=np.uint8).view(element.store.dtype)
