"""The meaning of a graph: its ops' NumPy definitions, run in order."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from whet.errors import InputError, UnsupportedError, UnsupportedOp
from whet.ir.dim import Dim, Size, Symbol, of, symbols
from whet.ir.graph import Graph
from whet.ir.node import Array, Node, Value
from whet.ir.type import Type

Results = dict[str, object]


def evaluate(
    graph: Graph, inputs: Mapping[str, object], states: Mapping[str, Array] | None = None
) -> Results:
    """Outputs by name, computed by the reference definitions.

    inputs: an array (or list, for a sequence) for each graph input. Values of states are taken from
    `states`, else their initial ones; the next ones are returned under the states' names.

    Raises:
        InputError: an input is missing or does not fit its type.
    """
    held = states or {}
    known: dict[Value, object] = {s.value: held.get(s.name, s.initial) for s in graph.states}
    sizes: dict[Symbol, Size] = {}
    for value in graph.inputs:
        name = str(value.node["name"])
        if name not in inputs:
            raise InputError("an input is missing", where=name)
        known[value] = _fit(name, value, inputs[name], sizes)
    run(graph, known, sizes)
    results = {n: known[v] for n, v in zip(graph.output_names, graph.outputs, strict=True)}
    return results | {s.name: known[s.next] for s in graph.states}


def call(graph: Graph, arguments: tuple[object, ...], sizes: Mapping[Symbol, Size]) -> list[object]:
    """Outputs of a body for its arguments in order; `sizes` are those known outside."""
    known = dict(zip(graph.inputs, arguments, strict=True))
    inner = dict(sizes)
    for value, argument in known.items():
        if isinstance(value.type, Type) and isinstance(argument, np.ndarray) and value.type.rank:
            _unify(value.type.shape, argument.shape, inner)
    run(graph, known, inner)
    return [known[v] for v in graph.outputs]


def run(graph: Graph, known: dict[Value, object], sizes: dict[Symbol, Size]) -> None:
    """Compute every value of the graph into `known`."""
    bound = graph.bound_by
    for node in graph.nodes:
        if any(v not in known for v in node.outputs):
            evaluate_node(node, known, sizes)
        for value in node.outputs:
            for symbol in bound.get(value, ()):
                sizes[symbol] = int(np.asarray(known[value]).reshape(()))


def evaluate_node(node: Node, known: dict[Value, object], sizes: Mapping[Symbol, Size]) -> None:
    """Compute one node's outputs into `known`."""
    arguments = [None if v is None else known[v] for v in node.inputs]
    bound = node.bind(sizes) if sizes else node
    meaning = node.op.evaluate
    if node["element"] is not None:
        meaning = node.op.quantized or _undefined
    with np.errstate(all="ignore"):
        if node.op.family == "control":
            results = meaning(bound, *arguments, sizes=sizes)
        else:
            results = meaning(bound, *arguments)
    many = results if isinstance(results, tuple) else (results,)
    for value, result in zip(node.outputs, many, strict=True):
        known[value] = _settle(value, result)


def _undefined(node: Node, *_: object) -> object:
    raise UnsupportedError([UnsupportedOp(node.op.name, node.origin, "no integer meaning")])


def _settle(value: Value, result: object) -> object:
    """An array of exactly the declared element type (a view where it already is)."""
    if isinstance(value.type, Type) and not isinstance(result, (list, type(None))):
        return np.asarray(result, dtype=value.type.element.dtype)
    return result


def _fit(name: str, value: Value, given: object, sizes: dict[Symbol, Size]) -> object:
    t = value.type
    if not isinstance(t, Type):
        return given
    array = np.asarray(given)
    if t.element.kind != "s" and array.dtype != t.element.dtype:
        raise InputError(f"input is {array.dtype}, the model takes {t.element.dtype}", where=name)
    if array.ndim != t.rank or not _unify(t.shape, array.shape, sizes):
        raise InputError(f"input has shape {array.shape}, the model takes {t}", where=name)
    return array.astype(object) if t.element.kind == "s" else array


def _unify(shape: tuple[Size, ...], actual: tuple[int, ...], sizes: dict[Symbol, Size]) -> bool:
    """Bind the plain symbols of a shape to the actual sizes; False where they disagree."""
    for size, n in zip(shape, actual, strict=True):
        symbol = next(symbols(size), None)
        if symbol is not None and size == of(symbol):
            if sizes.setdefault(symbol, n) != n or not symbol.low <= n <= symbol.high:
                return False
        elif not isinstance(size, Dim) and size != n:
            return False
    return True
