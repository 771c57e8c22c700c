"""The kernel calls of a graph that are worth a choice, and what is worth trying for each."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, islice

from whet.emit.program import Lowered
from whet.ir.graph import Graph
from whet.ir.leaf import known, parameter
from whet.ir.node import Node, Value, origin
from whet.kernels.call import call_key
from whet.kernels.kernel import Choice, choices, lower
from whet.ops.cost import cost
from whet.targets.target import Target

# Candidates of the kernel that is taken by default, and of each other one.
MOST, MOST_OTHERS = 12, 6
# How many of a kernel's choices are looked at for them.
MOST_SEEN = 30
# A last thread that takes up to so many times an even share of the work is no waste.
EVEN = 1.05
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
        if node.op.family == "contraction" and choices(node, target):
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


def candidates(node: Node, target: Target) -> list[Choice | None]:
    """What is worth timing, None for the default first; no two that compute in the same way.

    Left out: what cannot be shared by the target's threads as evenly as the default.
    """
    default = lower(node, target)
    limit = max(EVEN, _waste(default, target))
    tried, made = [default.statements], list[Choice | None]([None])
    for _, group in groupby(choices(node, target), key=lambda choice: choice.kernel):
        ranked = [(choice, lower(node, target, choice)) for choice in islice(group, MOST_SEEN)]
        most = MOST if ranked[0][1].statements == default.statements else MOST_OTHERS
        fit = [(c, low.statements) for c, low in ranked if _waste(low, target) <= limit]
        for choice, statements in fit:
            if statements not in tried and most:
                tried.append(statements)
                made.append(choice)
                most -= 1
    return made


def _waste(lowered: Lowered, target: Target) -> float:
    """Time of the last thread to finish, over that of an even share."""
    units = lowered.parallel
    if lowered.together:
        return 1.0
    if not isinstance(units, int) or not units:
        return float(target.threads)
    return -(-units // target.threads) * target.threads / units
