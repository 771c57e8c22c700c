"""Tile choice for the f32 kernels: what fits the registers, and which of it is likely the fastest.

A k step of an MR x NV tile is MR * NV fused multiply-adds and MR + NV loads. A core that starts as
many of the ones as of the others a cycle is busy when MR * NV >= MR + NV and latency is covered, so
the choice is mostly about waste: rows and lanes computed but not wanted, weights streamed again.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Tile", "tile_f32", "tiles_f32"]


@dataclass(frozen=True, slots=True)
class Tile:
    """MR rows (pixels) x NV vectors (channels) of accumulators; row blocks of MC rows."""

    rows: int
    vectors: int
    block: int


def tiles_f32(registers: int) -> list[tuple[int, int]]:
    """All (MR, NV) that keep accumulators, one row of weights and one broadcast in registers."""
    return [
        (mr, nv)
        for nv in range(1, 9)
        for mr in range(1, 33)
        if mr * nv <= 32 and mr * nv + nv + (registers <= 16 or nv > 1) <= registers
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
    slots = sum(
        count * tiles * (max(rows * width, rows + width, 8.0) + 0.15 * (rows + width))
        for width, count in ((nv, vectors // nv), (vectors % nv, 1))
        if width and count
    )
    return slots * (1.4 if _crowded(-(-m // tiles), stride) else 1.0)


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
    stride = stride or k
    mr, nv = min(
        tiles_f32(registers),
        key=lambda t: (_cost(m, n, lanes, stride, *t), t[0] + t[1]),
    )
    mr = -(-m // -(-m // mr))
    if rows:
        return Tile(mr, nv, rows)
    room = max(1, (l2 // 2 - 4 * k * nv * lanes) // (4 * (k + nv * lanes)) // mr)
    return Tile(mr, nv, min(-(-m // mr), max(room, 8)) * mr)


def tile_depthwise_f32(width: int, registers: int) -> int:
    """The default number of pixels of an output row of `width` that depthwise_f32 computes at once:
    accumulators take half of the registers at most, and a row is split evenly."""
    tiles = -(-width // (registers // 4))
    return -(-width // tiles)
