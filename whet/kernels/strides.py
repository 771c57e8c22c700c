"""Row-major strides, and how operands are walked by a nest over an output's axes."""

from __future__ import annotations

from whet.ir.dim import Size


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
    return tuple(0 if d == 1 else s for d, s in zip(aligned, own, strict=True))
