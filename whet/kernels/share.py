"""Work shared by the threads of a run: a range of elements, rows or indices, cut into units.

Threads do units as `whet.emit.share` cuts them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from whet.emit.headers import header_number
from whet.emit.lowered import From, In, Lowered, Name, Nest, Out, Portion, collapse
from whet.emit.share import share_bounds
from whet.ir.dim import Size, static_size
from whet.ir.type import size_product
from whet.kernels.tiling import Tile
from whet.targets.target import Target

# Less work than this many nanoseconds is done sooner by one thread than handed to two.
WORTH = 600.0
# Elements of a unit of a flat range: whole vectors and cache lines.
GRAIN = 128
# An axis of fewer indices is shared unevenly, so a longer one inside it is shared instead.
LONG = 16
# How much longer than an even share the longest may take before units are cut smaller.
UNEVEN = 1.04
# Of more units than these none makes a share uneven.
COUNTED = 1 << 12
# Runs of rows that a reduction over the only image sums on their own.
RUNS = header_number("types.h", "SHARED_RUNS")
# Elements from which on it does.
TOGETHER = 1 << 14
# What a call of a stage that all threads enter together is told of them.
THREADS = tuple(map(Name, ("part", "parts", "host->wait", "host->pool")))
# Bytes of weights that stay in a cache while they are used.
CACHED = 1 << 20
# How many times as long an element takes from another thread's cache as a weight from memory.
PULLED = 6
# Units of several ranges that are shared together.
UNITS = 64


@dataclass(frozen=True, slots=True)
class Shared:
    """A range of `total` that a call does all of, or its share where `units` is not None."""

    total: Size
    grain: int
    units: int | None

    @property
    def count(self) -> Size | Portion:
        """How many of the range a call does."""
        return self.total if self.units is None else Portion(self.total, self.grain)

    def at(self, operand: In, width: Size = 1) -> In:
        """An operand of `width` elements for each of the range, where the share begins."""
        return operand if self.units is None else replace(operand, each=width * self.grain)

    def after(self, base: int, each: int) -> int | From:
        """A number that is `base` for the first of the range and grows by `each`."""
        return base if self.units is None else From(base, self.grain * each)

    def to(self, operand: Out, width: Size = 1) -> Out:
        """The same of a result."""
        return replace(operand, each=self.at(In(0), width).each)


def flat(total: Size, nanoseconds: float) -> Shared:
    """A range of elements, each computed alone in about so many nanoseconds."""
    return rows(total, nanoseconds, GRAIN)


def rows(total: Size, nanoseconds: float, grain: int = 1) -> Shared:
    """A range of rows, each computed alone in about so many nanoseconds."""
    if not isinstance(total, int) or total <= grain or total * nanoseconds < WORTH:
        return Shared(total, grain, None)
    return Shared(total, grain, -(-total // grain))


def together(outer: Size, n: Size, inner: Size) -> bool:
    """Whether threads should reduce [outer, n, inner] over n by runs of its rows."""
    if not (outer == 1 and isinstance(n, int) and isinstance(inner, int)):
        return False
    return n >= RUNS and inner > 1 and n * inner >= TOGETHER


def nests(*given: Nest) -> Lowered:
    """Nests that write apart from each other, and read nothing that another index writes."""
    whole = []
    for nest in given:
        extents, (write, *reads) = collapse(nest)
        whole.append(Nest(tuple(extents), write, tuple(reads), nest.body, _longest(extents)))
    units = _units(whole)
    if units < 2 or sum(map(_nanoseconds, whole)) < WORTH:
        return Lowered(tuple(whole))
    if len(whole) == 1 and units < static_size(whole[0].extents[whole[0].axis]):
        whole[0] = replace(whole[0], grain=GRAIN)
    return Lowered(tuple(whole), parallel=units)


def _longest(extents: list[Size]) -> int:
    """The axis to share: the outermost long one, or else the longest."""
    sizes = [e if isinstance(e, int) else 0 for e in extents]
    long = [d for d, e in enumerate(sizes[:-1]) if e >= LONG]
    return long[0] if long else max(range(len(sizes)), key=lambda d: sizes[d], default=0)


def _units(given: list[Nest]) -> int:
    """Units that share each of the nests well; 0 where their sizes are open."""
    if not all(n.extents and isinstance(n.extents[n.axis], int) for n in given):
        return 0
    extents = [static_size(n.extents[n.axis]) for n in given]
    if len(given) > 1:
        return min(UNITS, max(extents))
    (nest,), (extent,) = given, extents
    innermost = nest.axis == len(nest.extents) - 1
    return -(-extent // GRAIN) if innermost else extent


def _nanoseconds(nest: Nest) -> float:
    """About how long a nest takes."""
    total = size_product(nest.extents)
    operations = 0 if nest.body is None else len(nest.body.nodes)
    strided = any(a.strides and a.strides[-1] not in (0, 1) for a in (nest.write, *nest.reads))
    return total * (0.15 + 0.1 * operations + 0.5 * strided) if isinstance(total, int) else 0.0


def balanced_gemm(tile: Tile, m: int, n: int, k: int, target: Target, size: int) -> Tile:
    """The tile of C[m, n] = A[m, k] B[k, n] with a block of rows that threads share evenly.

    size: bytes of an element of B. Where the rows cost more to pass from thread to thread than the
    weights to read twice, each thread has as many of them as the others, from the same place on in
    every layer, so that what it made it reads again; but not where that would cut tiles.
    """
    whole_tiles = m >= target.threads * tile.rows
    if target.threads > 1 and whole_tiles and k * n < PULLED * m * (k + n):
        blocks = target.threads * -(-m // (target.threads * tile.block))
        return replace(tile, block=-(-m // blocks))
    tiles, whole = -(-m // tile.rows), tile.block // tile.rows
    panels = panel_vectors(n, tile, target)
    block = balanced(whole, tiles, panels, target.threads, by_rows=False, weight_bytes=k * n * size)
    return replace(tile, block=block * tile.rows)


def panel_vectors(n: int, tile: Tile, target: Target) -> list[int]:
    """The vectors of each panel of n channels."""
    vectors = -(-n // target.lanes)
    return [min(tile.vectors, vectors - v) for v in range(0, vectors, tile.vectors)]


def balanced(
    most: int,
    rows: int,
    panels: Sequence[int],
    threads: int,
    *,
    by_rows: bool,
    images: int = 1,
    weight_bytes: int = 0,
) -> int:
    """How many of the rows of an image a block has, at most `most`, that threads share evenly.

    A unit is a block of rows for one panel, as much work as it has rows times the panel's number;
    units go by panel within a block. by_rows: the rows cost more to pass from thread to thread than
    the panels to read twice, so each thread should have rows of its own. weight_bytes: of all
    panels; more than a cache holds are read anew for each block, so blocks stay large.
    """
    if weight_bytes > CACHED and not by_rows and len(panels) >= 2 * threads:
        return most
    if threads == 1:
        return most
    start = -(-rows // threads) if by_rows else rows
    uneven: dict[int, float] = {}
    for size in whole_blocks(min(most, start), rows):
        uneven[size] = _uneven(size, rows, panels, threads, images)
        if uneven[size] <= UNEVEN:
            return size
    return min(uneven, key=lambda size: uneven[size])


def whole_blocks(most: int, rows: int) -> Iterator[int]:
    """Sizes of at most `most`, the largest first, than which none smaller makes as few blocks."""
    size = most
    while size > 0:
        size = -(-rows // -(-rows // size))
        yield size
        size -= 1


def _uneven(block: int, rows: int, panels: Sequence[int], threads: int, images: int) -> float:
    """The longest share over an even one; 1 for so many units that no single one counts."""
    if images * -(-rows // block) * len(panels) > COUNTED:
        return 1.0
    sizes = [min(block, rows - at) for at in range(0, rows, block)] * images
    done = [0, *accumulate(size * panel for size in sizes for panel in panels)]
    ends = [done[at] for at in share_bounds(len(done) - 1, threads)]
    return max(b - a for a, b in pairwise(ends)) * threads / done[-1]
