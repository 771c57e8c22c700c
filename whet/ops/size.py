"""`sizes`: sizes as data, for what computes with shapes at run time."""

from __future__ import annotations

import numpy as np

from whet.ir.dim import Size
from whet.ir.element import I64
from whet.ir.leaf import constant
from whet.ir.node import Op, Value
from whet.ir.type import Type


def _infer(*, sizes: tuple[Size, ...]) -> Type:
    return Type((len(sizes),), I64)


sizes_op = Op(
    "sizes", _infer, lambda node: np.array(node.integers("sizes"), np.int64), family="movement"
)


def size_vector(sizes: tuple[Size, ...]) -> Value:
    """Sizes as an i64 vector, a constant where all are known."""
    if all(isinstance(n, int) for n in sizes):
        return constant(np.array(sizes, np.int64))
    return sizes_op(sizes=sizes)


def size_scalar(size: Size) -> Value:
    """A size as an i64 scalar."""
    from whet.ops.movement import reshape

    return reshape(size_vector((size,)), shape=())
