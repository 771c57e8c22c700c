"""What is emitted: stages (functions of a lowered node) and the functions that call them in order.

`plan` gives every value a place; `emit` turns the result into text. Nothing here knows C.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from whet.emit.lowered import Lowered
from whet.emit.port import Port
from whet.ir.dim import Size
from whet.ir.element import Scalar
from whet.ops.cost import Cost


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value lives: bytes into the arena, the weights, or input or output `index`.

    Within strips also bytes into what a thread holds, or the rows that link `index` holds.
    """

    region: Literal["input", "output", "arena", "weights", "held", "rows"]
    offset: int = 0
    index: int = 0


@dataclass(frozen=True, slots=True)
class Parameter:
    """One pointer parameter of a stage. pitch: elements from one row to the next, where the operand
    lies within a wider value."""

    name: str
    element: Scalar
    written: bool
    pitch: int | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """One C function: the lowering of a node, its parameters and what the user knows it by.

    `bodies` are the functions of its sub-graphs. fetches: it takes `ahead` and `pace`.
    """

    lowered: Lowered
    inputs: tuple[Parameter | None, ...]
    outputs: tuple[Parameter, ...]
    weights: tuple[Parameter, ...]
    title: str
    bodies: tuple[Function, ...] = ()
    fetches: bool = False


@dataclass(frozen=True, slots=True)
class Fetch:
    """Weights that a step fetches for those after it: from byte `first` on, `pace` at each of the
    `turns` that one thread takes alone.
    """

    first: int
    turns: int
    pace: int

    @property
    def nbytes(self) -> int:
        """How many bytes that are."""
        return self.turns * self.pace


@dataclass(frozen=True, slots=True)
class Step:
    """A stage applied to places; scratch is None where it has none.

    cost: of the node that it computes. each: bytes from the scratch of one thread to that of the
    next; 0 where it is one for all. fetch: what a stage that fetches is told.
    """

    stage: Stage
    inputs: tuple[Place | None, ...]
    outputs: tuple[Place, ...]
    weights: tuple[Place, ...]
    scratch: Place | None
    origin: str
    cost: Cost
    each: int = 0
    fetch: Fetch | None = None


@dataclass(frozen=True, slots=True)
class Bind:
    """After a step: read the i64 at `source` into the size named `symbol`, within its bounds."""

    symbol: str
    low: int
    high: int
    source: Place


@dataclass(frozen=True, slots=True)
class Copy:
    """Move `nbytes` from one place to another: a next state, an output that is an input."""

    source: Place
    target: Place
    nbytes: Size


@dataclass(frozen=True, slots=True)
class Link:
    """A step of strips, made by rows: each `units` of its stage make `grain` rows of the result.

    rows, row_bytes: of the result. held: where a thread holds those that are needed, bytes into
    what it holds; None for the last link of all.
    """

    step: Step
    rows: int
    row_bytes: int
    grain: int
    units: int
    held: int | None


@dataclass(frozen=True, slots=True)
class Group:
    """Links that take turns at `turn` rows; each but the first reads just the row that it makes.

    Rows [a, b) need rows [a * stride - low, (b - 1) * stride - low + taps) of the group before, as
    far as there are such rows; taps >= stride.
    """

    links: tuple[Link, ...]
    turn: int
    taps: int
    stride: int
    low: int

    @property
    def rows(self) -> int:
        """Rows of each link's result."""
        return self.links[-1].rows


@dataclass(frozen=True, slots=True)
class Strips:
    """Steps that take turns, so that what one makes is read while it is near.

    Each thread makes its share of the last group's rows, `strip` at a time; for each strip a group
    makes what the next one needs and has not been made yet. memory: what the first thread holds,
    `each` bytes, those of the others behind it.
    """

    groups: tuple[Group, ...]
    strip: int
    memory: Place
    each: int

    @property
    def links(self) -> tuple[Link, ...]:
        """All links, the first first."""
        return tuple(link for group in self.groups for link in group.links)


Action: TypeAlias = Step | Bind | Copy | Strips


def is_split(action: Action) -> bool:
    """Whether every thread of a run has a part in it."""
    if isinstance(action, Step):
        return action.stage.lowered.split
    return isinstance(action, Strips)


@dataclass(frozen=True, slots=True)
class Function:
    """A graph as a sequence of steps over one arena."""

    name: str
    inputs: int
    outputs: int
    steps: tuple[Action, ...]
    arena: int


@dataclass(frozen=True, slots=True)
class Program:
    """All that a target needs to run a model.

    threads: the most that may run it together; the arena has scratch for each of them. shared:
    whether there is work enough for more than one. packing: macros that say what machine the
    weights are packed for.
    """

    name: str
    main: Function
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    states: tuple[tuple[Port, Place, Place], ...]  # port, place in the arena, initial in weights
    symbols: tuple[str, ...]
    weights: bytes = field(repr=False)
    headers: tuple[str, ...] = ()
    threads: int = 1
    shared: bool = True
    packing: tuple[tuple[str, int], ...] = ()
