"""Which convolutions take turns strip by strip, and what a thread holds of their results meanwhile.

    whole    every row of a, then of b, then of c     a and b leave the cache before they are read
    strips   some rows of a, of b and of c, again     what c does not need any more is given up

A strip of the last result needs rows of the one before, as many as its windows reach over; those
that the next strip needs as well stay where they are held, so none is made twice by one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import lcm

from whet.emit.program import Group, Link, Lowered, Place, Step
from whet.emit.strips import HEADER
from whet.ir.dim import static_shape
from whet.ir.graph import Graph
from whet.ir.leaf import known
from whet.ir.node import Node, Value
from whet.ops.convolution import conv
from whet.plan.bound import round_up
from whet.targets.target import Target

__all__ = ["StripChain", "find_chains"]

LARGE = 8
"""A result of at least the second cache over this is worth holding in parts."""
ROOM = 4
"""The share of the second cache, one over this, that a thread holds at most."""
LESS = 8
"""How many times less a thread holds than there is in all, where short strips allow that."""
ALIGNMENT = 64

ByRows = Callable[[Node], Lowered | None]


@dataclass(frozen=True, slots=True)
class _Row:
    """A node, its statements by rows, and its window: rows [a, b) read rows [a * stride - low,
    (b - 1) * stride - low + taps) of the first operand."""

    node: Node
    lowered: Lowered
    taps: int
    stride: int
    low: int

    @property
    def rows(self) -> int:
        return static_shape(self.node.outputs[0].shape)[1]

    @property
    def row_bytes(self) -> int:
        return _bytes(self.node.outputs[0]) // self.rows

    @property
    def alone(self) -> bool:
        """Whether each row reads one row, that of its own number."""
        return (self.taps, self.stride, self.low) == (1, 1, 0)


@dataclass(frozen=True, slots=True)
class StripChain:
    """Nodes in strips, each the only reader of the one before.

    groups: how many nodes take turns, and at how many rows. held: where the rows of each node but
    the last are held. strip: rows of the last result. scratch: where the stages' scratch is; each:
    bytes of a thread.
    """

    rows: tuple[_Row, ...]
    groups: tuple[tuple[int, int], ...]
    held: tuple[int, ...]
    strip: int
    scratch: int
    each: int

    @property
    def nodes(self) -> tuple[Node, ...]:
        return tuple(row.node for row in self.rows)

    @property
    def reads(self) -> tuple[Value, ...]:
        """What the chain reads that it does not make."""
        inner = {row.node.outputs[0] for row in self.rows}
        values = (v for node in self.nodes for v in node.inputs)
        return tuple(dict.fromkeys(v for v in values if v is not None and v not in inner))

    def lowered(self) -> Lowered:
        """What the chain asks of a plan: headers, memory, and that it is shared."""
        headers = tuple(h for row in self.rows for h in row.lowered.headers)
        turns = -(-self.rows[-1].rows // self.groups[-1][1])
        return Lowered(
            (), (*headers, HEADER), parallel=turns, kernel="strips", scratch_each=self.each
        )

    def linked(self, steps: tuple[Step, ...]) -> tuple[Group, ...]:
        """The groups, of a step for each node."""
        links, made = iter(zip(self.rows, steps, strict=True)), list[Group]()
        held = iter((*self.held, None))
        for count, turn in self.groups:
            pairs = [next(links) for _ in range(count)]
            first = pairs[0][0]
            group = tuple(
                Link(
                    step, row.rows, row.row_bytes, row.lowered.grain, _units(row.lowered, row.rows),
                    next(held),
                )
                for row, step in pairs
            )  # fmt: skip
            made.append(Group(group, turn, first.taps, first.stride, first.low))
        return tuple(made)

    def room(self, lowered: Lowered) -> tuple[Place | None, int]:
        """Where a stage has its scratch, if any; it moves with what the thread holds."""
        return (Place("held", self.scratch) if lowered.scratch_each else None), 0

    def place(self, value: Value) -> Place | None:
        """Where a value lies that the chain holds; None for others."""
        inner = [row.node.outputs[0] for row in self.rows[:-1]]
        return Place("rows", index=inner.index(value)) if value in inner else None


def _units(lowered: Lowered, rows: int) -> int:
    assert isinstance(lowered.parallel, int)
    return lowered.parallel // -(-rows // lowered.grain)


def _bytes(value: Value) -> int:
    nbytes = value.tensor.nbytes
    assert isinstance(nbytes, int)
    return nbytes


def find_chains(
    graph: Graph, lowered: Mapping[Node, Lowered], by_rows: ByRows, target: Target
) -> list[StripChain]:
    """The chains of a graph for a target, none of which share a node.

    lowered: the nodes in order, as they are computed whole. by_rows: a node's statements with a
    grain, None where it has none. There are chains only on the machine at hand, and levels of it;
    a result that the second cache has ample room for is left whole, and so is a layer whose weights
    the first one does not hold, for each row reads them again.
    """
    if target.emulator is not None:
        return []
    readers = _only_readers(graph)
    rows = {node: row for node in lowered for row in _row(node, lowered[node], by_rows, target)}
    found, taken = list[StripChain](), set[Node]()
    for node in lowered:
        run = [] if node in taken else list(_run(node, rows, readers, target))
        chain = _chain(tuple(run), target) if len(run) > 1 else None
        if chain is not None:
            found.append(chain)
            taken |= set(chain.nodes)
    return found


def _only_readers(graph: Graph) -> dict[Value, Node]:
    """The node that alone reads a value, for values that have one."""
    uses: dict[Value, list[Node]] = {}
    for node in graph.nodes:
        for v in node.inputs:
            if v is not None:
                uses.setdefault(v, []).append(node)
    kept = set(graph.roots)
    return {v: nodes[0] for v, nodes in uses.items() if len(nodes) == 1 and v not in kept}


def _row(node: Node, whole: Lowered, by_rows: ByRows, target: Target) -> Iterator[_Row]:
    """The node by rows, where it can be and its weights are light."""
    x, w = node.operand(0), node.operand(1)
    if node.op is not conv or x is None or w is None or known(w) is None:
        return
    static = x.tensor.static and node.outputs[0].tensor.static
    if not static or len(x.shape) != 4 or x.shape[0] != 1 or _bytes(w) > target.l1:
        return
    lowered = by_rows(node)
    if lowered is None or not lowered.grain or lowered.kernel != whole.kernel:
        return
    stride, low = node.integers("stride")[0], node.integers("low")[0]
    taps = (static_shape(w.shape)[1] - 1) * node.integers("dilation")[0] + 1
    if taps >= stride and not lowered.scratch:
        yield _Row(node, lowered, taps, stride, low)


def _run(
    first: Node, rows: Mapping[Node, _Row], readers: Mapping[Value, Node], target: Target
) -> Iterator[_Row]:
    """The nodes from this one on, each of which reads a large result of the one before."""
    node: Node | None = first
    while node is not None and node in rows:
        yield rows[node]
        made = node.outputs[0]
        reader = readers.get(made)
        large = _bytes(made) * LARGE >= target.l2
        node = reader if reader is not None and large and reader.inputs[0] is made else None


def _chain(rows: tuple[_Row, ...], target: Target) -> StripChain | None:
    """The chain with the largest strips that there is room for; None where there is for none."""
    starts = [i for i, row in enumerate(rows) if i == 0 or not row.alone]
    parts = [rows[a:b] for a, b in pairwise([*starts, len(rows)])]
    turns = [lcm(*(row.lowered.grain for row in part)) for part in parts]
    turn, total = turns[-1], rows[-1].rows
    most = round_up(-(-total // target.threads), turn)
    scratch = max(row.lowered.scratch_each for row in rows)
    strips = dict.fromkeys(round_up(-(-most // n), turn) for n in range(1, most + 1))
    room = min(target.l2 // ROOM, sum(_bytes(row.node.outputs[0]) for row in rows[:-1]) // LESS)
    chain = None
    for strip in strips:
        counts = _counts(parts, turns, strip)
        offsets = [0]
        for row, count in zip(rows, counts, strict=False):
            offsets.append(offsets[-1] + round_up(count * row.row_bytes, ALIGNMENT))
        each = round_up(offsets[-1] + scratch, ALIGNMENT)
        groups = tuple((len(p), t) for p, t in zip(parts, turns, strict=True))
        chain = StripChain(rows, groups, tuple(offsets[:-1]), strip, offsets[-1], each)
        if each <= room:
            break
    return chain if chain is not None and chain.each * ROOM <= target.l2 else None


def _counts(parts: list[tuple[_Row, ...]], turns: list[int], strip: int) -> list[int]:
    """How many rows of each node but the last are held at once."""
    counts: list[int] = []
    made = strip
    for i in range(len(parts) - 1, -1, -1):
        inner = [min(turns[i], row.rows) for row in parts[i][:-1]]
        counts = [*inner, *([made] if i < len(parts) - 1 else []), *counts]
        if i:
            first, before = parts[i][0], parts[i - 1][-1]
            made = (made - 1) * first.stride + first.taps + 2 * (turns[i - 1] - 1)
            made = min(made, before.rows)
    return counts
