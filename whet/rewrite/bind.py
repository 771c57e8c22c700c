"""Symbols of a graph replaced: by values, or by symbols with tighter bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from whet.ir.dim import Size, Symbol, symbol_of
from whet.ir.graph import Graph, State
from whet.ir.node import Attr, Node, Value, bind_attr, origin


def bind(graph: Graph, values: Mapping[Symbol, Size]) -> Graph:
    """The graph with symbols replaced wherever sizes stand, bodies included.

    A symbol of `values` that the graph itself binds keeps its binding where its value is a symbol.
    """
    made: dict[Value, Value] = {}
    for node in graph.nodes:
        made.update(zip(node.outputs, _bound(node, made, values).outputs, strict=True))
    states = tuple(State(s.name, made[s.value], made[s.next], s.initial) for s in graph.states)
    renamed = {s: symbol_of(n) for s, n in values.items()}
    bindings = tuple(
        (renamed.get(s) or s, made[v])
        for s, v in graph.live_bindings
        if s not in renamed or renamed[s] is not None
    )
    return replace(
        graph,
        inputs=tuple(made[v] for v in graph.inputs),
        outputs=tuple(made[v] for v in graph.outputs),
        states=states,
        bindings=bindings,
    )


def _bound(node: Node, made: Mapping[Value, Value], values: Mapping[Symbol, Size]) -> Node:
    inputs = tuple(None if v is None else made[v] for v in node.inputs)
    attrs: dict[str, Attr] = {
        k: bind(v, values) if isinstance(v, Graph) else bind_attr(v, values)
        for k, v in node.attrs.items()
    }
    if inputs == node.inputs and all(attrs[k] is v for k, v in node.attrs.items()):
        return node
    with origin(node.origin):
        return Node.make(node.op, inputs, attrs)
