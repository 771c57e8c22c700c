"""Pad in all its modes: constants around a value, or the value's own elements."""

from __future__ import annotations

from whet.errors import ModelError
from whet.importers.onnx.layer import Layer, row, scalar
from whet.importers.onnx.rows.constant import as_whole, whole
from whet.ir.dim import UNBOUNDED, Size, bounds, dim_max, dim_min
from whet.ir.node import Value
from whet.ops import elementwise as e
from whet.ops.gather import gather
from whet.ops.iota import iota
from whet.ops.movement import pad, reshape, slice_op
from whet.ops.size import size_scalar


@row("Pad")
def padded(layer: Layer) -> Value:
    x = layer[0]
    low, high = _widths(layer)
    mode = layer.text("mode", "constant")
    if mode == "constant":
        return _constant(layer, low, high)
    for axis, (a, b) in enumerate(zip(low, high, strict=True)):
        if a != 0 or b != 0:
            x = gather(x, _source(mode, a, x.shape[axis], a + b + x.shape[axis], layer), axis=axis)
    return x


def _widths(layer: Layer) -> tuple[list[Size], list[Size]]:
    """Elements added before and after each axis; negative ones are taken away."""
    rank = len(layer[0].shape)
    axes: tuple[int, ...] | None = tuple(range(rank))
    if layer.version >= 18 and layer.optional(3) is not None:
        known = layer.known_ints(3)
        axes = None if known is None else tuple(layer.front(a, rank) for a in known)
    if layer.version < 11:
        given: tuple[Size, ...] | None = layer.integers("pads", layer.integers("paddings"))
    else:
        given = layer.sizes(1)
    if given is None or axes is None:
        return _read(layer, axes)
    if len(given) != 2 * len(axes):
        raise ModelError(f"{len(given)} pads for {len(axes)} axes", where=layer.name)
    low: list[Size] = [0] * rank
    high: list[Size] = [0] * rank
    for i, axis in enumerate(axes):
        low[axis], high[axis] = given[i], given[i + len(axes)]
    return low, high


def _read(layer: Layer, axes: tuple[int, ...] | None) -> tuple[list[Size], list[Size]]:
    """Widths known only at run time; the declared result bounds them."""
    rank, pads, declared = len(layer[0].shape), layer.elements(1), layer.declared()
    count = len(pads) // 2
    named = None if axes is not None else layer.whole(3)
    widths: tuple[list[Size], list[Size]] = ([], [])
    for axis, extent in enumerate(layer[0].shape):
        high = UNBOUNDED
        if declared is not None:
            high = max(0, bounds(declared.shape[axis])[1] - bounds(extent)[0])
        for side, found in enumerate(widths):
            value = whole(0)
            for i in range(count):
                width = as_whole(pads[i + side * count])
                if axes is not None:
                    value = width if axes[i] == axis else value
                elif named is not None:
                    place = slice_op(named, begin=(i,), size=(1,), step=(1,))
                    front = e.mod(e.add(reshape(place, shape=()), whole(rank)), whole(rank))
                    value = e.select(e.equal(front, whole(axis)), width, value)
            found.append(layer.size(value, high, f"pad {axis}"))
    return widths


def _constant(layer: Layer, low: list[Size], high: list[Size]) -> Value:
    x, value = layer[0], layer.optional(2)
    if layer.version < 11:
        value = scalar(layer.real("value"), x)
    value = scalar(0, x) if value is None else reshape(value, shape=())
    if any(bounds(n)[0] < 0 for n in (*low, *high)):
        begin = tuple(dim_max(-n, 0) for n in low)
        size = tuple(
            d + dim_min(a, 0) + dim_min(b, 0) for d, a, b in zip(x.shape, low, high, strict=True)
        )
        x = slice_op(x, begin=begin, size=size, step=(1,) * len(size))
    return pad(
        x, value, low=tuple(dim_max(n, 0) for n in low), high=tuple(dim_max(n, 0) for n in high)
    )


def _source(mode: str, low: Size, extent: Size, size: Size, layer: Layer) -> Value:
    """For each position of the padded axis, the position that is copied there."""
    position = e.sub(iota(size), size_scalar(low))
    last = size_scalar(extent - 1)
    if mode == "edge":
        return e.minimum(e.maximum(position, whole(0)), last)
    if mode == "wrap":
        return e.mod(position, size_scalar(extent))
    if mode != "reflect":
        raise ModelError(f"unknown pad mode {mode}", where=layer.name)
    period = e.maximum(e.mul(last, whole(2)), whole(1))
    turned = e.mod(position, period)
    return e.minimum(turned, e.sub(period, turned)) if extent != 1 else e.mul(turned, whole(0))
