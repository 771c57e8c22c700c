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


def _cost(m: int, n: int, k: int, lanes: int, mr: int, nv: int) -> float:
    """Multiply-add slots of the shape with a tile, waste and overheads included."""
    vectors = -(-n // lanes)
    tiles = -(-m // mr)
    rows = m / tiles
    total = 0.0
    for width, count in ((nv, vectors // nv), (vectors % nv, 1)):
        if not (width and count):
            continue
        issue = max(rows * width, rows + width, 9.0)
        total += count * tiles * (k * issue + 2.0 * rows * width + 12.0)
        total += count * k * width * lanes * 4 / 16.0  # first touch of the panel
    return total


def tile_f32(m: int, n: int, k: int, lanes: int, registers: int, *, l2: int = 1 << 20) -> Tile:
    """The default tile for C[m, n] = A[m, k] B[k, n] on vectors of `lanes` floats; l2 in bytes.

    For a convolution m is OW (tiles stay within an output row), k is KH * KW * C.
    """
    mr, nv = min(tiles_f32(registers), key=lambda t: (_cost(m, n, k, lanes, *t), -t[0] * t[1]))
    mr = -(-m // -(-m // mr))
    room = max(1, (l2 // 2 - 4 * k * nv * lanes) // (4 * (k + nv * lanes)) // mr)
    block = min(-(-m // mr), max(room, 8)) * mr
    return Tile(mr, nv, block)
