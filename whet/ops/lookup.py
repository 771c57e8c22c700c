"""`lookup`: any function of one 8-bit value, as a table made when compiling."""

from __future__ import annotations

import numpy as np

from whet.errors import ShapeError
from whet.ir.element import Element, Quant
from whet.ir.node import Array, Node, Op
from whet.ir.type import Type


def _infer(x: Type, table: Type, *, to: Element) -> Type:
    """x: 8-bit codes; table: [256], entry i for code i - 128 (signed) or i (unsigned)."""
    if table.shape != (256,) or x.element.size != 1:
        raise ShapeError(f"lookup of {x} in {table}")
    return Type(x.shape, to)


def _evaluate(node: Node, x: Array, table: Array) -> Array:
    return np.asarray(table[x.astype(np.int64) + (128 if x.dtype == np.int8 else 0)])


lookup = Op("lookup", _infer, _evaluate, family="elementwise")


def codes(element: Quant) -> Array:
    """Every code of an 8-bit element, in the order of a table."""
    return (
        np.arange(-128, 128, dtype=np.int8)
        if element.store.kind == "i"
        else np.arange(256, dtype=np.uint8)
    )
