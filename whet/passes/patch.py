"""Layers computed patch by patch: between two values, each patch of the second from what it needs
of the first, so that no value in between ever exists as a whole.

    x ─ conv ─ conv ─ y   =>   x[rows 0:6]  ─ conv ─ conv ─┐
                               x[rows 2:10] ─ conv ─ conv ─┼─ concat = y
                               x[rows 6:12] ─ conv ─ conv ─┘

Neighbouring patches compute what both of them need twice. Integers keep their bits, for every
element is computed as before. The idea is that of MCUNetV2 (arXiv 2110.15352).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from whet.errors import CompileError
from whet.ir.graph import Graph
from whet.ir.leaf import constant, known
from whet.ir.node import Node, Value
from whet.ops.movement import concat, slice_op
from whet.passes.halo import Box, Reach, cuts_scales, reach, whole
from whet.rewrite.driver import substitute

__all__ = ["Section", "between", "grid_axes", "joined_box", "parts", "patch", "reached"]


@dataclass(frozen=True, slots=True)
class Section:
    """The layers from `start` to `cut`, in rows x columns patches of `cut`."""

    start: Value
    cut: Value
    rows: int
    columns: int


def patch(graph: Graph, sections: Sequence[Section]) -> Graph:
    """The graph with every section computed patch by patch; sections share no layer.

    Raises:
        CompileError: a patch cannot be computed, for an op that needs all of its operands.
    """
    return substitute(graph, {section.cut: _patched(graph, section) for section in sections})


def between(graph: Graph, start: Value, cut: Value) -> tuple[Node, ...] | None:
    """The nodes that make `cut` of `start` and constants, in order; None where they need more."""
    needed: set[Node] = set()
    waiting = [cut.node]
    while waiting:
        node = waiting.pop()
        if node is start.node or node in needed or known(node.outputs[0]) is not None:
            continue
        if node.op.family == "leaf":
            return None
        needed.add(node)
        waiting += [v.node for v in node.operands]
    return tuple(node for node in graph.nodes if node in needed)


def grid_axes(value: Value) -> tuple[int, int] | None:
    """The axes of rows and columns of an image [N, H, W, C]; None for other values."""
    return (1, 2) if len(value.shape) == 4 and whole(value) else None


def parts(size: int, count: int) -> list[tuple[int, int]]:
    """[0, size) in `count` spans as equal as can be, the longer ones first; no span is empty."""
    count = min(count, size)
    each, more = divmod(size, count)
    edges = [i * each + min(i, more) for i in range(count + 1)]
    return list(pairwise(edges))


def reached(
    nodes: Sequence[Node], cut: Value, box: Box
) -> tuple[dict[Value, Box], dict[Node, Reach]] | None:
    """For a part of `cut`: the part of each value that the nodes need, those that several nodes
    read joined, and what each node reads of its operands; None where parts cannot be computed."""
    boxes: dict[Value, Box] = {cut: box}
    found: dict[Node, Reach] = {}
    for node in reversed(nodes):
        needs = reach(node, boxes[node.outputs[0]])
        if needs is None:
            return None
        found[node] = needs
        for v, part in zip(node.inputs, needs.boxes, strict=True):
            if v is None or part is None:
                continue
            if cuts_scales(v, part):
                return None
            if known(v) is None:
                boxes[v] = joined_box(boxes.get(v, part), part)
    return boxes, found


def joined_box(a: Box, b: Box) -> Box:
    """The smallest box around two."""
    return tuple((min(s[0], t[0]), max(s[1], t[1])) for s, t in zip(a, b, strict=True))


def _patched(graph: Graph, section: Section) -> Value:
    """The patches of the section's cut, column beside column and then row below row."""
    nodes = between(graph, section.start, section.cut)
    axes, box = grid_axes(section.cut), whole(section.cut)
    if nodes is None or axes is None or box is None:
        raise CompileError(
            "layers that make no patches", section.cut.node.origin, str(section.cut.type)
        )
    rows, columns = axes
    strips = []
    for high in parts(box[rows][1], section.rows):
        row = []
        for wide in parts(box[columns][1], section.columns):
            part = list(box)
            part[rows], part[columns] = high, wide
            row.append(_computed(nodes, section, tuple(part)))
        strips.append(_joined(row, columns))
    return _joined(strips, rows)


def _joined(values: list[Value], axis: int) -> Value:
    return values[0] if len(values) == 1 else concat(*values, axis=axis)


def _computed(nodes: Sequence[Node], section: Section, box: Box) -> Value:
    """One patch: every node on its part."""
    found = reached(nodes, section.cut, box)
    if found is None:
        raise CompileError("layers that make no patches", section.cut.node.origin, f"part {box}")
    boxes, needs = found
    made: dict[Value, Value] = {section.start: _taken(section.start, boxes[section.start])}
    for node in nodes:
        inputs = tuple(
            _operand(v, part, boxes, made)
            for v, part in zip(node.inputs, needs[node].boxes, strict=True)
        )
        made[node.outputs[0]] = node.replace(inputs, **needs[node].attrs).outputs[0]
    return made[section.cut]


def _operand(
    value: Value | None, part: Box | None, boxes: Mapping[Value, Box], made: Mapping[Value, Value]
) -> Value | None:
    """The part of an operand, from what was made of it."""
    if value is None or part is None:
        return value
    data = known(value)
    if data is not None:
        taken = data[tuple(slice(low, high) for low, high in part)]
        return constant(taken, value.tensor.element)
    held = zip(part, boxes[value], strict=True)
    return _taken(made[value], tuple((low - at, high - at) for (low, high), (at, _) in held))


def _taken(value: Value, box: Box) -> Value:
    if box == whole(value):
        return value
    begin, size = tuple(low for low, _ in box), tuple(high - low for low, high in box)
    return slice_op(value, begin=begin, size=size, step=(1,) * len(box))
