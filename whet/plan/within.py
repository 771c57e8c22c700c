"""Values that lie within a wider one: rows of it, apart from each other, without a copy.

    y = concat(a, b) along the last axis        row 0  | a a a | b b |
    a and b lie in y where they are made        row 1  | a a a | b b |

    b = y[..., 3:]                              b lies in y, and rows of b are 5 elements apart

That takes kernels that write, and read, rows so far apart: those whose arguments name the `Pitch`
of the operand, as those of f32 products and convolutions do. What another kernel makes is copied
into the concat, and all of it where an operand is an input, an output or a constant. The wider
value lives from its first part to its last reader.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from whet.emit.lowered import (
    Call,
    CodesEpilogue,
    Epilogue,
    In,
    Item,
    Lowered,
    Out,
    Pitch,
    Ready,
    Record,
)  # fmt: skip
from whet.ir.dim import static_shape, static_size
from whet.ir.graph import Graph
from whet.ir.node import Node, Value
from whet.ops.movement import concat, slice_op
from whet.plan.view import views_of

__all__ = ["Within", "find_within"]

OTHERS = (CodesEpilogue, Item, Ready, Record)  # what may read operands and knows no pitch


@dataclass(frozen=True, slots=True)
class Within:
    """Where a value lies: in another one, `offset` bytes further, rows `pitch` elements apart."""

    value: Value
    offset: int
    pitch: int

    def placed_by(self, value: Value) -> Node:
        """The slice that it is, or else the concat that it is an operand of."""
        sliced = value.op is slice_op and value.node.input(0) is self.value
        return value.node if sliced else self.value.node

    def span(self, value: Value) -> int:
        """Bytes from the first of the value to behind its last."""
        *_, width = static_shape(value.shape)
        count = static_size(value.tensor.elements) // width
        return ((count - 1) * self.pitch + width) * value.tensor.element.size


def find_within(
    graph: Graph, lowered: Callable[[Node], Lowered | None], free: Callable[[Value], bool]
) -> dict[Value, Within]:
    """The values that can lie within others.

    lowered: how a node that makes or reads a value is computed; None where its operands have to lie
    as they are. free: whether a value may lie anywhere in the arena.
    """
    found = _candidates(graph, free)
    readers: dict[Value, list[Node]] = {}
    for node in graph.nodes:
        for v in dict.fromkeys(node.operands):
            readers.setdefault(v, []).append(node)
    while True:
        kept = {v: at for v, at in found.items() if _fits(v, at[0], found, readers, lowered)}
        if len(kept) == len(found):
            break
        found = kept
    return {v: Within(x, offset, _width(v, found)) for v, (x, offset) in found.items()}


Places = Mapping[Value, tuple[Value, int]]


def _candidates(graph: Graph, free: Callable[[Value], bool]) -> dict[Value, tuple[Value, int]]:
    """Slices along the last axis, and what is joined along it: where each would lie."""
    found: dict[Value, tuple[Value, int]] = {}
    for node in graph.nodes:
        out = node.outputs[0] if len(node.outputs) == 1 else None
        if node.op not in (slice_op, concat) or out is None or not out.tensor.static:
            continue
        if len(out.shape) < 2 or views_of(node) or not all(map(free, (out, *node.operands))):
            continue
        if node.op is slice_op:
            x, size = node.input(0), out.tensor.element.size
            plain = out.shape[:-1] == x.shape[:-1] and set(node.integers("step")) == {1}
            if plain and x.tensor.static and out.tensor.elements:
                found[out] = (x, node.integers("begin")[-1] * size)
        elif node.integer("axis") == len(out.shape) - 1:
            found |= {v: at for v, at in _joined(node, out).items() if v not in found}
    return found


def _joined(node: Node, out: Value) -> Places:
    """Where the operands of a concat would lie, those that it has once."""
    places, offset = {}, 0
    for v in node.operands:
        if node.operands.count(v) == 1 and v.tensor.elements:
            places[v] = (out, offset)
        offset += static_size(v.shape[-1]) * v.tensor.element.size
    return places


def _fits(
    value: Value,
    whole: Value,
    found: Places,
    readers: Mapping[Value, list[Node]],
    lowered: Callable[[Node], Lowered | None],
) -> bool:
    """Whether who makes the value, unless it is there already, and all who read it can."""
    there = value.op is slice_op and value.node.input(0) is whole
    if not there and not _has_pitch(lowered(value.node), Out()):
        return False
    for node in readers.get(value, ()):
        joins = not there and node is whole.node
        if joins or found.get(node.outputs[0], (None,))[0] is value:
            continue
        places = (In(i) for i, v in enumerate(node.inputs) if v is value)
        if not all(_has_pitch(lowered(node), place) for place in places):
            return False
    return True


def _has_pitch(lowered: Lowered | None, operand: In | Out) -> bool:
    """Whether the statements keep to the pitch of an operand wherever they use it."""
    if lowered is None or not lowered.statements:
        return False
    for statement in lowered.statements:
        if not isinstance(statement, Call) or any(
            isinstance(a, OTHERS) for a in statement.arguments
        ):
            return False
        plain = [a for a in statement.arguments if a == operand]
        extras = [
            e.row_stride for a in statement.arguments if isinstance(a, Epilogue) for e in a.extras
            if e.operand == operand
        ]  # fmt: skip
        told = any(isinstance(a, Pitch) and a.operand == operand for a in statement.arguments)
        kept = all(isinstance(stride, Pitch) for stride in extras)
        if (plain and not told) or not kept or not (plain or extras):
            return False
    return True


def _width(value: Value, found: Places) -> int:
    """Elements of a row of the value that all of this lies in."""
    while value in found:
        value = found[value][0]
    return static_size(value.shape[-1])
