"""What it takes to compute layers in patches: the bytes that live at once, and the work done twice.

A graph has points: places in the order of its nodes where one value alone is still needed. Between
two of them the layers can run whole or as a section in a grid of patches. Rows and columns are cut
independently, so that a patch's part of a value is the product of its share of rows and of columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from whet.ir.graph import Graph
from whet.ir.leaf import known
from whet.ir.node import Node, Value
from whet.ops.cost import cost
from whet.passes.halo import Box, cuts_scales, reach, whole
from whet.passes.patch import grid_axes, joined_box, parts
from whet.plan.bound import round_up

__all__ = ["Grid", "Outlook", "Point", "outlooks", "points"]

Grid = tuple[int, int]
Floats = NDArray[np.float64]
LONGEST = 60
"""Nodes of the longest section that is considered."""
CALL = 20_000
"""Operations that a further call is reckoned as."""
ALIGNMENT = 64


@dataclass(frozen=True, slots=True)
class Point:
    """After `place` nodes have run, `value` alone is still needed."""

    place: int
    value: Value


@dataclass(frozen=True, slots=True)
class Outlook:
    """A section from one point to another, for each grid: bytes alive at its worst step, and the
    operations added."""

    peak: Floats
    work: Floats


def points(graph: Graph, order: Sequence[Node]) -> list[Point]:
    """The points of a graph whose nodes run in this order, first to last."""
    last: dict[Value, int] = {}
    for place, node in enumerate(order):
        last.update({v: place for v in node.operands if known(v) is None})
    alive = {v for v in (*graph.inputs, *(s.value for s in graph.states)) if v in last}
    found = [Point(0, *alive)] if len(alive) == 1 else []
    for place, node in enumerate(order):
        alive |= {v for v in node.outputs if v in last}
        alive = {v for v in alive if last[v] > place}
        if len(alive) == 1:
            found.append(Point(place + 1, *alive))
    return found


def outlooks(
    graph: Graph, scratch: Mapping[Node, int], ends: Sequence[Point], grids: Sequence[Grid]
) -> dict[tuple[int, int], Outlook]:
    """The outlook of every section that can be computed in patches, by its two points' indices."""
    order = tuple(scratch)
    kept = set(graph.roots)
    found = {}
    for j in range(len(ends)):
        sweep = _Sweep(ends[j].value, grids)
        if not sweep.axes:
            continue
        for i in range(j - 1, -1, -1):
            nodes = order[ends[i].place : ends[i + 1].place]
            inner = {v for n in nodes for v in n.outputs} - {ends[j].value}
            if inner & kept or not all(sweep.back(node) for node in reversed(nodes)):
                break
            if len(sweep.nodes) > LONGEST:
                break
            if sweep.nodes:
                found[i, j] = sweep.outlook(ends[i].value, scratch)
    return found


@dataclass(frozen=True, slots=True)
class _Split:
    """A cut into rows or columns: where patches lie, as the first, the second, which stands for
    all in the middle, and the last two.

    counts: how many patches each stands for. held: the part that each needs of a value; read: the
    part of an operand that a node reads.
    """

    counts: tuple[int, ...]
    held: dict[Value, list[Box]]
    read: dict[tuple[Node, Value], list[Box]]

    @staticmethod
    def of(cut: Value, box: Box, axis: int, count: int) -> _Split:
        """The cut of `box`, all of a value, into `count` parts of an axis."""
        spans = parts(box[axis][1], count)
        counts: tuple[int, ...] = (1,) * len(spans)
        if len(spans) > 4:
            spans, counts = [*spans[:2], *spans[-2:]], (1, len(spans) - 3, 1, 1)
        boxes: list[Box] = [(*box[:axis], span, *box[axis + 1 :]) for span in spans]
        return _Split(counts, {cut: boxes}, {})

    def back(self, node: Node) -> bool:
        """Note what the patches need for one more node; False where they cannot be computed."""
        for k, box in enumerate(self.held[node.outputs[0]]):
            needs = reach(node, box)
            if needs is None:
                return False
            for v, part in zip(node.inputs, needs.boxes, strict=True):
                if v is None or part is None or known(v) is not None:
                    continue
                if cuts_scales(v, part):
                    return False
                held = self.held.setdefault(v, [])
                if k == len(held):
                    held.append(part)
                held[k] = joined_box(held[k], part)
                self.read.setdefault((node, v), []).append(part)
        return True

    def most(self, value: Value, node: Node | None = None) -> float:
        """The largest share of a value that a patch needs, or that a node of it reads."""
        return max(_shares(self.read[node, value] if node else self.held[value], value))

    def total(self, value: Value) -> float:
        """All patches' shares of a value."""
        shares = _shares(self.held[value], value)
        return sum(n * share for n, share in zip(self.counts, shares, strict=True))


def _shares(boxes: Sequence[Box], value: Value) -> list[float]:
    whole_size = value.tensor.elements
    assert isinstance(whole_size, int)
    return [prod(high - low for low, high in box) / max(whole_size, 1) for box in boxes]


class _Sweep:
    """The shares that patches of one value take of the values before it, node by node backwards."""

    def __init__(self, cut: Value, grids: Sequence[Grid]) -> None:
        self.cut, self.axes, self.nodes = cut, grid_axes(cut), list[Node]()
        self.shares: dict[object, Floats] = {}
        box = whole(cut)
        if not self.axes or box is None:
            return
        high, wide = (box[axis][1] for axis in self.axes)
        self.grids = [(min(r, high), min(c, wide)) for r, c in grids]
        self.copied = np.array([float(columns > 1) for _, columns in self.grids])
        self.calls = np.array([prod(grid) for grid in self.grids]) - 1
        rows, columns = (sorted({grid[i] for grid in self.grids}) for i in (0, 1))
        self.row = [rows.index(r) for r, _ in self.grids]
        self.column = [len(rows) + columns.index(c) for _, c in self.grids]
        self.splits = [_Split.of(cut, box, self.axes[0], n) for n in rows]
        self.splits += [_Split.of(cut, box, self.axes[1], n) for n in columns]

    def back(self, node: Node) -> bool:
        """Go back over one more node; False where it cannot be computed in parts."""
        if len(node.outputs) != 1 or node.outputs[0] not in self.splits[0].held:
            return False
        self.nodes.append(node)
        return all(split.back(node) for split in self.splits)

    def outlook(self, start: Value, scratch: Mapping[Node, int]) -> Outlook:
        """Of the section from `start`, over the nodes gone back over so far."""
        nothing = np.zeros(len(self.grids))
        rows = np.array([self.splits[r].most(self.cut) for r in self.row])
        live = _bytes(self.cut) * (1 + rows * self.copied)
        live += 0 if start.op.family == "leaf" else _bytes(start)
        work, peak = nothing, live
        last = {v: node for node in self.nodes[::-1] for v in node.operands}
        view = start.op.family != "leaf" and self.axes == grid_axes(start)
        held = {start: _bytes(start) * self._most(start) * (self.copied if view else 1)}
        live = live + held[start]
        for node in self.nodes[::-1]:
            out = node.outputs[0]
            made = nothing if out is self.cut else _bytes(out) * self._most(out)
            sliced = sum((self._slice(node, v) for v in dict.fromkeys(node.inputs)), nothing)
            busy = scratch[node] * self._most(out) + sliced * self.copied
            peak = np.maximum(peak, live + made + busy)
            ending = [v for v in dict.fromkeys(node.inputs) if v in held and last[v] is node]
            live = live + made - sum((held[v] for v in ending), nothing)
            held[out] = made
            work = work + self._work(node)
        return Outlook(np.ceil(peak), work)

    def _most(self, value: Value) -> Floats:
        """The largest patch's share of a value, for each grid."""
        if value not in self.shares:
            most = [split.most(value) for split in self.splits]
            self.shares[value] = self._gridded(most)
        return self.shares[value]

    def _slice(self, node: Node, value: Value | None) -> Floats:
        """Bytes of the part that a node reads of an operand, where less than what is held of it."""
        key = (node, value)
        if value is None or key not in self.splits[0].read:
            return np.zeros(len(self.grids))
        if key not in self.shares:
            less = any(split.read[node, value] != split.held[value] for split in self.splits)
            most = [split.most(value, node) for split in self.splits]
            self.shares[key] = _bytes(value) * less * self._gridded(most)
        return self.shares[key]

    def _work(self, node: Node) -> Floats:
        """Operations that the patches add to a node's own, and the further calls."""
        if node not in self.shares:
            again = self._gridded([split.total(node.outputs[0]) for split in self.splits]) - 1
            self.shares[node] = cost(node).operations * again + CALL * self.calls
        return self.shares[node]

    def _gridded(self, values: Sequence[float]) -> Floats:
        """For each grid, its rows' value times its columns'."""
        each = np.array(values, float)
        product: Floats = each[self.row] * each[self.column]
        return product


def _bytes(value: Value) -> int:
    nbytes = value.tensor.nbytes
    return round_up(nbytes, ALIGNMENT) if isinstance(nbytes, int) else 0
