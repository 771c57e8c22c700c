"""Which layers take turns strip by strip, and what a thread holds of their results meanwhile.

    whole    every row of a, then of b, then of c     a and b leave the cache before they are read
    strips   some rows of a, of b and of c, again     what c does not need any more is given up

A strip of the last result needs rows of the one before, as many as its windows reach over; those
that the next strip needs as well stay where they are held, so none is made twice by one thread.

Threads wait for each other after a chain, not within it. So small results are held as well, where
each row of the next is made of one row: no thread makes what another one does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import lcm

from whet.emit.lowered import Lowered
from whet.emit.program import Group, Link, Place, Step
from whet.emit.share import share_bounds
from whet.emit.strips import HEADER
from whet.ir.dim import static_shape
from whet.ir.graph import Graph
from whet.ir.leaf import known
from whet.ir.node import Node, Value
from whet.kernels.share import whole_blocks
from whet.ops.bilinear import bilinear
from whet.ops.convolution import conv
from whet.ops.reduction import argmax, argmin
from whet.plan.bound import round_up
from whet.targets.target import Target

__all__ = ["StripChain", "find_chains"]

LARGE = 8
"""A result of at least the second cache over this is worth holding in parts."""
ROOM = 4
"""The share of the second cache, one over this, that a thread holds at most."""
LESS = 8
"""How many times less a thread holds than there is in all, where short strips allow that."""
EVEN = 1.1
"""How many times an even share of rows the longest may be, where a wait is all that is saved."""
ALIGNMENT = 64

ByRows = Callable[[Node], Lowered | None]


@dataclass(frozen=True, slots=True)
class _Layer:
    """A node, its statements by rows, and its window: rows [a, b) read rows [a * stride - low,
    (b - 1) * stride - low + taps) of the first operand, each row at least one that is there.
    heavy: the first cache does not hold its weights, so that each turn reads them again. first: it
    reads rows that no window describes, so that it can only be the first."""

    node: Node
    lowered: Lowered
    heavy: bool
    taps: int = 1
    stride: int = 1
    low: int = 0
    first: bool = False

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

    def linked(self, step: Step, held: int | None) -> Link:
        """The layer as it is emitted: its stage applied, and where its rows are held."""
        assert isinstance(self.lowered.parallel, int)
        grain = self.lowered.grain
        units = self.lowered.parallel // -(-self.rows // grain)
        return Link(step, self.rows, self.row_bytes, grain, units, held)


@dataclass(frozen=True, slots=True)
class StripChain:
    """Nodes in strips, each the only reader of the one before.

    groups: the layers that take turns; turns: at how many rows. held: where the rows of each layer
    but the last are held. strip: rows of the last result. scratch: where the stages' scratch is;
    each: bytes of a thread.
    """

    groups: tuple[tuple[_Layer, ...], ...]
    turns: tuple[int, ...]
    held: tuple[int, ...]
    strip: int
    scratch: int
    each: int

    @property
    def layers(self) -> tuple[_Layer, ...]:
        """All of them, the first first."""
        return tuple(layer for group in self.groups for layer in group)

    @property
    def nodes(self) -> tuple[Node, ...]:
        return tuple(layer.node for layer in self.layers)

    @property
    def reads(self) -> tuple[Value, ...]:
        """What the chain reads that it does not make."""
        inner = {node.outputs[0] for node in self.nodes}
        values = (v for node in self.nodes for v in node.inputs)
        return tuple(dict.fromkeys(v for v in values if v is not None and v not in inner))

    def lowered(self) -> Lowered:
        """What the chain asks of a plan: headers, memory, and that it is shared."""
        headers = tuple(h for layer in self.layers for h in layer.lowered.headers)
        turns = -(-self.layers[-1].rows // self.turns[-1])
        return Lowered(
            (), (*headers, HEADER), parallel=turns, kernel="strips", scratch_each=self.each
        )

    def linked(self, steps: tuple[Step, ...]) -> tuple[Group, ...]:
        """The groups, of a step for each node."""
        step, held, made = iter(steps), iter((*self.held, None)), list[Group]()
        for group, turn in zip(self.groups, self.turns, strict=True):
            links = tuple(layer.linked(next(step), next(held)) for layer in group)
            first = group[0]
            made.append(Group(links, turn, first.taps, first.stride, first.low))
        return tuple(made)

    def room(self, lowered: Lowered) -> tuple[Place | None, int]:
        """Where a stage has its scratch, if any; it moves with what the thread holds."""
        return (Place("held", self.scratch) if lowered.scratch_each else None), 0

    def place(self, value: Value) -> Place | None:
        """Where a value lies that the chain holds; None for others."""
        inner = [node.outputs[0] for node in self.nodes[:-1]]
        return Place("rows", index=inner.index(value)) if value in inner else None


def _bytes(value: Value) -> int:
    nbytes = value.tensor.nbytes
    assert isinstance(nbytes, int)
    return nbytes


def find_chains(
    graph: Graph, lowered: Mapping[Node, Lowered], by_rows: ByRows, target: Target, *, shared: bool
) -> list[StripChain]:
    """The chains of a graph for a target, none of which share a node.

    lowered: the nodes in order, as they are computed whole. by_rows: a node's statements with a
    grain, None where it has none. shared: whether threads share a run, and wait for each other.
    There are chains only on the machine at hand, and levels of it; a result that the second cache
    has ample room for is left whole unless that costs a wait. A heavy layer takes turns at as many
    rows as it does at once when it is whole.
    """
    if target.emulator is not None:
        return []
    readers = _only_readers(graph)
    layers = {n: layer for n in lowered for layer in _layer(n, lowered[n], by_rows, target)}
    found = list[StripChain]()
    for small in (False, True) if shared else (False,):
        for node in lowered:
            run = tuple(_run(node, layers, readers, target, small=small))
            chain = _chain(run, target, small=small) if len(run) > 1 else None
            if chain is not None:
                found.append(chain)
                for each in chain.nodes:
                    del layers[each]
    return found


def _only_readers(graph: Graph) -> dict[Value, Node]:
    """The node that alone reads a value, for values that have one."""
    uses: dict[Value, list[Node]] = {}
    for node in graph.nodes:
        for v in node.operands:
            uses.setdefault(v, []).append(node)
    kept = set(graph.roots)
    return {v: nodes[0] for v, nodes in uses.items() if len(nodes) == 1 and v not in kept}


def _layer(node: Node, whole: Lowered, by_rows: ByRows, target: Target) -> Iterator[_Layer]:
    """The node by rows, where it can be."""
    x, w = node.operand(0), node.operand(1)
    if x is None or not x.tensor.static or len(x.shape) != 4 or x.shape[0] != 1:
        return
    if node.op is bilinear and whole.grain:
        yield _Layer(node, whole, heavy=False, first=True)
    if node.op in (argmax, argmin) and whole.grain and node.integer("axis") % 4 == 3:
        yield _Layer(node, whole, heavy=False)
    if node.op is not conv or w is None or known(w) is None or not node.outputs[0].tensor.static:
        return
    heavy = _bytes(w) > target.l1
    lowered = whole if heavy else by_rows(node)
    if lowered is None or not lowered.grain or lowered.kernel != whole.kernel:
        return
    stride, low = node.integers("stride")[0], node.integers("low")[0]
    taps = (static_shape(w.shape)[1] - 1) * node.integers("dilation")[0] + 1
    layer = _Layer(node, lowered, heavy, taps, stride, low)
    there = low < taps and (layer.rows - 1) * stride - low < static_shape(x.shape)[1]
    if taps >= stride and there and not lowered.scratch:
        yield layer


def _run(
    first: Node, layers: Mapping[Node, _Layer], readers: Mapping[Value, Node], target: Target,
    *, small: bool,
) -> Iterator[_Layer]:  # fmt: skip
    """The nodes from this one on, each of which reads a large result of the one before, or a small
    one row by row."""
    layer = layers.get(first)
    while layer is not None:
        yield layer
        made = layer.node.outputs[0]
        node = readers.get(made)
        reader = layers.get(node) if node is not None and node.inputs[0] is made else None
        joined = reader is not None and _joined(layer, reader, target, small=small)
        layer = reader if joined else None


def _joined(layer: _Layer, reader: _Layer, target: Target, *, small: bool) -> bool:
    """Whether the two take turns."""
    made = _bytes(layer.node.outputs[0])
    if reader.first:
        return False
    if small:
        return reader.alone and made <= target.l1 * target.threads
    return made * LARGE >= target.l2 and not (layer.heavy or reader.heavy)


def _chain(layers: tuple[_Layer, ...], target: Target, *, small: bool) -> StripChain | None:
    """The chain with the largest strips that there is room for; None where there is for none, or
    where threads could not share small results evenly."""
    starts = [i for i, v in enumerate(layers) if i == 0 or not v.alone or layers[i - 1].first]
    groups = tuple(layers[a:b] for a, b in pairwise([*starts, len(layers)]))
    turns = tuple(lcm(*(layer.lowered.grain for layer in group)) for group in groups)
    turn, total = turns[-1], layers[-1].rows
    most = round_up(-(-total // target.threads), turn)
    if small and _longest_share(total, turn, target.threads) * target.threads > EVEN * total:
        return None
    scratch = max(layer.lowered.scratch_each for layer in layers)
    strips = dict.fromkeys(round_up(size, turn) for size in whole_blocks(most, most))
    whole = sum(_bytes(layer.node.outputs[0]) for layer in layers[:-1])
    room = target.l2 // ROOM if small else min(target.l2 // ROOM, whole // LESS)
    chain = None
    for strip in strips:
        counts = _counts(groups, turns, strip)
        offsets = [0]
        for layer, count in zip(layers, counts, strict=False):
            offsets.append(offsets[-1] + round_up(count * layer.row_bytes, ALIGNMENT))
        each = round_up(offsets[-1] + scratch, ALIGNMENT)
        chain = StripChain(groups, turns, tuple(offsets[:-1]), strip, offsets[-1], each)
        if each <= room:
            break
    return chain if chain is not None and chain.each * ROOM <= target.l2 else None


def _longest_share(rows: int, turn: int, threads: int) -> int:
    """The most rows of a thread, where threads share turns of so many."""
    ends = [min(at * turn, rows) for at in share_bounds(-(-rows // turn), threads)]
    return max(b - a for a, b in pairwise(ends))


def _counts(groups: Sequence[Sequence[_Layer]], turns: Sequence[int], strip: int) -> list[int]:
    """How many rows of each layer but the last are held at once."""
    counts: list[int] = []
    made = strip
    for i in range(len(groups) - 1, -1, -1):
        inner = [min(turns[i], layer.rows) for layer in groups[i][:-1]]
        counts = [*inner, *([made] if i < len(groups) - 1 else []), *counts]
        if i:
            first, before = groups[i][0], groups[i - 1][-1]
            made = (made - 1) * first.stride + first.taps + 2 * (turns[i - 1] - 1)
            made = min(made, before.rows)
    return counts
