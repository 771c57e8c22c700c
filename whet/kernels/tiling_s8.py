"""Tile choice for the int8 kernels: what fits the registers, and which of it is likely the fastest.

A quad of K in an MR x NV tile is MR * NV dot products, MR broadcasts and NV loads, so the choice is
mostly about waste: rows and lanes computed but not wanted, weights streamed again.
"""

from __future__ import annotations

import math

from whet.emit.headers import header_number
from whet.kernels.tiling import Tile, tiles_f32

__all__ = [
    "depthwise_choices_s8",
    "depthwise_tiles_s8",
    "tile_choices_s8",
    "tile_s8",
]

Pair = tuple[int, int]

COPIED_BYTES = 24 << 10
BLOCK_BYTES = 512 << 10  # of a panel and the rows that are used with it again and again
# Input rows that a strip of depthwise_s8 has room for.
DEPTHWISE_ROWS = header_number("depthwise_s8.h", "DEPTHWISE_MAX_ROWS")
COLUMN_ROWS = header_number("depthwise_s8.h", "DEPTHWISE_COLUMN_ROWS")
WIDE_TAPS = header_number("depthwise_s8.h", "WIDE_TAPS")
# Channels that depthwise_s8 does in its wide form sooner than in the other: beside others, alone.
NARROWEST, ALONE = 16, 8


def _cost(m: int, n: int, k: int, lanes: int, mr: int, nv: int) -> float:
    """Vector operations for the whole shape: quads of K, of which ten are under way at a time, then
    a multiply-add for each vector and what it takes to pack a row's bytes."""
    vectors, tiles = -(-n // lanes), -(-m // mr)
    rows, quads = m / tiles, -(-k // 4)
    return sum(
        count
        * tiles
        * (quads * (max(rows * width, 10.0) + 0.1 * (rows + width)) + rows * _stored(width))
        for width, count in ((nv, vectors // nv), (vectors % nv, 1))
        if width and count
    )


def _stored(width: int) -> float:
    return width + 5 * (width // 4) + (0, 2, 2, 5)[width % 4]


def tile_s8(m: int, n: int, k: int, lanes: int, registers: int, *, rows: int = 0) -> Tile:
    """The default tile for C[m, n] = A[m, k] B[k, n] on vectors of `lanes` 32-bit lanes.

    For a convolution m is OW (tiles stay within an output row), k is KH * KW * C, `rows` is OH and
    the block counts output rows.
    """
    return tile_choices_s8(m, n, k, lanes, registers, rows=rows)[0]


def tile_choices_s8(
    m: int, n: int, k: int, lanes: int, registers: int, *, rows: int = 0
) -> list[Tile]:
    """Tiles for the shape of `tile_s8`, the likely fastest first."""
    tiles = tiles_f32(registers)
    ranked = sorted(tiles, key=lambda t: (_cost(m, n, k, lanes, *t), t[0] + t[1]))
    return [_blocked(m, k, lanes, rows, *t) for t in ranked]


def _blocked(m: int, k: int, lanes: int, rows: int, mr: int, nv: int) -> Tile:
    """A tile of at most mr rows, and as many rows in a block as the cache has room for."""
    mr = -(-m // -(-m // mr))
    row_bytes = k + nv * lanes
    room = max(1, (BLOCK_BYTES - k * nv * lanes) // row_bytes)
    if rows:
        return Tile(mr, nv, min(rows, max(1, room // m)))
    return Tile(mr, nv, min(-(-m // mr), max(room // mr, 8)) * mr)


def copied_rows_s8(rows: int, k: int) -> int:
    """The most rows of a block that gemm_s8 copies: what stays near the core, and 64 at least.

    rows: of a tile.
    """
    return max(1, max(64, COPIED_BYTES // k) // rows) * rows


def _input_rows(kernel: Pair, stride: Pair, dilation_h: int, th: int) -> int:
    """Input rows of a strip of th output rows, as depthwise_rows_s8 counts them."""
    return (th - 1) * stride[0] + kernel[0] if dilation_h == 1 else kernel[0]


def _interleaved(kernel: Pair, stride: Pair, dilation_h: int, th: int, tw: int) -> tuple[int, int]:
    """Columns and quads of rows that a tile interleaves."""
    rows = _input_rows(kernel, stride, dilation_h, th)
    return (tw - 1) * stride[1] + kernel[1], -(-rows // 4)


def depthwise_tiles_s8(
    out: Pair, kernel: Pair, stride: Pair, dilation_h: int, registers: int
) -> list[Pair]:
    """All (TH, TW) of depthwise_s8 worth trying: the space of a tuner. Pairs are (height, width).

    A strip reads at most DEPTHWISE_ROWS input rows, or COLUMN_ROWS where a kernel has one column
    and too many rows for the wide form, so that a kernel of more has no tile. All but 4 registers
    hold accumulators, 16 at most; a tile of more than 20 quads is more than a compiler keeps in
    order, and of few registers one of more than 2 rows.
    """
    rows = 1 if dilation_h > 1 else 4 if registers > 16 else 2
    most = COLUMN_ROWS if kernel[1] == 1 and kernel[0] > WIDE_TAPS else DEPTHWISE_ROWS
    return [
        (th, tw)
        for th in range(1, min(out[0], rows) + 1)
        if _input_rows(kernel, stride, dilation_h, th) <= most
        for tw in range(1, min(out[1], min(registers - 4, 16) // th) + 1)
        if th * tw == 1 or math.prod(_interleaved(kernel, stride, dilation_h, th, tw)) <= 20
    ]


def wide_channels(channels: int, kernel: Pair, stride: Pair, dilation_w: int, lanes: int) -> int:
    """How many channels depthwise_s8 does in its wide form, which wants many registers."""
    fits = lanes == 16 and dilation_w == 1 and max(kernel) <= WIDE_TAPS and stride[1] <= 8
    rest = channels % (4 * lanes)
    return (channels if rest >= NARROWEST or channels == ALONE else channels - rest) if fits else 0


def depthwise_choices_s8(
    out: Pair, kernel: Pair, stride: Pair, dilation_h: int, registers: int, *, wide: bool = False
) -> list[Pair]:
    """All of depthwise_tiles_s8, the likely fastest first; wide: most channels are of that form."""

    def cost(tile: Pair) -> float:
        th, tw = tile
        tiles, strips = -(-out[1] // tw), -(-out[0] // th)
        width = out[1] / tiles
        columns, quads = _interleaved(kernel, stride, dilation_h, th, -(-out[1] // tiles))
        touched = sum(
            (r * stride[0] + kernel[0] - 1) // 4 - r * stride[0] // 4 + 1 for r in range(th)
        )
        if wide:
            new = min(stride[1], kernel[1])
            return strips * (3.0 * new * quads + touched * kernel[1] + 2.5 * th + 0.01 * tw)
        multiplies = touched * kernel[1] * width
        return strips * tiles * (2.5 * columns * quads + multiplies + 4 * th * width)

    return sorted(depthwise_tiles_s8(out, kernel, stride, dilation_h, registers), key=cost)
