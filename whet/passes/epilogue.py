"""Activations and residual sums join the convolution or matrix product that feeds them."""

from __future__ import annotations

import numpy as np

from whet.ir.element import BF16, F32
from whet.ir.graph import Graph
from whet.ir.leaf import constant, constant_op, known, parameter, parameter_op
from whet.ir.node import Node, Value
from whet.ir.type import Type
from whet.ops.convert import convert
from whet.ops.convolution import conv
from whet.ops.elementwise import add, maximum
from whet.ops.epilogue import FUSABLE, channel_or_full
from whet.ops.map import inlined, scalar_body
from whet.ops.matmul import matmul
from whet.passes.fuse import fusable
from whet.rewrite.rule import Replacement, Rule, Uses, rule

EXTRAS = 4
FLOATS = (F32, BF16)
BODY_NODES = 40


def _example() -> Graph:
    x = parameter("x", Type((1, 4, 4, 2), F32))
    r = parameter("r", Type((1, 4, 4, 3), F32))
    w = constant(np.linspace(-1, 1, 6, dtype=np.float32).reshape(3, 1, 1, 2))
    y = conv(x, w, stride=(1, 1), dilation=(1, 1), low=(0, 0), high=(0, 0))
    return Graph((x, r), (maximum(add(y, r), constant(np.float32(0))),), ("y",))


@rule(example=_example)
def fuse_epilogue(node: Node, uses: Uses) -> Replacement:
    """map(conv(x), residual) -> conv(x) with the map as its epilogue, where nothing else reads
    the convolution; a residual then cannot depend on it."""
    if not fusable(node):
        return None
    for value in dict.fromkeys(node.operands):
        if uses(value) == node.inputs.count(value) and accepts(value, node):
            return _fused(node, value)
    return None


def accepts(value: Value, node: Node) -> bool:
    """Whether the kernels of the contraction behind `value` can apply `node` to its results."""
    if value.op not in (conv, matmul) or value.node["element"] is not None:
        return False
    result = value.tensor
    if result.element != F32 or not result.static:
        return False
    if node.types[0] not in [Type(result.shape, e) for e in FLOATS]:
        return False
    w = known(value.node.inputs[1])
    if w is None or w.ndim != (2 if value.op is matmul else result.rank) or result.rank > 4:
        return False
    others = [v for v in node.operands if v is not value]
    held = len(value.node.inputs[3:])
    if held + len(others) > EXTRAS:
        return False
    if any(v.tensor.element not in FLOATS for v in others):
        return False
    if not all(channel_or_full(v.tensor, result) for v in others):
        return False
    body = scalar_body(node)
    return len(body.nodes) <= BODY_NODES and all(map(_vector, body.nodes))


def _vector(node: Node) -> bool:
    """Whether a node of a scalar body has a vector form: arithmetic is in f32."""
    if node.op in (constant_op, parameter_op, convert):
        return node.types[0] in [Type((), e) for e in FLOATS]
    return node.op.name in FUSABLE and node.types == (Type((), F32),)


def _fused(node: Node, value: Value) -> Value:
    held = value.node["epilogue"]
    if isinstance(held, Graph):
        inputs, result = list(held.inputs), held.outputs[0]
    else:
        inputs = [parameter("acc", Type((), F32))]
        result = inputs[0]
    extras = list(value.node.inputs[3:])
    arguments = []
    for v in node.operands:
        if v is value:
            arguments.append(result)
            continue
        if v not in extras:
            extras.append(v)
            inputs.append(parameter(f"extra{len(extras)}", Type((), v.tensor.element)))
        arguments.append(inputs[1 + extras.index(v)])
    body = Graph(tuple(inputs), (inlined(scalar_body(node), arguments),), ("y",))
    x, w, bias = (*value.node.inputs, None)[:3]
    return value.node.replace((x, w, bias, *extras), epilogue=body).outputs[0]


EPILOGUE: tuple[Rule, ...] = (fuse_epilogue,)
