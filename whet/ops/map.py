"""`map`: a scalar body applied to every element, operands broadcast; fused elementwise chains."""

from __future__ import annotations

from collections.abc import Sequence

from whet.ir.graph import Graph
from whet.ir.leaf import parameter
from whet.ir.node import Array, Node, Op, Value
from whet.ir.type import Type
from whet.ops.broadcast import broadcast_shapes
from whet.ops.evaluate import call


def _infer(*types: Type, body: Graph, **_: object) -> tuple[Type, ...]:
    shape = broadcast_shapes(*(t.shape for t in types))
    return tuple(Type(shape, v.tensor.element) for v in body.outputs)


def _evaluate(node: Node, *arrays: Array) -> tuple[object, ...]:
    body = node["body"]
    assert isinstance(body, Graph)
    return tuple(call(body, arrays, {}))


map_op = Op("map", _infer, _evaluate, family="elementwise")


def scalar_body(node: Node) -> Graph:
    """An elementwise node as a graph over scalars, one input an operand; a map's own body."""
    body = node["body"]
    if isinstance(body, Graph):
        return body
    inputs = tuple(
        parameter(f"x{i}", Type((), v.tensor.element))
        for i, v in enumerate(node.inputs)
        if v is not None
    )
    return Graph(inputs, (node.replace(inputs).outputs[0],), ("y",), name=node.op.name)


def inlined(body: Graph, arguments: Sequence[Value]) -> Value:
    """The first output of a scalar body over other scalars."""
    made = dict(zip(body.inputs, arguments, strict=True))
    for node in body.nodes:
        if node.outputs[0] in made:
            continue
        inputs = tuple(None if v is None else made[v] for v in node.inputs)
        new = node if inputs == node.inputs else node.replace(inputs)
        made.update(zip(node.outputs, new.outputs, strict=True))
    return made[body.outputs[0]]
