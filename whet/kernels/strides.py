"""Row-major strides, and how operands are walked by a nest over an output's axes."""

from __future__ import annotations

from whet.ir.dim import Dim, Size, bounds, dim_min


def row_major(shape: tuple[Size, ...]) -> tuple[Size, ...]:
    """Elements to step along each axis of a dense tensor."""
    strides: list[Size] = []
    step: Size = 1
    for d in reversed(shape):
        strides.append(step)
        step = step * d
    return tuple(reversed(strides))


def broadcast_strides(shape: tuple[Size, ...], out: tuple[Size, ...]) -> tuple[Size, ...]:
    """Strides that walk `shape` along the axes of the shape it broadcasts to."""
    aligned = (1,) * (len(out) - len(shape)) + shape
    own = (0,) * (len(out) - len(shape)) + row_major(shape)
    return tuple(map(_stride, aligned, out, own))


def _stride(size: Size, walked: Size, step: Size) -> Size:
    """The step along an axis, 0 where it is broadcast; a size that may be 1 decides at run time."""
    if size == 1:
        return 0
    if isinstance(size, Dim) and size != walked and bounds(size)[0] <= 1:
        return dim_min(size - 1, 1) * step
    return step
