"""`det`: determinants of the last two axes."""

from __future__ import annotations

import numpy as np

from whet.errors import ShapeError
from whet.ir.node import Array, Node, Op
from whet.ir.type import Type


def _infer(x: Type) -> Type:
    """x: [..., n, n]. Result [...]."""
    if x.rank < 2 or x.shape[-1] != x.shape[-2]:
        raise ShapeError(f"the determinant of {x}")
    return Type(x.shape[:-2], x.element)


def _evaluate(node: Node, x: Array) -> Array:
    return np.asarray(np.linalg.det(x.astype(np.float64)))


det = Op("det", _infer, _evaluate)
