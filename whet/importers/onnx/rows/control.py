"""If, Loop and Scan. Bodies become closed graphs: what they capture becomes an operand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from whet.errors import ModelError
from whet.importers.onnx.join import common, joined, sizes_outside
from whet.importers.onnx.layer import Layer, row
from whet.ir.dim import UNBOUNDED, Size, bounds, of, symbol_of
from whet.ir.element import BOOL, I64
from whet.ir.graph import Graph
from whet.ir.leaf import constant, known, parameter
from whet.ir.node import Value
from whet.ir.type import AnyType, Type
from whet.ops import elementwise as e
from whet.ops.control import branch, loop
from whet.ops.gather import gather
from whet.ops.iota import iota
from whet.ops.movement import concat, reshape, slice_op, transpose
from whet.ops.size import size_scalar

SCALAR = Type((), I64)


@row("If")
def either(layer: Layer) -> tuple[Value | None, ...]:
    condition = layer.settled(reshape(layer[0], shape=()))
    decided = known(condition)
    if decided is not None:
        return layer.scope.inline(layer.graph("then_branch" if decided else "else_branch"))
    then, before = layer.body("then_branch", ())
    otherwise, after = layer.body("else_branch", ())
    if len(then.outputs) != len(otherwise.outputs):
        raise ModelError("branches differ in their number of outputs", where=layer.name)
    then, otherwise = _padded(then, (), after), _padded(otherwise, before, ())
    then, otherwise = _as_high(then, otherwise), _as_high(otherwise, then)
    sizes = common(layer, then, otherwise)
    results = branch.many(
        condition, *before, *after, then=sizes.bodies[0], otherwise=sizes.bodies[1],
        made=sizes.types,
    )  # fmt: skip
    sizes.bind(layer, results)
    return results[: len(then.outputs)]


def _as_high(body: Graph, other: Graph) -> Graph:
    """The body with single elements of as many axes as the other body gives."""
    outputs = tuple(
        reshape(v, shape=(1,) * n.tensor.rank)
        if isinstance(v.type, Type) and isinstance(n.type, Type)
        and v.tensor.elements == n.tensor.elements == 1 and v.tensor.rank < n.tensor.rank
        else v
        for v, n in zip(body.outputs, other.outputs, strict=True)
    )  # fmt: skip
    return replace(body, outputs=outputs)


def _padded(body: Graph, before: tuple[Value, ...], after: tuple[Value, ...]) -> Graph:
    """The body with inputs that it does not use before and after its own."""
    first = tuple(parameter(f"unused {i}", v.type) for i, v in enumerate(before))
    last = tuple(parameter(f"unused {i}", v.type) for i, v in enumerate(after, len(before)))
    return replace(body, inputs=(*first, *body.inputs, *last))


@row("Loop")
def repeated(layer: Layer) -> tuple[Value, ...]:
    begins = tuple(layer[i] for i in range(2, len(layer.inputs)))
    trip, condition = layer.whole(0), layer.optional(1)
    types = tuple(v.type for v in begins)
    proto = layer.graph("body")
    for _ in range(1 + sum(t.rank for t in types if isinstance(t, Type)) + len(types)):
        names = [info.name for info in proto.input]
        shown: tuple[AnyType, ...] = (SCALAR, Type((), BOOL), *types)
        inputs = tuple(parameter(n, t) for n, t in zip(names, shown, strict=True))
        body, captured = layer.scope.body_over(proto, inputs, inputs, layer.name)
        found = tuple(v.type for v in body.outputs[1 : 1 + len(types)])
        wider = joined(layer, types, found)
        if wider == types:
            break
        types = wider
    return run_loop(layer, (trip, condition), begins, (body, captured))


def run_loop(
    layer: Layer,
    control: tuple[Value | None, Value | None],
    begins: tuple[Value, ...],
    closed: tuple[Graph, tuple[Value, ...]],
) -> tuple[Value, ...]:
    """The loop's carried and scanned results; sizes that the body decides are carried as well."""
    body, captured = closed
    trip, condition = control
    count = len(begins)
    sizes = sizes_outside(layer, body, begins)
    limit, length = _iterations(layer, trip, condition, body, count)
    scanned = [
        Type((length, *t.shape), t.element) if isinstance(t, Type) else t
        for t in sizes.types[1 + count :]
    ]
    made = (*sizes.types[1 : 1 + count], *(SCALAR,) * len(sizes.begins), *scanned, SCALAR)
    condition = None if condition is None else reshape(condition, shape=())
    trip = None if trip is None else reshape(trip, shape=())
    results = loop.many(
        trip, condition, *begins, *sizes.begins, *captured,
        body=sizes.bodies[0], carried=count + len(sizes.begins), made=made, limit=limit,
    )  # fmt: skip
    sizes.bind(layer, results[count:])
    symbol = symbol_of(length)
    if symbol is not None and symbol.name.startswith(f"{layer.name} iterations"):
        layer.scope.bindings.append((symbol, results[-1]))
    return (*results[:count], *results[count + len(sizes.begins) : -1])


def _iterations(
    layer: Layer, trip: Value | None, condition: Value | None, body: Graph, count: int
) -> tuple[int, Size]:
    """The most iterations, and how many there are where that is known: a symbol where not."""
    found = layer.sizes(trip)
    limit = bounds(found[0])[1] if found else UNBOUNDED
    for index in range(count, len(layer.proto.output) if limit >= UNBOUNDED else 0):
        declared = layer.declared(index)
        if declared is not None and declared.rank:
            limit = min(limit, bounds(declared.shape[0])[1])
    again = body.outputs[0]
    endless = again is body.inputs[1] or _holds(again)
    if found and endless and (condition is None or _holds(condition)):
        return limit, found[0] if bounds(found[0])[0] >= 0 else limit
    return limit, of(layer.scope.fresh(f"{layer.name} iterations", 0, limit))


def _holds(value: Value) -> bool:
    data = known(value)
    return data is not None and bool(data.reshape(()))


@row("Scan")
def scanned(layer: Layer) -> tuple[Value, ...]:
    if layer.version >= 9:
        return _scan(layer, tuple(layer[i] for i in range(len(layer.inputs))), 0)
    values = tuple(layer[i] for i in range(1, len(layer.inputs)))
    batch = values[0].shape[0]
    if layer.optional(0) is not None or not isinstance(batch, int) or batch < 1:
        raise ModelError("Scan over sequences of different lengths", where=layer.name)
    parts = [_scan(layer, tuple(_image(v, i) for v in values), 0) for i in range(batch)]
    rows = [[reshape(v, shape=(1, *v.shape)) for v in part] for part in parts]
    return tuple(concat(*column, axis=0) for column in zip(*rows, strict=True))


def _image(x: Value, index: int) -> Value:
    shape = (1, *x.shape[1:])
    begin = (index, *(0,) * (len(shape) - 1))
    return reshape(slice_op(x, begin=begin, size=shape, step=(1,) * len(shape)), shape=shape[1:])


def _scan(layer: Layer, values: tuple[Value, ...], first: int) -> tuple[Value, ...]:
    """A loop that gathers slice i of each scanned input."""
    proto, count = layer.graph("body"), layer.integer("num_scan_inputs")
    states, rows = values[: len(values) - count], values[len(values) - count :]
    axes = layer.integers("scan_input_axes", (0,) * count)
    axes = tuple(layer.front(a, len(v.shape)) for a, v in zip(axes, rows, strict=True))
    backward = layer.integers(
        "directions" if layer.version < 9 else "scan_input_directions", (0,) * count
    )
    length = rows[0].shape[axes[0]]
    iteration, alive = parameter("iteration", SCALAR), parameter("alive", Type((), BOOL))
    kept = tuple(parameter(f"state {i}", v.type) for i, v in enumerate(states))
    whole_rows = tuple(parameter(f"scanned {i}", v.type) for i, v in enumerate(rows))
    mirrored = e.sub(size_scalar(length - 1), iteration)
    slices = tuple(
        gather(v, mirrored if back else iteration, axis=a)
        for v, a, back in zip(whole_rows, axes, backward, strict=True)
    )
    inputs = (iteration, alive, *kept, *whole_rows)
    body, captured = layer.scope.body_over(proto, inputs, (*kept, *slices), layer.name)
    on = constant(np.array(True))
    body = replace(body, outputs=(on, *body.outputs), output_names=("alive", *body.output_names))
    results = run_loop(layer, (size_scalar(length), None), states, (body, (*rows, *captured)))
    return _arranged(layer, results, len(states))


def _arranged(layer: Layer, results: tuple[Value, ...], states: int) -> tuple[Value, ...]:
    """Scanned results along the axes and in the directions asked for."""
    count = len(results) - states
    axes = layer.integers("scan_output_axes", (0,) * count)
    backward = layer.integers("scan_output_directions", (0,) * count)
    found = list(results[:states])
    for y, axis, back in zip(results[states:], axes, backward, strict=True):
        n = y.shape[0]
        if back:
            y = gather(y, e.sub(size_scalar(n - 1), iota(n)), axis=0)
        rank, place = len(y.shape), layer.front(axis, len(y.shape))
        order = [*range(1, rank)]
        order.insert(place, 0)
        found.append(transpose(y, perm=tuple(order)) if place else y)
    return tuple(found)
