"""Reductions."""

from __future__ import annotations

from whet.errors import ModelError
from whet.importers.onnx.layer import Layer, row
from whet.ir.node import Op, Value
from whet.ops import reduction as r

REDUCTIONS: dict[str, Op] = {
    "ReduceSum": r.reduce_sum, "ReduceMean": r.reduce_mean, "ReduceMax": r.reduce_max,
    "ReduceMin": r.reduce_min, "ReduceProd": r.reduce_prod,
}  # fmt: skip
AXES_AS_INPUT = {"ReduceSum": 13}


@row(*REDUCTIONS)
def reduction(layer: Layer) -> Value:
    x, kind = layer[0], layer.proto.op_type
    rank = len(x.shape)
    given: tuple[int, ...] | None
    if layer.version >= AXES_AS_INPUT.get(kind, 18):
        given = layer.known_ints(1)
        if given is None and layer.optional(1) is not None:
            raise ModelError("the axes are not known when compiling", where=layer.name)
    else:
        given = layer.integers("axes") if layer.has("axes") else None
    if not given and layer.integer("noop_with_empty_axes"):
        return x
    axes = tuple(sorted({layer.front(a, rank) for a in given})) if given else tuple(range(rank))
    return REDUCTIONS[kind](x, axes=axes, keep=bool(layer.integer("keepdims", 1)))


@row("GlobalAveragePool", "GlobalMaxPool")
def global_pool(layer: Layer) -> Value:
    op = r.reduce_mean if layer.proto.op_type == "GlobalAveragePool" else r.reduce_max
    return op(layer[0], axes=tuple(range(2, len(layer[0].shape))), keep=True)


@row("ArgMax", "ArgMin")
def extreme(layer: Layer) -> Value:
    op = r.argmax if layer.proto.op_type == "ArgMax" else r.argmin
    return op(
        layer[0], axis=layer.axis("axis", len(layer[0].shape), 0),
        keep=bool(layer.integer("keepdims", 1)), last=bool(layer.integer("select_last_index")),
    )  # fmt: skip
