"""Extremes, orders, counts and reductions."""

from __future__ import annotations

import numpy as np

from whet.errors import ModelError
from whet.importers.tflite.layer import Layer, row
from whet.importers.tflite.names import op_name
from whet.importers.tflite.rows.arithmetic import codes, of_codes
from whet.ir.dim import static_shape
from whet.ir.leaf import constant
from whet.ir.node import Value
from whet.ops import elementwise as e
from whet.ops.convert import convert
from whet.ops.cumulative import cumsum
from whet.ops.movement import reshape
from whet.ops.order import topk
from whet.ops.reduction import argmax, argmin, reduce_max, reduce_min, reduce_prod


@row("ARG_MAX", "ARG_MIN")
def extreme(layer: Layer) -> Value:
    op = argmax if op_name(layer.operator.code) == "ARG_MAX" else argmin
    axis = layer.ints(1)[0] % len(layer[0].shape)
    return convert(op(layer[0], axis=axis, keep=False), to=layer.elements[0])


REDUCTIONS = {
    "REDUCE_MAX": reduce_max, "REDUCE_ANY": reduce_max, "REDUCE_MIN": reduce_min,
    "REDUCE_ALL": reduce_min, "REDUCE_PROD": reduce_prod,
}  # fmt: skip


@row(*REDUCTIONS)
def reduction(layer: Layer) -> Value:
    """Extremes of codes are the codes of the extremes."""
    op, rank = REDUCTIONS[op_name(layer.operator.code)], len(layer[0].shape)
    axes = tuple(sorted({a % rank for a in layer.ints(1)})) if rank else ()
    keep = bool(layer.option(0, "B"))
    return of_codes(layer, op(codes(layer, layer[0]), axes=axes, keep=keep))


@row("TOPK_V2")
def greatest(layer: Layer) -> tuple[Value, Value]:
    x = codes(layer, layer[0])
    values, indices = topk.many(x, k=layer.ints(1)[0], axis=len(x.shape) - 1)
    return of_codes(layer, values), convert(indices, to=layer.elements[1])


@row("CUMSUM")
def running_sum(layer: Layer) -> Value:
    axis = layer.ints(1)[0] % len(layer[0].shape)
    flags = {"exclusive": bool(layer.option(0, "B")), "reverse": bool(layer.option(1, "B"))}
    return cumsum(layer[0], axis=axis, **flags)


@row("ONE_HOT")
def one_hot(layer: Layer) -> Value:
    depth, shape = layer.ints(1)[0], layer[0].shape
    axis = layer.option(0) % (len(shape) + 1)
    inner = (1,) * (len(shape) - axis)
    index = reshape(layer[0], shape=(*shape[:axis], 1, *shape[axis:]))
    numbers = np.arange(depth, dtype=layer[0].tensor.element.dtype).reshape(depth, *inner)
    chosen = e.equal(index, constant(numbers))
    return e.select(chosen, layer[2], layer[3])


@row("SHAPE")
def sizes(layer: Layer) -> Value:
    values = static_shape(layer[0].shape)
    return constant(np.array(values, layer.elements[0].dtype))


@row("RANK")
def rank(layer: Layer) -> Value:
    return constant(np.array(len(layer[0].shape), layer.elements[0].dtype))


@row("RANGE")
def numbers(layer: Layer) -> Value:
    start, stop, step = (float(layer.constant(i).reshape(())) for i in range(3))
    if not step or (stop - start) / step > 1 << 24:
        raise ModelError(f"numbers from {start} to {stop} by {step}", where=layer.name)
    return constant(np.arange(start, stop, step).astype(layer.elements[0].dtype))
