"""Running sums and products along an axis."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from whet.errors import ShapeError
from whet.ir.node import Array, Node, Op
from whet.ir.type import Type


def _infer(x: Type, *, axis: int, exclusive: bool = False, reverse: bool = False) -> Type:
    if not 0 <= axis < x.rank:
        raise ShapeError(f"axis {axis} of {x}")
    return x


def _cumulative(name: str, function: Callable[..., Array], start: int) -> Op:
    def run(node: Node, x: Array) -> Array:
        axis, dtype = node.integer("axis"), x.dtype
        if dtype.kind in "fV" and dtype.itemsize < 4:
            x = x.astype(np.float32)
        x = np.flip(x, axis) if node["reverse"] else x
        if node["exclusive"]:
            first = np.full_like(np.take(x, [0], axis=axis), start)
            x = np.concatenate([first, np.delete(x, -1, axis=axis)], axis=axis)
        y = function(x, axis=axis, dtype=x.dtype)
        return np.flip(y, axis) if node["reverse"] else y

    return Op(name, _infer, run)


cumsum = _cumulative("cumsum", np.cumsum, 0)
cumprod = _cumulative("cumprod", np.cumprod, 1)
