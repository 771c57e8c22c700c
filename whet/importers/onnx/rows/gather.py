"""Reading and writing at positions that are data."""

from __future__ import annotations

from whet.errors import ModelError
from whet.importers.onnx.layer import Layer, row
from whet.importers.onnx.rows.constant import whole
from whet.ir.dim import bounds
from whet.ir.element import I64
from whet.ir.node import Value
from whet.ops import elementwise as e
from whet.ops import gather as g
from whet.ops.convert import convert
from whet.ops.iota import iota
from whet.ops.movement import broadcast, reshape
from whet.ops.nonzero import nonzero
from whet.ops.reduction import reduce_sum
from whet.ops.size import size_scalar

COMBINE = {"none": "none", "add": "add", "mul": "mul", "max": "max", "min": "min"}


@row("Gather")
def gathered(layer: Layer) -> Value:
    return g.gather(layer[0], layer[1], axis=layer.axis("axis", len(layer[0].shape), 0))


@row("GatherElements")
def gathered_elements(layer: Layer) -> Value:
    return g.gather_elements(layer[0], layer[1], axis=layer.axis("axis", len(layer[0].shape), 0))


@row("GatherND")
def gathered_slices(layer: Layer) -> Value:
    return g.gather_nd(layer[0], layer[1], batch=layer.integer("batch_dims"))


def _combine(layer: Layer) -> str:
    name = layer.text("reduction", "none")
    if name not in COMBINE:
        raise ModelError(f"unknown reduction {name}", where=layer.name)
    return COMBINE[name]


@row("ScatterElements", "Scatter")
def scattered_elements(layer: Layer) -> Value:
    axis = layer.axis("axis", len(layer[0].shape), 0)
    return g.scatter_elements(layer[0], layer[1], layer[2], axis=axis, combine=_combine(layer))


@row("ScatterND")
def scattered_slices(layer: Layer) -> Value:
    return g.scatter_nd(layer[0], layer[1], layer[2], combine=_combine(layer))


@row("TensorScatter")
def written(layer: Layer) -> Value:
    """update[b, ..., s, ...] goes to cache[b, ..., write[b] + s, ...]."""
    cache, update, start = layer[0], layer[1], layer.whole(2)
    rank = len(cache.shape)
    axis = layer.axis("axis", rank, -2)
    position = iota(update.shape[axis], axis, rank)
    if start is not None:
        first = reshape(start, shape=(start.tensor.elements, *(1,) * (rank - 1)))
        position = e.add(position, first)
    if layer.text("mode", "linear") == "circular":
        position = e.mod(position, size_scalar(cache.shape[axis]))
    indices = broadcast(position, shape=update.shape)
    return g.scatter_elements(cache, indices, update, axis=axis)


def _count(layer: Layer, mask: Value) -> Value:
    axes = tuple(range(len(mask.shape)))
    return reduce_sum(convert(mask, to=I64), axes=axes, keep=False)


@row("NonZero")
def positions(layer: Layer) -> Value:
    x = layer[0]
    zero = convert(whole(0), to=x.tensor.element)
    mask = e.bit_not(e.equal(x, zero))
    count = layer.size(_count(layer, mask), bounds(x.tensor.elements)[1], "non-zero elements")
    return nonzero(mask, count=count)


@row("Compress")
def compressed(layer: Layer) -> Value:
    x, keep = layer[0], layer[1]
    if layer.has("axis"):
        axis = layer.axis("axis", len(x.shape), 0)
    else:
        x, axis = reshape(x, shape=(x.tensor.elements,)), 0
    high = min(bounds(keep.tensor.elements)[1], bounds(x.shape[axis])[1])
    count = layer.size(_count(layer, keep), high, "kept")
    places = nonzero(keep, count=count)
    return g.gather(x, reshape(places, shape=(count,)), axis=axis)


@row("ReverseSequence")
def reversed_parts(layer: Layer) -> Value:
    x, lengths = layer[0], layer.whole(1)
    assert lengths is not None
    rank = len(x.shape)
    batch, time = layer.axis("batch_axis", rank, 1), layer.axis("time_axis", rank, 0)
    shape = tuple(x.shape[i] if i == batch else 1 for i in range(rank))
    length, step = reshape(lengths, shape=shape), iota(x.shape[time], time, rank)
    mirrored = e.sub(e.sub(length, whole(1)), step)
    place = e.select(e.less(step, length), mirrored, step)
    return g.gather_elements(x, broadcast(place, shape=x.shape), axis=time)
