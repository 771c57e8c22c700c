"""`map`: a scalar body applied to every element, operands broadcast; what elementwise chains fuse into."""

from __future__ import annotations

from whet.ir.graph import Graph
from whet.ir.node import Array, Node, Op
from whet.ir.type import Type
from whet.ops.broadcast import broadcast_shapes
from whet.ops.evaluate import call


def _infer(*types: Type, body: Graph, **_: object) -> tuple[Type, ...]:
    shape = broadcast_shapes(*(t.shape for t in types))
    return tuple(Type(shape, v.tensor.element) for v in body.outputs)


def _evaluate(node: Node, *arrays: Array, sizes: object = None) -> tuple[object, ...]:
    body = node["body"]
    assert isinstance(body, Graph)
    return tuple(call(body, arrays, {}))


map_op = Op("map", _infer, _evaluate, family="elementwise")
