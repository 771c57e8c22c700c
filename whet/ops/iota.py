"""`iota`: the whole numbers 0, 1, ..., size - 1."""

from __future__ import annotations

import numpy as np

from whet.ir.dim import Size
from whet.ir.element import I64
from whet.ir.leaf import constant
from whet.ir.node import Op, Value
from whet.ir.type import Type
from whet.ops.movement import reshape

iota_op = Op(
    "iota",
    lambda *, size: Type((size,), I64),
    lambda node: np.arange(node.integer("size"), dtype=np.int64),
    family="movement",
)


def iota(size: Size, axis: int = 0, rank: int = 1) -> Value:
    """0 .. size-1 along one axis of a tensor of `rank` axes, the others being 1."""
    if isinstance(size, int):
        values = constant(np.arange(size, dtype=np.int64))
    else:
        values = iota_op(size=size)
    shape = tuple(size if i == axis else 1 for i in range(rank))
    return values if rank == 1 else reshape(values, shape=shape)
