"""Random numbers: random.h."""

from __future__ import annotations

from whet.emit.lowered import Call, In, Lowered, Out
from whet.ir.node import Node
from whet.kernels.kernel import kernel
from whet.kernels.order import number_type
from whet.ops.random import random_multinomial, random_normal, random_uniform
from whet.targets.target import Target


@kernel("random", random_uniform, random_normal)
def draw(node: Node, target: Target) -> Lowered | None:
    out, (low, high) = node.outputs[0].tensor, (node["low"], node["high"])
    s = number_type(out)
    if s is None or not isinstance(low, float) or not isinstance(high, float):
        return None
    arguments = (Out(), out.elements, low, high, node.integer("seed"))
    return Lowered((Call(f"{node.op.name}_{s}", arguments),), ("random.h",))


@kernel("multinomial", random_multinomial)
def choose(node: Node, target: Target) -> Lowered | None:
    x = node.input(0)
    s = number_type(x.tensor)
    if s is None:
        return None
    count = node.outputs[0].shape[1]
    arguments = (In(0), Out(), *x.shape, count, node.integer("seed"))
    return Lowered((Call(f"random_multinomial_{s}", arguments),), ("random.h",))
