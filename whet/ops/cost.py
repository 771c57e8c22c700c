"""What a node costs at least: operations, and bytes that must move.

A size that varies counts at its upper bound, and one without an upper bound at its lower.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from whet.ir.dim import UNBOUNDED, Size, bounds
from whet.ir.element import Quant
from whet.ir.graph import Graph
from whet.ir.leaf import known
from whet.ir.node import Node, Value
from whet.ir.type import Type


@dataclass(frozen=True, slots=True)
class Cost:
    """operations: a multiply-add counts as two. weight_bytes: constants read. moved_bytes: those,
    and every other operand and result once."""

    operations: int = 0
    weight_bytes: int = 0
    moved_bytes: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.operations + other.operations,
            self.weight_bytes + other.weight_bytes,
            self.moved_bytes + other.moved_bytes,
        )


def cost(node: Node) -> Cost:
    """The cost of one run of a node; both arms of a branch, and one iteration of a loop."""
    if node.op.family == "leaf":
        return Cost()
    inputs = node.operands
    weights = sum(_bytes(v) for v in inputs if known(v) is not None)
    total = Cost(
        _operations(node), weights, sum(_bytes(v) for v in inputs) + sum(map(_bytes, node.outputs))
    )
    if node.op.family == "control":
        for _, body in node.bodies:
            total += graph_cost(body)
    return total


def graph_cost(graph: Graph) -> Cost:
    """The cost of one run of a graph."""
    total = Cost()
    for node in graph.nodes:
        total += cost(node)
    return total


def precision_of(graph: Graph) -> str:
    """What most of the weights of its products are: `int8`, `bf16` or `f32` and the like."""
    found: dict[str, int] = {}
    for node in graph.nodes:
        w = node.operand(1) if node.op.family == "contraction" else None
        if w is not None and isinstance(w.type, Type):
            element = w.tensor.element
            name = element.store.dtype.name if isinstance(element, Quant) else element.name
            found[name] = found.get(name, 0) + _count(w)
    return max(found, key=lambda name: found[name], default="")


def integer_graph(graph: Graph) -> bool:
    """Whether most products in the graph are of integer codes."""
    heavy = [n for n in graph.nodes if n.op.family == "contraction"]
    types = [v.type for n in heavy for v in n.inputs[:1] if v is not None]
    codes = [t for t in types if isinstance(t, Type) and isinstance(t.element, Quant)]
    return 2 * len(codes) > len(heavy)


def _operations(node: Node) -> int:
    made, family = _count(node.outputs[0]), node.op.family
    if family in ("movement", "control"):
        return 0
    if family == "composite":
        return sum(graph_cost(body).operations for _, body in node.bodies)
    operands = [_count(v) for v in node.operands]
    if family == "reduction":
        return max(operands, default=0)
    if family == "recurrent":  # every weight once a step of every sequence
        weights = operands[3:11] if node.op.name == "sequence_lstm" else operands[1:3]
        return 2 * operands[0] // max(1, _bound(node.input(0), -1)) * sum(weights)
    if family != "contraction" or len(operands) < 2:
        bodies = sum(len([n for n in b.nodes if n.op.family != "leaf"]) for _, b in node.bodies)
        return made * max(1, bodies)
    first, second = (v for v in node.inputs[:2] if v is not None)
    if node.op.name == "matmul":
        return 2 * made * _bound(first, -1)
    if node.op.name == "attention":  # scores, then their products with the values
        keys = _bound(second, 1)
        return 2 * keys * (operands[0] + made)
    # A convolution: weights [O, *K, C / groups], each used once for an output of its channel.
    if node.op.name == "conv":
        return 2 * made * (operands[1] // max(1, _bound(second, 0)))
    return 2 * max(made, operands[0]) * (operands[1] // max(1, _bound(second, -1)))


def _bound(value: Value, axis: int) -> int:
    return _settled(value.shape[axis])


def _count(value: Value) -> int:
    if not isinstance(value.type, Type):
        return 0
    return prod(map(_settled, value.shape))


def _bytes(value: Value) -> int:
    return _count(value) * value.tensor.element.size if isinstance(value.type, Type) else 0


def _settled(size: Size) -> int:
    low, high = bounds(size)
    return max(high, 0) if high < UNBOUNDED else max(low, 1)
