"""Reading and writing elements at positions that are data. Negative indices count from the end."""

from __future__ import annotations

import numpy as np

from whet.errors import ShapeError
from whet.ir.dim import Dim, Size
from whet.ir.element import I32, I64
from whet.ir.node import Array, Node, Op
from whet.ir.type import Type

COMBINE = {"none": None, "add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


def _check(x: Type, indices: Type, axis: int = 0) -> None:
    if indices.element not in (I32, I64):
        raise ShapeError(f"indices are {indices.element}, not whole numbers")
    if not 0 <= axis < x.rank:
        raise ShapeError(f"axis {axis} of {x}")


def _gather(x: Type, indices: Type, *, axis: int) -> Type:
    _check(x, indices, axis)
    return Type((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]), x.element)


def _gather_elements(x: Type, indices: Type, *, axis: int) -> Type:
    _check(x, indices, axis)
    if indices.rank != x.rank:
        raise ShapeError(f"indices {indices} and {x} differ in rank")
    return Type(indices.shape, x.element)


def _depth(x: Type, indices: Type, batch: int = 0) -> int:
    """How many axes the last axis of the indices counts along."""
    depth = indices.shape[-1] if indices.rank else 0
    if not isinstance(depth, int) or not 0 <= depth <= x.rank - batch:
        raise ShapeError(f"indices {indices} do not fit {x}")
    return depth


def _gather_nd(x: Type, indices: Type, *, batch: int = 0) -> Type:
    _check(x, indices)
    depth = _depth(x, indices, batch)
    return Type((*indices.shape[:-1], *x.shape[batch + depth :]), x.element)


def _combine(combine: str) -> None:
    if combine not in COMBINE:
        raise ShapeError(f"unknown way to combine: {combine}")


def _same(a: tuple[Size, ...], b: tuple[Size, ...]) -> bool:
    return len(a) == len(b) and all(
        m == n or isinstance(m, Dim) or isinstance(n, Dim) for m, n in zip(a, b, strict=True)
    )


def _scatter_elements(
    x: Type, indices: Type, updates: Type, *, axis: int, combine: str = "none"
) -> Type:
    _check(x, indices, axis)
    _combine(combine)
    if indices.rank != x.rank or not _same(indices.shape, updates.shape):
        raise ShapeError(f"indices {indices} and updates {updates} do not fit {x}")
    return x


def _scatter_nd(x: Type, indices: Type, updates: Type, *, combine: str = "none") -> Type:
    _check(x, indices)
    _combine(combine)
    wanted = (*indices.shape[:-1], *x.shape[_depth(x, indices) :])
    if not _same(wanted, updates.shape):
        raise ShapeError(f"updates {updates} where {Type(wanted, x.element)} is needed")
    return x


def _evaluate_gather_nd(node: Node, x: Array, indices: Array) -> Array:
    batch = node.integer("batch")
    lead = np.ogrid[tuple(slice(n) for n in indices.shape[:batch])]
    middle = indices.ndim - 1 - batch
    places = [g.reshape(g.shape + (1,) * middle) for g in lead]
    return np.asarray(x[(*places, *np.moveaxis(indices, -1, 0))])


def _scatter(x: Array, place: tuple[Array, ...], updates: Array, combine: str) -> Array:
    out = x.copy()
    function = COMBINE[combine]
    if function is None:
        out[place] = updates
    else:
        function.at(out, place, updates)
    return out


def _evaluate_scatter_elements(node: Node, x: Array, indices: Array, updates: Array) -> Array:
    axis = node.integer("axis")
    places = list(np.ogrid[tuple(slice(n) for n in indices.shape)])
    places[axis] = indices
    return _scatter(x, tuple(places), updates, str(node["combine"] or "none"))


def _evaluate_scatter_nd(node: Node, x: Array, indices: Array, updates: Array) -> Array:
    places = tuple(np.moveaxis(indices, -1, 0)) if indices.shape[-1] else (...,)
    return _scatter(x, places, updates, str(node["combine"] or "none"))


gather = Op(
    "gather",
    _gather,
    lambda node, x, indices: np.take(x, indices, axis=node.integer("axis")),
    family="movement",
)
gather_elements = Op(
    "gather_elements",
    _gather_elements,
    lambda node, x, indices: _elements(x, indices, node.integer("axis")),
    family="movement",
)
gather_nd = Op("gather_nd", _gather_nd, _evaluate_gather_nd, family="movement")
scatter_elements = Op(
    "scatter_elements", _scatter_elements, _evaluate_scatter_elements, family="opaque"
)
scatter_nd = Op("scatter_nd", _scatter_nd, _evaluate_scatter_nd, family="opaque")


def _elements(x: Array, indices: Array, axis: int) -> Array:
    """x at the indices along one axis, at each index's own place along the others."""
    places = list(np.ogrid[tuple(slice(n) for n in indices.shape)])
    places[axis] = indices
    return np.asarray(x[tuple(places)])
