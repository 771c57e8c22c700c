"""NumPy's multidirectional broadcasting over sizes."""

from __future__ import annotations

from whet.errors import ShapeError
from whet.ir.dim import Dim, Size, dim_max
from whet.ir.type import Type


def broadcast_shapes(*shapes: tuple[Size, ...]) -> tuple[Size, ...]:
    """The shape that all shapes broadcast to. Raises ShapeError where they do not fit."""
    rank = max((len(s) for s in shapes), default=0)
    padded = [(1,) * (rank - len(s)) + s for s in shapes]
    return tuple(_merge(sizes, shapes) for sizes in zip(*padded, strict=True))


def _merge(sizes: tuple[Size, ...], shapes: tuple[tuple[Size, ...], ...]) -> Size:
    chosen: Size = 1
    for size in sizes:
        if size == 1 or size == chosen:
            continue
        if chosen == 1 or (isinstance(chosen, Dim) and isinstance(size, int)):
            chosen = size
        elif isinstance(chosen, Dim) and isinstance(size, Dim):
            chosen = dim_max(chosen, size)
        elif isinstance(size, int):
            shown = " and ".join("[" + ",".join(map(str, s)) + "]" for s in shapes)
            raise ShapeError(f"shapes {shown} do not broadcast")
    return chosen


def same_element(*types: Type) -> Type:
    """The first type; raises ShapeError where elements differ."""
    first = types[0]
    for t in types[1:]:
        if t.element != first.element:
            raise ShapeError(f"operands are {first.element} and {t.element}")
    return first


def is_row(shape: tuple[Size, ...], out: tuple[Size, ...]) -> bool:
    """Whether a shape of several elements is one row for all rows of `out`."""
    if shape == out or len(shape) > len(out) or not shape or shape[-1] in (1, 0):
        return False
    return shape[-1] == out[-1] and all(d == 1 for d in shape[:-1])
