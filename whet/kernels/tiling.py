"""Tile choice for the f32 kernels: what fits the registers, and which of it is likely the fastest.

A k step of an MR x NV tile is MR * NV fused multiply-adds and MR + NV loads. A core that starts as
many of the ones as of the others a cycle is busy when MR * NV >= MR + NV and latency is covered, so
the choice is mostly about waste: rows and lanes computed but not wanted, weights streamed again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from whet.emit.headers import header_number
from whet.emit.share import share_bounds
from whet.targets.target import Target

__all__ = [
    "ACCUMULATORS",
    "VECTORS",
    "Tile",
    "tile_choices_f32",
    "tile_f32",
    "tile_winograd_f32",
    "tiles_attention_f32",
    "tiles_f32",
    "winograd_outputs",
    "winograd_scratch",
    "with_blocks",
]

# What the headers have room for in a tile.
ACCUMULATORS = header_number("tile.h", "TILE_ACCUMULATORS")
VECTORS = header_number("tile.h", "TILE_VECTORS")
# Bytes of weights from which on threads that share a matrix product share its columns.
STREAMED = 1 << 20


@dataclass(frozen=True, slots=True)
class Tile:
    """MR rows (pixels) x NV vectors (channels) of accumulators; row blocks of MC rows."""

    rows: int
    vectors: int
    block: int


def tiles_f32(registers: int) -> list[tuple[int, int]]:
    """All (MR, NV) that keep accumulators, one row of weights and a broadcast in registers.

    One register is left over: with none, clang spills.
    """
    return [
        (mr, nv)
        for nv in range(1, VECTORS + 1)
        for mr in range(1, ACCUMULATORS // nv + 1)
        if mr * nv + nv + 1 < registers
    ]


def _crowded(rows: int, stride: int, l1: int) -> float:
    """How much slower a tile gets that walks along `rows` rows, `stride` floats apart, for lines of
    its own that it evicts: too many of them fall into one of the 64 sets of the first cache."""
    sets = [i * stride * 4 // 64 % 64 for i in range(rows)]
    ways = l1 // 4096
    return 1 + 0.05 * max(0, max(sets.count(s) for s in sets) - ways + 1)


def _cost(m: int, n: int, k: int, stride: int, target: Target, mr: int, nv: int) -> float:
    """Multiply-add slots for a k step of the whole shape: waste included, and loads a little.

    Weights that the first cache does not hold come from the second one for each tile, some 24 bytes
    a slot, most of it while the tile is being computed.
    """
    lanes = target.lanes
    vectors, tiles = -(-n // lanes), -(-m // mr)
    rows = m / tiles
    far = k * min(nv, vectors) * lanes * 4 > target.l1 // 2

    def panel(width: float) -> float:
        loads = (rows + width) * min(width, 1.0)
        fetched = (lanes * width + rows) * 4 / 24 if far else 0.0
        return max(rows * width, loads, 8.0 * min(width, 1.0)) + 0.15 * loads + 0.25 * fetched

    whole, rest = (vectors - 1) // nv, (vectors - 1) % nv + 1.0
    if target.halves and 0 < n % lanes <= lanes // 2:  # mixing both widths costs some
        rest -= 0.5 if rest == 1 else 0.3
    slots = tiles * (whole * panel(nv) + panel(rest))
    return slots * _crowded(-(-m // tiles), stride, target.l1)


def tile_f32(
    m: int, n: int, k: int, target: Target, *, stride: int = 0, rows: int = 0, row: int = 0
) -> Tile:
    """The default tile for C[m, n] = A[m, k] B[k, n].

    `stride` is floats from one row of A to the next (k if 0). For a convolution m is OW (tiles stay
    within an output row), k is KH * KW * C, `rows` is OH, `row` the floats of input that one output
    row adds, and the block counts output rows.
    """
    return tile_choices_f32(m, n, k, target, stride=stride, rows=rows, row=row)[0]


def _blocked(m: int, n: int, k: int, target: Target, mr: int, nv: int) -> Tile:
    """A tile of at most mr rows, and as many rows in a block as the second cache has room for."""
    tiles = -(-m // mr)
    panels = 2 * k * nv * target.lanes  # the one in use and the next, on its way
    room = (target.l2 * 3 // 16 - panels) // (k + nv * target.lanes) // mr
    mr = -(-m // tiles)
    return Tile(mr, nv, _even(tiles, max(room, 8)) * mr)


def _even(items: int, most: int) -> int:
    """The size of blocks of at most so many items, all about as large."""
    return -(-items // -(-items // max(most, 1)))


def tile_choices_f32(
    m: int, n: int, k: int, target: Target, *, stride: int = 0, rows: int = 0, row: int = 0
) -> list[Tile]:
    """Tiles for the shape of `tile_f32`, the likely fastest first."""
    stride = stride or k
    m, n = max(m, 1), max(n, 1)
    block = _even(rows, target.l2 // 8 // max(row, 1)) if rows else 0
    pixels = m * (rows or 1)

    def tile(mr: int, nv: int) -> Tile:
        if not rows:
            return _blocked(m, n, k, target, mr, nv)
        return Tile(-(-m // -(-m // mr)), nv, block)

    def cost(shape: tuple[int, int]) -> tuple[float, int]:
        apart = 4 * k * n > STREAMED and k * n > pixels * n + (rows * row or m * k)
        blocks = -(-rows // block) if rows else -(-m // tile(*shape).block)
        uneven = uneven_panels(n, shape[1], target) if apart and blocks == 1 else 1.0
        return uneven * _cost(m, n, k, stride, target, *shape), sum(shape)

    return [tile(*shape) for shape in sorted(tiles_f32(target.registers), key=cost)]


def uneven_panels(n: int, nv: int, target: Target) -> float:
    """The longest of the threads' shares of all panels of n columns over an even one."""
    vectors = -(-n // target.lanes)
    ends = [min(at * nv, vectors) for at in share_bounds(-(-vectors // nv), target.threads)]
    return max(b - a for a, b in pairwise(ends)) * target.threads / vectors


def with_blocks(ranked: Iterable[Tile], rows: int, *, of_tiles: bool) -> list[Tile]:
    """Ranked tiles, and after them the same with smaller and larger blocks, of `rows` at most.

    of_tiles: whether a block is made of whole tiles, as that of a GEMM.
    """
    found: dict[Tile, int] = {}
    for rank, t in enumerate(ranked):
        unit = t.rows if of_tiles else 1
        for later, times in enumerate((1, 0.5, 2, 0.25)):
            block = min(max(1, round(t.block * times / unit)), -(-rows // unit)) * unit
            found.setdefault(Tile(t.rows, t.vectors, block), rank + 4 * later)
    return sorted(found, key=lambda t: found[t])


def tiles_attention_f32(rows: int, registers: int) -> list[tuple[int, int]]:
    """(MR, NV) of attention_f32 for heads of `rows` rows, the likely fastest first.

    That has two vectors, for the keys and the values of a head are few, and as many rows as the
    registers hold, evenly.
    """
    fit = tiles_f32(registers)

    def tile(vectors: int) -> tuple[int, int]:
        most = max(mr for mr, nv in fit if nv == vectors)
        mr = -(-rows // -(-rows // most))
        return mr, max(nv for r, nv in fit if r == mr and nv >= vectors)

    return list(dict.fromkeys(tile(vectors) for vectors in (2, 3, 4, 1)))


def tile_winograd_f32(m: int, oh: int, ow: int, c: int, n: int, target: Target) -> Tile:
    """The default tile of winograd_f32 with m x m outputs; the block counts rows of tiles.

    As many rows as keep both scratch tensors within the second cache, for every block streams the
    weights again; where these stay in that cache as well, within a part of it.
    """
    across, down = -(-ow // m), -(-oh // m)
    heavy = 4 * (m + 2) ** 2 * c * n > target.l2 // 2
    room = target.l2 * (7 if heavy else 3) // 8 // (4 * winograd_scratch(m, ow, c, n, 1))
    block = -(-down // -(-down // max(1, room)))
    best = tile_f32(block * across, n, c, target)
    return Tile(best.rows, best.vectors, block)


def winograd_scratch(m: int, ow: int, c: int, n: int, block: int) -> int:
    """Floats of scratch that one call of winograd_f32 needs."""
    return (m + 2) ** 2 * block * -(-ow // m) * (c + n)


def winograd_outputs(oh: int, ow: int, c: int, n: int, target: Target) -> int:
    """The side m of winograd_f32's output tiles that is likely fastest for a 3 x 3 convolution of
    stride 1: 2, 4, or 0 where conv_f32 is. Weights grow by 16 / 9 and 4; m = 4 must earn that."""

    lanes = target.lanes
    inputs, outputs = -(-c // lanes), -(-n // lanes)

    def cost(m: int) -> float:
        down, positions = -(-oh // m), (m + 2) ** 2 if m > 1 else 9
        transforms = 8 * (inputs + outputs) if m > 1 else 0
        block = tile_winograd_f32(m, oh, ow, c, n, target).block if m > 1 else down
        products = down * -(-ow // m) * positions * (c * outputs + transforms)
        # Bytes of weights, once for each block, 5 a slot from the second cache and 2 from beyond:
        # two thirds of it hidden by products.
        nbytes = positions * c * outputs * lanes * 4
        streamed = -(-down // block) * nbytes / (5 if nbytes < target.l2 else 2)
        return max(products + streamed / 3, streamed)

    two, four = cost(2), cost(4)
    best = 4 if four < 0.8 * two else 2
    return best if min(two, four) < 0.75 * cost(1) else 0
