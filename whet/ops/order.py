"""Ops that compare elements with each other: the greatest ones, the distinct ones, the best boxes.

How many there are is data: such results are as long as they can be, zero after their end, and the
count is an output of its own.
"""

from __future__ import annotations

import numpy as np

from whet.errors import ShapeError
from whet.ir.dim import Size, bounds
from whet.ir.element import F32, I64
from whet.ir.node import Array, Node, Op
from whet.ir.type import Type, size_product


def _topk(
    x: Type, *, k: Size, axis: int, largest: bool = True, ordered: bool = True
) -> tuple[Type, Type]:
    """Values and indices of the k greatest (least) along an axis; equal ones in order of index."""
    if not 0 <= axis < x.rank:
        raise ShapeError(f"axis {axis} of {x}")
    if bounds(k)[0] > bounds(x.shape[axis])[1]:
        raise ShapeError(f"the {k} greatest along axis {axis} of {x}")
    shape = (*x.shape[:axis], k, *x.shape[axis + 1 :])
    return Type(shape, x.element), Type(shape, I64)


def _evaluate_topk(node: Node, x: Array) -> tuple[Array, Array]:
    axis, k = node.integer("axis"), node.integer("k")
    if node.attrs.get("largest", True):
        last = x.shape[axis] - 1
        order = np.flip(last - np.argsort(np.flip(x, axis), axis=axis, kind="stable"), axis)
    else:
        order = np.argsort(x, axis=axis, kind="stable")
    chosen = np.take(order, np.arange(k), axis=axis)
    return np.take_along_axis(x, chosen, axis=axis), chosen


def _unique(x: Type, *, axis: int, ordered: bool = True) -> tuple[Type, ...]:
    """Distinct slices along an axis: the index of each one's first place, for each slice the number
    of its distinct one, how often each occurs, and how many there are.

    ordered: by value, else by first place.
    """
    if not 0 <= axis < x.rank:
        raise ShapeError(f"axis {axis} of {x}")
    indices = Type((x.shape[axis],), I64)
    return indices, indices, indices, Type((), I64)


def _evaluate_unique(node: Node, x: Array) -> tuple[Array, ...]:
    axis, n = node.integer("axis"), x.shape[node.integer("axis")]
    rows = np.moveaxis(x, axis, 0).reshape(n, -1)
    # Lexicographic order of the rows, the first element deciding first.
    order = np.lexsort(rows.T[::-1]) if rows.shape[1] else np.arange(n)
    new = np.ones(n, bool)
    new[1:] = (rows[order[1:]] != rows[order[:-1]]).any(axis=1)
    group = np.cumsum(new) - 1
    first, count = order[new], np.bincount(group) if n else np.zeros(0, np.int64)
    inverse = np.empty(n, np.int64)
    inverse[order] = group
    if not node["ordered"]:
        rank = np.argsort(first, kind="stable")
        place = np.argsort(rank)
        first, count, inverse = first[rank], count[rank], place[inverse]
    first, count = (np.pad(a, (0, n - len(first))) for a in (first, count))
    return first, inverse, count, np.array(new.sum(), np.int64)


def _nms(
    boxes: Type, scores: Type, most: Type, overlap: Type, least: Type, *, center: bool = False
) -> tuple[Type, Type]:
    """Boxes [B,N,4] kept by greedy non-maximum suppression for scores [B,C,N].

    most: i64 scalar, boxes kept of each class; overlap, least: f32 scalars, the greatest
    intersection over union with a kept box and the score to exceed. center: boxes are (x centre,
    y centre, width, height) instead of two corners (y, x, y, x). Gives [B*C*N, 3] of (batch, class,
    box), i64, and how many there are.
    """
    if boxes.rank != 3 or scores.rank != 3 or boxes.shape[2] != 4:
        raise ShapeError(f"boxes {boxes} and scores {scores}")
    if boxes.element != F32 or scores.element != F32:
        raise ShapeError(f"boxes {boxes} and scores {scores} are not f32")
    rows = size_product(scores.shape)
    return Type((rows, 3), I64), Type((), I64)


def _corners(boxes: Array, center: bool) -> Array:
    if center:
        half = boxes[:, 2:] / 2
        return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)
    a, b = boxes[:, :2], boxes[:, 2:]
    return np.concatenate([np.minimum(a, b), np.maximum(a, b)], axis=1)


def _overlaps(box: Array, kept: Array) -> Array:
    low, high = np.maximum(box[:2], kept[:, :2]), np.minimum(box[2:], kept[:, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    areas = np.prod(kept[:, 2:] - kept[:, :2], axis=1)
    union = np.prod(box[2:] - box[:2]) + areas - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


def _evaluate_nms(
    node: Node, boxes: Array, scores: Array, most: Array, overlap: Array, least: Array
) -> tuple[Array, Array]:
    found: list[tuple[int, int, int]] = []
    for b, c in np.ndindex(*scores.shape[:2]):
        corners = _corners(boxes[b], bool(node["center"]))
        kept: list[int] = []
        for i in np.argsort(-scores[b, c], kind="stable"):
            if len(kept) >= int(most.reshape(())) or not scores[b, c, i] > least.reshape(()):
                break
            if not (_overlaps(corners[i], corners[kept]) > overlap.reshape(())).any():
                kept.append(int(i))
        found += [(b, c, i) for i in kept]
    rows = np.zeros((scores.size, 3), np.int64)
    rows[: len(found)] = np.array(found, np.int64).reshape(-1, 3)
    return rows, np.array(len(found), np.int64)


topk = Op("topk", _topk, _evaluate_topk)
unique = Op("unique", _unique, _evaluate_unique)
nms = Op("nms", _nms, _evaluate_nms)
