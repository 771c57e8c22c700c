"""The kernel calls of a graph that are worth a choice."""

from __future__ import annotations

from dataclasses import dataclass

from whet.ir.graph import Graph
from whet.ir.leaf import known, parameter
from whet.ir.node import Node, Value, origin
from whet.kernels.call import call_key
from whet.kernels.kernel import choices
from whet.ops.cost import cost
from whet.targets.target import Target

# A call below this share of the model's work is left as it is.
LEAST_SHARE = 0.002
# How many operations a core does while it moves a byte, about.
OPERATIONS_A_BYTE = 8


@dataclass(frozen=True, slots=True)
class Call:
    """A kernel call that `count` nodes of a graph make; node is the first of them."""

    key: str
    node: Node
    count: int


def calls(graph: Graph, target: Target) -> list[Call]:
    """The distinct calls with choices that make up the graph's work, the largest first."""
    nodes = [node for node in graph.nodes if node.op.family != "leaf"]
    work = {node: _work(node) for node in nodes}
    least = LEAST_SHARE * sum(work.values())
    found: dict[str, list[Node]] = {}
    for node in nodes:
        if choices(node, target):
            found.setdefault(call_key(node), []).append(node)
    made = [Call(key, same[0], len(same)) for key, same in found.items()]
    made = [call for call in made if work[call.node] * call.count >= least]
    return sorted(made, key=lambda call: -work[call.node] * call.count)


def _work(node: Node) -> float:
    spent = cost(node)
    return spent.operations + OPERATIONS_A_BYTE * spent.moved_bytes


def alone(node: Node) -> Graph:
    """A graph of this node alone: its constants, and an input for each other operand."""
    inputs: dict[Value, Value] = {}
    operands: list[Value | None] = []
    for value in node.inputs:
        if value is None or known(value) is not None:
            operands.append(value)
        else:
            operands.append(inputs.setdefault(value, parameter(f"x{len(inputs)}", value.type)))
    with origin(node.origin):
        made = Node.make(node.op, tuple(operands), node.attrs)
    names = tuple(f"y{i}" for i in range(len(made.outputs)))
    return Graph(tuple(inputs.values()), made.outputs, names)
