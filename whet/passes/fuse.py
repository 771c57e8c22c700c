"""Elementwise chains become one `map`: every element is read once and written once."""

from __future__ import annotations

import numpy as np

from whet.errors import ShapeError
from whet.ir.element import BF16, F32, STRING, Element, Quant
from whet.ir.graph import Graph
from whet.ir.leaf import constant, data_of, known, parameter
from whet.ir.node import Node, Value
from whet.ir.type import Type
from whet.ops.broadcast import broadcast_shapes
from whet.ops.convert import convert
from whet.ops.elementwise import add, mul, sigmoid
from whet.ops.lookup import lookup
from whet.ops.map import inlined, map_op, scalar_body
from whet.passes.movement import unary
from whet.rewrite.rule import Replacement, Rule, Uses, rule

BODY_NODES = 48
OPERANDS = 8


def fusable(node: Node) -> bool:
    """Whether a node is one scalar function of its operands, element by element."""
    if node.op.family != "elementwise" or node.op is lookup:
        return False
    if len(node.outputs) != 1 or node["element"] is not None:
        return False
    values = (*node.inputs, *node.outputs)
    return all(v is not None and isinstance(v.type, Type) and _plain(v) for v in values)


def _plain(value: Value) -> bool:
    element = value.tensor.element
    return not isinstance(element, Quant) and element != STRING


def is_scalar(value: Value) -> bool:
    """Whether a value is a constant of one element."""
    data = known(value)
    return data is not None and data.size == 1


@rule(example=lambda: unary((2, 3), lambda x: mul(x, sigmoid(add(x, constant(np.float32(3)))))))
def fuse_elementwise(node: Node, uses: Uses) -> Replacement:
    """f(g(x), y) -> map(x, y) where nothing else reads g(x); scalar constants go into the body."""
    if not fusable(node):
        return None
    out = node.outputs[0]
    operands = node.operands
    merged = {v for v in operands if _merges(v, node, uses)}
    scalars = {v for v in operands if is_scalar(v)}
    if not merged and not scalars:
        return None
    read: dict[Value, Value] = {}
    arguments = [_argument(v, v in merged, read) for v in operands]
    body = inlined(scalar_body(node), arguments)
    inputs = tuple(read)
    graph = Graph(tuple(read.values()), (body,), ("y",))
    if not inputs or len(inputs) > OPERANDS or len(graph.nodes) > BODY_NODES:
        return None
    try:
        if broadcast_shapes(*(v.shape for v in inputs)) != out.shape:
            return None
    except ShapeError:
        return None
    return map_op(*inputs, body=graph)


def _merges(value: Value, node: Node, uses: Uses) -> bool:
    if not fusable(value.node):
        return False
    if value.op is convert and value.node["to"] == F32 and _source(value) == BF16:
        return True  # as cheap to widen where it is read as to read what was widened
    return uses(value) == node.inputs.count(value) and value.shape == node.outputs[0].shape


def _source(value: Value) -> Element | None:
    x = value.node.inputs[0]
    return None if x is None else x.tensor.element


def _argument(value: Value, merge: bool, read: dict[Value, Value]) -> Value:
    """The scalar that stands for an operand; what it reads is added to `read`."""
    if is_scalar(value):
        return constant(data_of(value).reshape(()), value.tensor.element)
    if merge:
        inner = [_argument(v, False, read) for v in value.node.operands]
        return inlined(scalar_body(value.node), inner)
    if value not in read:
        read[value] = parameter(f"x{len(read)}", Type((), value.tensor.element))
    return read[value]


FUSE: tuple[Rule, ...] = (fuse_elementwise,)
