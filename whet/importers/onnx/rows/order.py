"""TopK, Unique, NonMaxSuppression, running sums."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from whet.importers.onnx.layer import Layer, row
from whet.importers.onnx.rows.constant import whole
from whet.ir.dim import Size, bounds
from whet.ir.leaf import constant
from whet.ir.node import Value
from whet.ir.type import size_product
from whet.ops import elementwise as e
from whet.ops.cumulative import cumprod, cumsum
from whet.ops.gather import gather
from whet.ops.movement import reshape, slice_op
from whet.ops.order import nms, topk, unique


def at_axis(layer: Layer, index: int, rank: int, build: Callable[[int], Value]) -> Value:
    """The result for the axis that input `index` holds; all are computed where it is known only at
    run time."""
    known = layer.known_ints(index)
    if known is not None:
        return build(layer.front(known[0], rank))
    axis = layer.whole(index)
    assert axis is not None
    front = e.mod(e.add(reshape(axis, shape=()), whole(rank)), whole(rank))
    result = build(0)
    for i in range(1, rank):
        result = e.select(e.equal(front, whole(i)), build(i), result)
    return result


@row("CumSum", "CumProd")
def running(layer: Layer) -> Value:
    op = cumsum if layer.proto.op_type == "CumSum" else cumprod
    exclusive, reverse = bool(layer.integer("exclusive")), bool(layer.integer("reverse"))
    return at_axis(
        layer, 1, len(layer[0].shape),
        lambda axis: op(layer[0], axis=axis, exclusive=exclusive, reverse=reverse),
    )  # fmt: skip


@row("TopK")
def greatest(layer: Layer) -> tuple[Value, ...]:
    x = layer[0]
    axis = layer.axis("axis", len(x.shape), -1)
    if layer.version < 10:
        k: Size = layer.integer("k")
    else:
        k = layer.extent(reshape(layer[1], shape=()), axis, bounds(x.shape[axis])[1])
    largest = bool(layer.integer("largest", 1))
    return topk.many(x, k=k, axis=axis, largest=largest, ordered=bool(layer.integer("sorted", 1)))


def first_part(x: Value, axis: int, size: Size) -> Value:
    """x[..., :size, ...] along an axis."""
    shape = (*x.shape[:axis], size, *x.shape[axis + 1 :])
    return slice_op(x, begin=(0,) * len(shape), size=shape, step=(1,) * len(shape))


@row("Unique")
def distinct(layer: Layer) -> tuple[Value, ...]:
    x, axis = layer[0], 0
    if layer.has("axis"):
        axis = layer.axis("axis", len(x.shape), 0)
    else:
        x = reshape(x, shape=(x.tensor.elements,))
    ordered = bool(layer.integer("sorted", 1))
    first, inverse, counts, found = unique.many(x, axis=axis, ordered=ordered)
    size = layer.size(found, bounds(x.shape[axis])[1], "distinct")
    places = first_part(first, 0, size)
    return gather(x, places, axis=axis), places, inverse, first_part(counts, 0, size)


@row("NonMaxSuppression")
def best_boxes(layer: Layer) -> Value:
    most = layer.whole(2) or whole(0)
    overlap = layer.optional(3) or constant(np.float32(0))
    least = layer.optional(4) or constant(np.float32(-np.inf))
    boxes, found = nms.many(
        layer[0], layer[1], most, overlap, least, center=bool(layer.integer("center_point_box"))
    )
    rows = bounds(size_product(layer[1].shape))[1]
    return first_part(boxes, 0, layer.size(found, rows, "boxes"))
