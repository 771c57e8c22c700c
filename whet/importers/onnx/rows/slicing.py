"""Parts of a value, and parts put together: Slice, Split, CenterCropPad, Concat."""

from __future__ import annotations

from whet.errors import ModelError
from whet.importers.onnx.layer import Layer, row, scalar
from whet.importers.onnx.rows.constant import as_whole, whole
from whet.importers.onnx.rows.shape import declared_shape
from whet.ir.dim import Size, bounds, dim_max, dim_min
from whet.ir.node import Value
from whet.ops import elementwise as e
from whet.ops.movement import concat, pad, reshape, slice_op
from whet.ops.size import size_scalar


@row("Slice")
def sliced(layer: Layer) -> Value:
    x = layer[0]
    begins, sizes, steps = [], [], []
    for axis, bound in enumerate(_bounds(layer)):
        begin, size, step = _range(layer, axis, *bound) if bound else (0, x.shape[axis], 1)
        begins.append(begin)
        sizes.append(size)
        steps.append(step)
    return slice_op(x, begin=tuple(begins), size=tuple(sizes), step=tuple(steps))


Bound = tuple[Value, Value, Value]


def _bounds(layer: Layer) -> list[Bound | None]:
    """(start, end, step) of each axis, None for an axis that stays whole."""
    rank = len(layer[0].shape)
    if layer.version < 10:
        begins = [whole(n) for n in layer.integers("starts")]
        ends = [whole(n) for n in layer.integers("ends")]
        given = layer.integers("axes", tuple(range(len(begins))))
        steps = [whole(1)] * len(begins)
        axes: tuple[int, ...] | None = tuple(layer.front(a, rank) for a in given)
    else:
        begins, ends = _wholes(layer, 1), _wholes(layer, 2)
        steps = _wholes(layer, 4) or [whole(1)] * len(begins)
        axes = _axes(layer, 3, len(begins), rank)
    if not len(begins) == len(ends) == len(steps) or (axes and len(axes) != len(begins)):
        raise ModelError("starts, ends, axes and steps differ in length", where=layer.name)
    if axes is None:
        return _at_unknown_axes(layer, (begins, ends, steps))
    found: list[Bound | None] = [None] * rank
    for axis, *bound in zip(axes, begins, ends, steps, strict=True):
        found[axis] = (bound[0], bound[1], bound[2])
    return found


def _wholes(layer: Layer, index: int) -> list[Value]:
    if layer.optional(index) is None:
        return []
    return [as_whole(v) for v in layer.elements(index)]


def _axes(layer: Layer, index: int, count: int, rank: int) -> tuple[int, ...] | None:
    """The axes of an optional input, by default the first; None where known only at run time."""
    if layer.optional(index) is None:
        return tuple(range(count))
    axes = layer.known_ints(index)
    return None if axes is None else tuple(layer.front(a, rank) for a in axes)


def _at_unknown_axes(layer: Layer, given: tuple[list[Value], ...]) -> list[Bound | None]:
    """For each axis the numbers given for it: those whose axis, read at run time, is this one."""
    rank, count = len(layer[0].shape), len(given[0])
    axes = layer.whole(3)
    assert axes is not None
    front = e.mod(e.add(axes, whole(rank)), whole(rank))
    found: list[Bound | None] = []
    for axis in range(rank):
        chosen = e.equal(front, whole(axis))
        default = (whole(0), size_scalar(layer[0].shape[axis]), whole(1))
        bound = []
        for numbers, other in zip(given, default, strict=True):
            value = other
            for i in range(count):
                here = reshape(slice_op(chosen, begin=(i,), size=(1,), step=(1,)), shape=())
                value = e.select(here, numbers[i], value)
            bound.append(value)
        found.append((bound[0], bound[1], bound[2]))
    return found


def _range(layer: Layer, axis: int, start: Value, end: Value, step: Value) -> tuple[Size, ...]:
    """(begin, size, step) of ONNX's start:end:step along an axis, all clamped as ONNX says."""
    extent = layer[0].shape[axis]
    length, high = size_scalar(extent), bounds(extent)[1]
    zero, forward = whole(0), e.less(whole(0), step)
    last = e.sub(length, whole(1))

    def inside(position: Value, low: Value, top: Value) -> Value:
        counted = e.select(e.less(position, zero), e.add(position, length), position)
        return e.minimum(e.maximum(counted, low), top)

    begin = e.select(forward, inside(start, zero, length), inside(start, zero, last))
    stop = e.select(forward, inside(end, zero, length), inside(end, whole(-1), last))
    distance = e.maximum(e.select(forward, e.sub(stop, begin), e.sub(begin, stop)), zero)
    stride = e.select(forward, step, e.neg(step))
    count = e.div(e.sub(e.add(distance, stride), whole(1)), stride)
    label = f"axis {axis}"
    return (
        layer.size(e.maximum(begin, zero), high, f"{label} begin"),
        layer.size(count, high, f"{label} size"),
        layer.size(step, high, f"{label} step", low=-high),
    )


@row("Split")
def divided(layer: Layer) -> tuple[Value, ...]:
    x = layer[0]
    axis = layer.axis("axis", len(x.shape), 0)
    found, begin = [], 0
    for size in _parts(layer, x.shape[axis], axis):
        begins = tuple(begin if i == axis else 0 for i in range(len(x.shape)))
        shape = (*x.shape[:axis], size, *x.shape[axis + 1 :])
        found.append(slice_op(x, begin=begins, size=shape, step=(1,) * len(x.shape)))
        begin = begin + size  # type: ignore[assignment]
    return tuple(found)


def _parts(layer: Layer, extent: Size, axis: int) -> tuple[Size, ...]:
    """The size of each part; equal ones, the last smaller, where none are given."""
    if layer.version < 13 and layer.has("split"):
        return layer.integers("split")
    if layer.version >= 13 and layer.optional(1) is not None:
        known = layer.sizes(1)
        high = bounds(extent)[1]
        return known if known else tuple(layer.size(v, high) for v in layer.elements(1))
    count = layer.integer("num_outputs", len(layer.proto.output))
    part = -(-extent // count) if isinstance(extent, int) else extent // count
    return (*(part,) * (count - 1), extent - part * (count - 1))


@row("CenterCropPad")
def centred(layer: Layer) -> Value:
    x = layer[0]
    rank = len(x.shape)
    given = layer.integers("axes", tuple(range(rank)))
    axes = tuple(layer.front(a, rank) for a in given)
    wanted = layer.sizes(1)
    if wanted is None:
        declared = declared_shape(layer)
        if declared is None:
            raise ModelError("the shape is not known when compiling", where=layer.name)
        wanted = tuple(declared[a] for a in axes)
    begin: list[Size] = [0] * rank
    low, high, size = begin.copy(), begin.copy(), list(x.shape)
    for axis, n in zip(axes, wanted, strict=True):
        d = x.shape[axis]
        kept, more = dim_min(d, n), dim_max(n - d, 0)
        begin[axis], size[axis] = (d - kept) // 2, kept
        low[axis], high[axis] = more // 2, more - more // 2
    part = slice_op(x, begin=tuple(begin), size=tuple(size), step=(1,) * rank)
    return pad(part, scalar(0, x), low=tuple(low), high=tuple(high))


@row("Concat")
def joined(layer: Layer) -> Value:
    axis = layer.axis("axis", len(layer[0].shape), 1)
    return concat(*(layer[i] for i in range(len(layer.inputs))), axis=axis)
