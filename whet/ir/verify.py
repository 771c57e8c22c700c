"""The verifier: what every graph between two passes must hold."""

from __future__ import annotations

from whet.errors import CompileError, WhetError
from whet.ir.graph import Graph
from whet.ir.leaf import constant_op, parameter_op, state_op
from whet.ir.node import Node
from whet.ir.type import AnyType


def signature(graph: Graph) -> tuple[tuple[str, AnyType], ...]:
    """Names and types of what goes in and comes out; no pass may change them."""
    inputs = zip(graph.input_names, (v.type for v in graph.inputs), strict=True)
    outputs = zip(graph.output_names, (v.type for v in graph.outputs), strict=True)
    states = ((s.name, s.next.type) for s in graph.states)
    return (*inputs, *outputs, *states)


def verify(graph: Graph, promised: tuple[tuple[str, AnyType], ...] | None = None) -> None:
    """Check a graph: types inferred again are the same, leaves are declared, bodies are closed.

    promised: the signature the graph must have.

    Raises:
        CompileError: what does not hold, and at which layer.
    """
    declared = {v.node for v in graph.inputs} | {s.value.node for s in graph.states}
    for node in graph.nodes:
        _check_leaf(node, declared)
        _check_types(node)
        for name, body in node.bodies:
            _check_body(node, name, body)
    for state in graph.states:
        if state.value.type != state.next.type:
            raise CompileError(f"state {state.name} becomes {state.next.type}", state.name)
    if promised is not None and signature(graph) != promised:
        raise CompileError("the graph's inputs or outputs have changed", graph.name)


def _check_leaf(node: Node, declared: set[Node]) -> None:
    if node.op in (parameter_op, state_op) and node not in declared:
        raise CompileError(f"input {node['name']} is not one of the graph", node.origin)
    if node.op is constant_op:
        data, value = node["data"], node.outputs[0]
        if getattr(data, "shape", None) != value.shape:
            raise CompileError(f"a constant is not the {value.type} it claims", node.origin)


def _check_types(node: Node) -> None:
    try:
        again = Node.make(node.op, node.inputs, node.attrs)
    except WhetError as error:
        raise CompileError(f"{node.op} is ill-typed", node.origin, str(error)) from error
    if again.types != node.types:
        shown = ", ".join(map(str, again.types))
        raise CompileError(
            f"{node.op} is {', '.join(map(str, node.types))}, not {shown}", node.origin
        )


def _check_body(node: Node, name: str, body: Graph) -> None:
    try:
        verify(body)
    except CompileError as error:
        raise CompileError(f"{name} of {node.op}: {error.what}", node.origin, error.why) from error
