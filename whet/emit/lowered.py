"""What a kernel lowers a node to: statements whose operands name the node's inputs and outputs
by position. Nothing here knows C, or where a value lives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from whet.ir.dim import Size
from whet.ir.graph import Graph
from whet.ir.node import Array


@dataclass(frozen=True, slots=True)
class In:
    """Pointer to input `index` of the node, advanced by `offset` elements.

    each: elements further for each unit of a split stage before the call's share.
    """

    index: int
    offset: Size = 0
    each: Size = 0


@dataclass(frozen=True, slots=True)
class Out:
    """Pointer to output `index` of the node, advanced as an `In` is."""

    index: int = 0
    offset: Size = 0
    each: Size = 0


@dataclass(frozen=True, slots=True)
class Weight:
    """Pointer to packed constant `index` of the lowering."""

    index: int


@dataclass(frozen=True, slots=True)
class Scratch:
    """Pointer into the stage's scratch memory, in bytes."""

    offset: int = 0


@dataclass(frozen=True, slots=True)
class Name:
    """An identifier of the kernel headers, such as an enumerator or a function."""

    text: str


@dataclass(frozen=True, slots=True)
class Ahead:
    """What the plan tells a kernel that fetches: `ahead`, from where on, or `pace`, how much at a
    turn; 0 where the step is to fetch nothing."""

    word: Literal["ahead", "pace"]


@dataclass(frozen=True, slots=True)
class Pitch:
    """Elements from one row of an operand to the next: `row`, as many as it has, unless the plan
    has the operand lie within a wider value."""

    operand: In | Out
    row: int


@dataclass(frozen=True, slots=True)
class Extra:
    """An operand an epilogue reads at row * row_stride + channel.

    row_stride: elements from one of the result's rows to the next; a pitch where those are rows of
    the operand as well, 0 where all rows read the same.
    """

    operand: In | Weight
    row_stride: int | Pitch


@dataclass(frozen=True, slots=True)
class Epilogue:
    """A scalar body applied to each accumulator before it is stored.

    body: first input is the accumulator, one more for each extra.
    """

    body: Graph
    extras: tuple[Extra, ...]


@dataclass(frozen=True, slots=True)
class Ready:
    """An epilogue that the kernel headers already have, and the pointers it reads."""

    name: str
    pointers: tuple[In | Weight, ...]


@dataclass(frozen=True, slots=True)
class CodesStep:
    """A step of an int8 epilogue: v = function(v clamped to codes [low, high], arguments...).

    An Extra stands for the vector of its elements, a Weight for the pointer; a float is an f32.
    """

    function: str
    arguments: tuple[Extra | Weight | int | float, ...]
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class CodesEpilogue:
    """A ready int8 epilogue and what is done to the codes it gives."""

    first: Ready
    steps: tuple[CodesStep, ...]

    @property
    def operands(self) -> tuple[In | Weight, ...]:
        """What the steps read, in order."""
        arguments = [
            a for step in self.steps for a in step.arguments if not isinstance(a, int | float)
        ]
        return tuple(a.operand if isinstance(a, Extra) else a for a in arguments)


@dataclass(frozen=True, slots=True)
class Longs:
    """An array of sizes, such as a shape."""

    values: tuple[Size, ...]


Field: TypeAlias = "Size | float | Name | Weight | Portion | From | tuple[Field, ...]"


@dataclass(frozen=True, slots=True)
class Record:
    """A pointer to a constant struct of the kernel headers: fields are numbers, enumerators,
    pointers, or lists of such."""

    type: str
    fields: tuple[tuple[str, Field], ...]


@dataclass(frozen=True, slots=True)
class Portion:
    """How many of `total` the call's share of a split stage has, a unit being `grain` of them."""

    total: Size
    grain: int = 1


@dataclass(frozen=True, slots=True)
class From:
    """`base`, and `each` more for each unit of a split stage before the call's share."""

    base: int
    each: int


@dataclass(frozen=True, slots=True)
class Item:
    """The first element of input `index`, by value."""

    index: int


Argument = (
    Record
    | Item
    | In
    | Out
    | Weight
    | Scratch
    | Name
    | Ahead
    | Pitch
    | Epilogue
    | Ready
    | CodesEpilogue
    | Longs
    | Portion
    | From
    | Size
    | float
)


@dataclass(frozen=True, slots=True)
class Call:
    """function(arguments...). checked: it returns a status, and non-zero ends the run with it.

    result: the output that takes the value it returns.
    """

    function: str
    arguments: tuple[Argument, ...]
    checked: bool = False
    result: Out | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """Element offset + sum(index[i] * strides[i]) of an operand."""

    operand: In | Out | Weight
    strides: tuple[Size, ...]
    offset: Size = 0


@dataclass(frozen=True, slots=True)
class Nest:
    """For every index below `extents`: write = body(reads), body None meaning a copy.

    axis: the collapsed extent that is shared where the stage is split: `grain` indices a unit, or
    where that is 1 as large a part of them as a unit is of all.
    """

    extents: tuple[Size, ...]
    write: Access
    reads: tuple[Access, ...]
    body: Graph | None = None
    axis: int = 0
    grain: int = 1


def collapse(statement: Nest) -> tuple[list[Size], list[Access]]:
    """Drop axes of one and merge neighbours that every access walks as one run."""
    accesses = [statement.write, *statement.reads]
    kept = [d for d, e in enumerate(statement.extents) if e != 1]
    extents: list[Size] = []
    strides: list[list[Size]] = [[] for _ in accesses]
    for d in kept:
        extent = statement.extents[d]
        step = [a.strides[d] for a in accesses]
        if extents and all(s[-1] == t * extent for s, t in zip(strides, step, strict=True)):
            extents[-1] = extents[-1] * extent
            for s, t in zip(strides, step, strict=True):
                s[-1] = t
        else:
            extents.append(extent)
            for s, t in zip(strides, step, strict=True):
                s.append(t)
    merged = [Access(a.operand, tuple(s), a.offset) for a, s in zip(accesses, strides, strict=True)]
    return extents, merged


@dataclass(frozen=True, slots=True)
class Branch:
    """Run body 0 where the bool at `condition` holds, else body 1, over the node's inputs after
    it.
    """

    condition: In
    arena: int = 0


@dataclass(frozen=True, slots=True)
class Carried:
    """A value an iteration hands to the next: its bytes, those of the first one, and where in
    scratch the next one is made.
    """

    nbytes: Size
    first: Size
    scratch: int


@dataclass(frozen=True, slots=True)
class Repeat:
    """Run body 0 as ONNX Loop does.

    Node inputs: trip count or absent, condition or absent, carried..., captured... Outputs:
    carried..., scanned..., the number of iterations (i64). Body inputs: iteration, condition,
    carried..., captured...; outputs: condition, carried..., scanned slices...
    scanned: bytes of one slice of each; limit: most iterations the outputs have room for.
    """

    carried: tuple[Carried, ...]
    scanned: tuple[Size, ...]
    limit: int
    arena: int


Statement = Call | Nest | Branch | Repeat


@dataclass(frozen=True, slots=True)
class Lowered:
    """A node as statements.

    headers: kernel headers they need. constants: packed arrays, in the order of `Weight` indices.
    scratch: bytes; scratch_each: bytes for each thread that runs a share instead. parallel: the
    extent the statements may be split over (a call then takes `begin, end`); None where they may
    not. together: every thread enters the statements, which see `part`, `parts` and `host`, share
    the work and wait for each other themselves. grain: units that follow each other make `grain`
    whole rows of the result's image, from row 0 on, and read rows of the first input where they lie
    in the whole image; 0 where that is not so. turns: how often all units together fetch what the
    plan has them fetch, `Ahead`; 0 where they cannot.
    """

    statements: tuple[Statement, ...]
    headers: tuple[str, ...] = ()
    constants: tuple[Array, ...] = ()
    scratch: int = 0
    parallel: Size | None = None
    kernel: str = ""
    scratch_each: int = 0
    together: bool = False
    grain: int = 0
    turns: int = 0

    def __post_init__(self) -> None:
        assert not (self.scratch and self.scratch_each), (
            "scratch for each thread is instead of scratch"
        )
        checked = any(isinstance(s, Call) and s.checked for s in self.statements)
        assert not (checked and self.split), "one thread runs what may fail"

    @property
    def split(self) -> bool:
        """Whether every thread of a run has a part in it."""
        return self.together or self.parallel not in (None, 1)
