"""Reductions over axes that are data: each element goes to the place its kept indices name.

x[i, j, k] over axis 1  ->  y[i * stride_i + 0 * stride_j + k * stride_k] += x[i, j, k]
"""

from __future__ import annotations

from math import prod

import numpy as np

from whet.errors import ModelError
from whet.importers.onnx.layer import Layer
from whet.importers.onnx.rows.constant import whole
from whet.ir.dim import bounds
from whet.ir.element import F32, Scalar
from whet.ir.leaf import constant
from whet.ir.node import Op, Value
from whet.ops import elementwise as e
from whet.ops import reduction as r
from whet.ops.convert import convert, integer_limits
from whet.ops.gather import gather, scatter_elements
from whet.ops.iota import iota
from whet.ops.movement import broadcast, concat, reshape, slice_op
from whet.ops.nonzero import nonzero
from whet.ops.size import size_scalar

COMBINE = {
    r.reduce_sum: "add", r.reduce_mean: "add", r.reduce_prod: "mul", r.reduce_max: "max",
    r.reduce_min: "min",
}  # fmt: skip


def reduce_at(layer: Layer, op: Op, x: Value, axes: Value, keep: bool) -> Value:
    """x reduced over the axes that an i64 vector holds at run time."""
    rank, count = len(x.shape), axes.tensor.elements
    if not isinstance(count, int) or not isinstance(x.tensor.element, Scalar):
        raise ModelError("the axes are not known when compiling", where=layer.name)
    element = x.tensor.element
    if element.kind == "f" and element.size < F32.size:
        return convert(reduce_at(layer, op, convert(x, to=F32), axes, keep), to=element)
    front = e.mod(e.add(reshape(axes, shape=(count, 1)), whole(rank)), whole(rank))
    gone = r.reduce_max(e.equal(front, iota(rank, 1, 2)), axes=(0,), keep=False)
    flags = [_at(gone, i) for i in range(rank)]
    extents = [
        e.select(flag, whole(1), size_scalar(d)) for flag, d in zip(flags, x.shape, strict=True)
    ]
    y = _scattered(layer, op, x, (flags, extents))
    if keep:
        shape = tuple(
            layer.size(v, max(1, bounds(d)[1]), f"axis {i}")
            for i, (v, d) in enumerate(zip(extents, x.shape, strict=True))
        )
        return reshape(y, shape=shape)
    kept = reshape(nonzero(e.bit_not(gone), count=rank - count), shape=(rank - count,))
    high = max((1, *(bounds(d)[1] for d in x.shape)))
    sizes = gather(concat(*(reshape(v, shape=(1,)) for v in extents), axis=0), kept, axis=0)
    return reshape(y, shape=tuple(layer.size(_at(sizes, i), high) for i in range(rank - count)))


def _at(vector: Value, index: int) -> Value:
    return reshape(slice_op(vector, begin=(index,), size=(1,), step=(1,)), shape=())


def _scattered(layer: Layer, op: Op, x: Value, axes: tuple[list[Value], list[Value]]) -> Value:
    """The reduced elements as one row."""
    rank = len(x.shape)
    place, step = whole(0), whole(1)
    for i in reversed(range(rank)):
        index = e.select(axes[0][i], whole(0), iota(x.shape[i], i, rank))
        place, step = e.add(place, e.mul(index, step)), e.mul(step, axes[1][i])
    n, most = x.tensor.elements, prod(max(1, bounds(d)[1]) for d in x.shape)
    total = layer.size(step, most, "elements")
    start = broadcast(_identity(op, x), shape=(total,))
    flat = reshape(broadcast(place, shape=x.shape), shape=(n,))
    found = scatter_elements(start, flat, reshape(x, shape=(n,)), axis=0, combine=COMBINE[op])
    if op is not r.reduce_mean:
        return found
    share = convert(e.div(size_scalar(n), step), to=x.tensor.element)
    return e.div(found, share)


def _identity(op: Op, x: Value) -> Value:
    """What an empty reduction gives."""
    element = x.tensor.element
    assert isinstance(element, Scalar)
    if op in (r.reduce_sum, r.reduce_mean, r.reduce_prod):
        return constant(np.asarray(op is r.reduce_prod, element.dtype), element)
    if element.kind == "b":
        return constant(np.asarray(op is r.reduce_min))
    if element.kind == "f":
        return constant(np.asarray(-np.inf if op is r.reduce_max else np.inf, element.dtype))
    low, high = integer_limits(element)
    return constant(np.asarray(low if op is r.reduce_max else high, element.dtype))
