"""Tile choice for the f32 kernels: what fits the registers, and which of it is likely the fastest.

A k step of an MR x NV tile is MR * NV fused multiply-adds and MR + NV loads. A core that starts as
many of the ones as of the others a cycle is busy when MR * NV >= MR + NV and latency is covered, so
the choice is mostly about waste: rows and lanes computed but not wanted, weights streamed again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = [
    "Tile",
    "tile_attention_f32",
    "tile_choices_f32",
    "tile_depthwise_f32",
    "tile_f32",
    "tile_winograd_f32",
    "tiles_f32",
    "winograd_outputs",
    "winograd_scratch",
    "with_blocks",
]


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
        for nv in range(1, 9)
        for mr in range(1, 33)
        if mr * nv <= 32 and mr * nv + nv + 1 < registers
    ]


def _crowded(rows: int, stride: int) -> bool:
    """Whether a tile that walks along `rows` rows, `stride` floats apart, evicts its own lines:
    too many of them fall into one set of an 8-way 32 KB cache."""
    sets = [i * stride * 4 // 64 % 64 for i in range(rows)]
    return max(sets.count(s) for s in sets) > 7


def _cost(m: int, n: int, lanes: int, stride: int, mr: int, nv: int) -> float:
    """Multiply-add slots for a k step of the whole shape: waste included, and loads a little."""
    vectors, tiles = -(-n // lanes), -(-m // mr)
    rows = m / tiles

    def panel(width: float) -> float:
        loads = (rows + width) * min(width, 1.0)
        return max(rows * width, loads, 8.0 * min(width, 1.0)) + 0.15 * loads

    whole, rest = (vectors - 1) // nv, (vectors - 1) % nv + 1.0
    if lanes == 16 and 0 < n % lanes <= 8:  # vfma_low of AVX-512; mixing both widths costs some
        rest -= 0.5 if rest == 1 else 0.3
    slots = tiles * (whole * panel(nv) + panel(rest))
    wide = 1.03 if nv > 4 else 1.0  # a row of weights outruns the prefetcher
    return slots * wide * (1.4 if _crowded(-(-m // tiles), stride) else 1.0)


def tile_f32(
    m: int,
    n: int,
    k: int,
    lanes: int,
    registers: int,
    *,
    stride: int = 0,
    rows: int = 0,
    l2: int = 1 << 20,
) -> Tile:
    """The default tile for C[m, n] = A[m, k] B[k, n] on vectors of `lanes` floats.

    `stride` is floats from one row of A to the next (k if 0), `l2` the cache in bytes. For a
    convolution m is OW (tiles stay within an output row), k is KH * KW * C, `rows` is OH and the
    block counts output rows.
    """
    return tile_choices_f32(m, n, k, lanes, registers, stride=stride, rows=rows, l2=l2)[0]


def _blocked(m: int, n: int, k: int, lanes: int, rows: int, l2: int, mr: int, nv: int) -> Tile:
    """A tile of at most mr rows, and as many rows in a block as the cache has room for."""
    mr = -(-m // -(-m // mr))
    if rows:
        return Tile(mr, nv, rows)
    panels = 2 * 4 * k * nv * lanes  # the one in use and the next, on its way
    room = max(8, (l2 * 3 // 4 - panels) // (4 * (k + nv * lanes)) // mr)
    tiles = -(-m // mr)
    return Tile(mr, nv, -(-tiles // _blocks(tiles, room, -(-n // (nv * lanes)))) * mr)


def _blocks(tiles: int, room: int, panels: int) -> int:
    """How many row blocks: none of more than `room` tiles, and where units of work are few, an even
    number of them."""
    blocks = -(-tiles // room)
    return blocks + (tiles > 4 and blocks * panels < 16 and blocks * panels % 2)


def tile_choices_f32(
    m: int,
    n: int,
    k: int,
    lanes: int,
    registers: int,
    *,
    stride: int = 0,
    rows: int = 0,
    l2: int = 1 << 20,
) -> list[Tile]:
    """Tiles for the shape of `tile_f32`, the likely fastest first."""
    stride = stride or k
    m, n = max(m, 1), max(n, 1)
    ranked = sorted(
        tiles_f32(registers), key=lambda t: (_cost(m, n, lanes, stride, *t), t[0] + t[1])
    )
    return [_blocked(m, n, k, lanes, rows, l2, *t) for t in ranked]


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


def tile_attention_f32(rows: int, registers: int) -> tuple[int, int]:
    """The default (MR, NV) of attention_f32 for heads of `rows` rows: two vectors, for the keys
    and the values of a head are few, and as many rows as the registers hold, evenly."""
    most = max(mr for mr, nv in tiles_f32(registers) if nv == 2)
    mr = -(-rows // -(-rows // most))
    return mr, max(nv for r, nv in tiles_f32(registers) if r == mr and nv >= 2)


def tile_depthwise_f32(width: int) -> int:
    """The default number of pixels of an output row of `width` that depthwise_f32 computes at once:
    at most 8, a row split evenly."""
    return -(-width // -(-width // 8))


def tile_winograd_f32(
    m: int, oh: int, ow: int, c: int, n: int, lanes: int, registers: int, *, l2: int = 1 << 20
) -> Tile:
    """The default tile of winograd_f32 with m x m outputs; the block counts rows of tiles.

    As many rows as keep both scratch tensors within half of the cache of l2 bytes.
    """
    across, down = -(-ow // m), -(-oh // m)
    block = min(down, max(1, l2 // 2 // (4 * winograd_scratch(m, ow, c, n, 1))))
    best = tile_f32(block * across, n, c, lanes, registers)
    return Tile(best.rows, best.vectors, block)


def winograd_scratch(m: int, ow: int, c: int, n: int, block: int) -> int:
    """Floats of scratch that one call of winograd_f32 needs."""
    return (m + 2) ** 2 * block * -(-ow // m) * (c + n)


def winograd_outputs(oh: int, ow: int, c: int, n: int, lanes: int) -> int:
    """The side m of winograd_f32's output tiles that is likely fastest for a 3 x 3 convolution of
    stride 1: 2, 4, or 0 where conv_f32 is. Weights grow by 16 / 9 and 4; m = 4 must earn that."""

    inputs, outputs = -(-c // lanes), -(-n // lanes)

    def cost(m: int) -> float:
        tiles, positions = -(-oh // m) * -(-ow // m), (m + 2) ** 2 if m > 1 else 9
        transforms = 8 * (inputs + outputs) if m > 1 else 0
        streamed = positions * c * outputs * lanes * 4 / 8  # bytes of weights, 8 a cycle
        return tiles * positions * (c * outputs + transforms) + streamed

    two, four = cost(2), cost(4)
    best = 4 if four < 0.8 * two else 2
    return best if min(two, four) < 0.7 * cost(1) else 0
