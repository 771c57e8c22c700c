"""Tiles for conv_bf16: what fits the registers, the likely fastest first."""

from __future__ import annotations

from dataclasses import dataclass

from whet.emit.headers import header_number
from whet.kernels.scratch import whole_lines
from whet.kernels.tiling import Tile, tiles_f32

__all__ = ["ConvTile", "gemm_scratch", "laid_rows", "laid_stride", "tiles_conv_bf16"]

PANEL_BYTES = header_number("tile_bf16.h", "PANEL_BYTES")
LAID_BYTES = 192 << 10
LINE = 16


@dataclass(frozen=True, slots=True)
class ConvTile:
    """TH rows of TW output pixels x NV vectors; blocks of RB output rows; PIXEL laid elements."""

    high: int
    wide: int
    vectors: int
    rows: int
    pixel: int


def laid_stride(k: int) -> int:
    """Elements from one laid row of K to the next: an odd number of lines, so that rows spread over
    the sets of a cache."""
    return (-(-k // LINE) | 1) * LINE


def gemm_scratch(m: int, k: int, t: Tile, lanes: int) -> int:
    """Bytes of a block's laid rows, a laid part of a panel, and sums beside it."""
    rows, width = min(t.block, m), t.vectors * lanes
    return whole_lines(4 * (rows * laid_stride(k) + (laid_rows(k, width) + rows) * width))


def laid_rows(k: int, width: int) -> int:
    """How many of the k rows of a panel of `width` columns tile_bf16.h lays at once."""
    most = PANEL_BYTES // (4 * width)
    turns = 1 if 2 * k <= 3 * most else -(-k // most)
    return -(-k // (16 * turns)) * 16


def _cost(pixels: int, tiles: int, vectors: int, nv: int) -> float:
    """Slots of multiply-adds for one k of `pixels` rows and `vectors` vectors of columns."""
    mean = pixels / tiles

    def panel(width: int) -> float:
        busy = max(mean * width, mean + width, 9.0)
        return tiles * (busy + 0.15 * (mean + width))

    whole, rest = divmod(vectors, nv)
    return whole * panel(nv) + (panel(rest) if rest else 0.0)


def tiles_conv_bf16(
    oh: int, ow: int, n: int, taps: int, c: int, stride: int, lanes: int, registers: int
) -> list[ConvTile]:
    """Tiles of conv_bf16 for a window of `taps` rows."""
    vectors = -(-n // lanes)

    def shape(rows: int) -> tuple[int, int]:
        """TH, TW of at most that many pixels."""
        return (1, -(-ow // -(-ow // rows))) if rows < 2 * ow else (min(oh, rows // ow), ow)

    def cost(tile: tuple[int, int]) -> tuple[float, int]:
        th, tw = shape(tile[0])
        tiles = (oh // th + oh % th) * -(-ow // tw)
        return _cost(oh * ow, tiles, vectors, tile[1]), sum(tile)

    pixel = c + LINE if stride * c % 256 == 0 else c
    row = 4 * pixel * ((ow - 1) * stride + taps)

    def tile(rows: int, nv: int) -> ConvTile:
        th, tw = shape(rows)
        held = max(th, (LAID_BYTES // row - taps) // stride + 1)
        return ConvTile(th, tw, nv, min(oh, held // th * th), pixel)

    return list(dict.fromkeys(tile(*t) for t in sorted(tiles_f32(registers), key=cost)))
