"""Reductions."""

from __future__ import annotations

from collections.abc import Callable

from whet.importers.onnx.layer import Layer, row, scalar
from whet.importers.onnx.rows.reduction_at_run_time import reduce_at
from whet.ir.node import Op, Value
from whet.ops import elementwise as e
from whet.ops import reduction as r

REDUCTIONS: dict[str, Op] = {
    "ReduceSum": r.reduce_sum, "ReduceMean": r.reduce_mean, "ReduceMax": r.reduce_max,
    "ReduceMin": r.reduce_min, "ReduceProd": r.reduce_prod,
}  # fmt: skip
AXES_AS_INPUT = {"ReduceSum": 13}

Reduce = Callable[[Op, Value, bool], Value]


@row(*REDUCTIONS)
def reduction(layer: Layer) -> Value:
    axes, keep = axes_of(layer), bool(layer.integer("keepdims", 1))
    return _reduce(layer, axes)(REDUCTIONS[layer.proto.op_type], layer[0], keep)


def axes_of(layer: Layer) -> tuple[int, ...] | Value:
    """The axes to reduce: sorted, from the front; all where none are given. A value where they are
    known only at run time."""
    rank, given = len(layer[0].shape), None
    if layer.version >= AXES_AS_INPUT.get(layer.proto.op_type, 18):
        given, value = layer.known_ints(1), layer.whole(1)
        if given is None and value is not None and value.shape != (0,):
            return value
    elif layer.has("axes"):
        given = layer.integers("axes")
    if not given and layer.integer("noop_with_empty_axes"):
        return ()
    return tuple(sorted({layer.front(a, rank) for a in given})) if given else tuple(range(rank))


def _reduce(layer: Layer, axes: tuple[int, ...] | Value) -> Reduce:
    def run(op: Op, x: Value, keep: bool) -> Value:
        if isinstance(axes, Value):
            return reduce_at(layer, op, x, axes, keep)
        return op(x, axes=axes, keep=keep) if axes else x

    return run


def _log_sum_exp(x: Value, reduce: Reduce, keep: bool) -> Value:
    """log(sum(exp(x - m))) + m for m = max(x), or 0 where that is infinite."""

    def finite(m: Value) -> Value:
        endless = e.is_inf(m)
        return e.select(endless, scalar(0, m), m)

    shifted = e.exp(e.sub(x, finite(reduce(r.reduce_max, x, True))))
    total = e.log(reduce(r.reduce_sum, shifted, keep))
    return e.add(total, finite(reduce(r.reduce_max, x, keep)))


COMPOSED: dict[str, Callable[[Value, Reduce, bool], Value]] = {
    "ReduceL1": lambda x, reduce, keep: reduce(r.reduce_sum, e.absolute(x), keep),
    "ReduceL2": lambda x, reduce, keep: e.sqrt(reduce(r.reduce_sum, e.mul(x, x), keep)),
    "ReduceSumSquare": lambda x, reduce, keep: reduce(r.reduce_sum, e.mul(x, x), keep),
    "ReduceLogSum": lambda x, reduce, keep: e.log(reduce(r.reduce_sum, x, keep)),
    "ReduceLogSumExp": _log_sum_exp,
}


@row(*COMPOSED)
def composed(layer: Layer) -> Value:
    compose = COMPOSED[layer.proto.op_type]
    return compose(layer[0], _reduce(layer, axes_of(layer)), bool(layer.integer("keepdims", 1)))


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
