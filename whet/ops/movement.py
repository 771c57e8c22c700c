"""Ops that only move elements: every output element is one input element (or a fill)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from whet.errors import ShapeError
from whet.ir.dim import Dim, Size, bounds
from whet.ir.element import Quant
from whet.ir.node import Array, Node, Op
from whet.ir.type import Type, size_product
from whet.ops.broadcast import same_element

Sizes = tuple[Size, ...]


def _reshape(x: Type, *, shape: Sizes) -> Type:
    out = Type(shape, x.element)
    if x.static and out.static and x.elements != out.elements:
        raise ShapeError(f"{x} cannot be reshaped to {list(shape)}")
    return out


def _transpose(x: Type, *, perm: tuple[int, ...]) -> Type:
    if sorted(perm) != list(range(x.rank)):
        raise ShapeError(f"perm {perm} does not order the axes of {x}")
    element = x.element
    if isinstance(element, Quant) and element.axis is not None:
        element = replace(element, axis=perm.index(element.axis))
    return Type(tuple(x.shape[p] for p in perm), element)


def _slice(x: Type, *, begin: Sizes, size: Sizes, step: Sizes) -> Type:
    for d, b, n, s in zip(x.shape, begin, size, step, strict=True):
        if isinstance(d, Dim) or isinstance(b, Dim) or isinstance(n, Dim) or isinstance(s, Dim):
            continue
        if n and not (0 <= b < d and 0 <= b + (n - 1) * s < d):
            raise ShapeError(f"slice from {b} of {n} by {s} leaves an axis of {d}")
    return Type(size, x.element)


def _concat(*types: Type, axis: int) -> Type:
    first = same_element(*types)
    total: Size = 0
    for t in types:
        if t.rank != first.rank or not 0 <= axis < t.rank:
            raise ShapeError(f"concat of {first} and {t} along axis {axis}")
        for i, (a, b) in enumerate(zip(t.shape, first.shape, strict=True)):
            if i != axis and a != b and not isinstance(a, Dim) and not isinstance(b, Dim):
                raise ShapeError(f"concat of {first} and {t} along axis {axis}")
        total = total + t.shape[axis]
    return Type((*first.shape[:axis], total, *first.shape[axis + 1 :]), first.element)


def _pad(x: Type, value: Type, *, low: Sizes, high: Sizes, mode: str = "constant") -> Type:
    if mode not in ("constant", "edge", "reflect", "wrap"):
        raise ShapeError(f"unknown pad mode {mode}")
    shape = tuple(d + a + b for d, a, b in zip(x.shape, low, high, strict=True))
    if any(bounds(a)[0] < 0 or bounds(b)[0] < 0 for a, b in zip(low, high, strict=True)):
        raise ShapeError("pad sizes are negative; slice instead")
    return Type(shape, x.element)


def _broadcast(x: Type, *, shape: Sizes) -> Type:
    pairs = zip(reversed(x.shape), reversed(shape), strict=False)
    clash = any(d not in (1, n) and isinstance(d, int) and isinstance(n, int) for d, n in pairs)
    if x.rank > len(shape) or clash:
        raise ShapeError(f"{x} does not broadcast to {list(shape)}")
    return Type(shape, x.element)


def _evaluate_slice(node: Node, x: Array) -> Array:
    index = []
    for b, n, s in zip(
        node.integers("begin"), node.integers("size"), node.integers("step"), strict=True
    ):
        end = b + n * s
        index.append(slice(b, end if end >= 0 else None, s) if n else slice(0, 0))
    return x[tuple(index)]


def _evaluate_pad(node: Node, x: Array, value: Array) -> Array:
    widths = list(zip(node.integers("low"), node.integers("high"), strict=True))
    mode = str(node["mode"] or "constant")
    if mode != "constant":
        return np.asarray(np.pad(x, widths, mode=mode))  # type: ignore[call-overload]
    out = np.empty([d + a + b for d, (a, b) in zip(x.shape, widths, strict=True)], x.dtype)
    out[...] = value
    out[tuple(slice(a, a + d) for d, (a, _) in zip(x.shape, widths, strict=True))] = x
    return out


reshape = Op(
    "reshape", _reshape, lambda node, x: x.reshape(node.integers("shape")), family="movement"
)
transpose = Op(
    "transpose", _transpose, lambda node, x: x.transpose(node.integers("perm")), family="movement"
)
slice_op = Op("slice", _slice, _evaluate_slice, family="movement")
concat = Op(
    "concat",
    _concat,
    lambda node, *xs: np.concatenate(xs, axis=node.integer("axis")),
    family="movement",
)
pad = Op("pad", _pad, _evaluate_pad, family="movement")
broadcast = Op(
    "broadcast",
    _broadcast,
    lambda node, x: np.broadcast_to(x, node.integers("shape")),
    family="movement",
)


def flattened(shape: Sizes, axis: int) -> tuple[Size, Size, Size]:
    """(outer, n, inner): the sizes before, at and after an axis."""
    return size_product(shape[:axis]), shape[axis], size_product(shape[axis + 1 :])
