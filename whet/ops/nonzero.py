"""`nonzero`: where a mask holds."""

from __future__ import annotations

import numpy as np

from whet.errors import ShapeError
from whet.ir.dim import Size
from whet.ir.element import BOOL, I64
from whet.ir.node import Op
from whet.ir.type import Type


def _infer(mask: Type, *, count: Size) -> Type:
    """The positions of the `count` true elements, in row-major order: [rank, count]."""
    if mask.element != BOOL:
        raise ShapeError(f"the mask is {mask.element}, not bool")
    return Type((mask.rank, count), I64)


nonzero = Op("nonzero", _infer, lambda node, mask: np.stack(np.nonzero(mask)))
