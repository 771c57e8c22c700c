"""Tiles for the bf16 kernels: what fits the registers, the likely fastest first.

A step of two k takes 2 * MR * NV multiply-adds and widens NV pairs of weights, or takes MR * NV
dots of pairs and widens nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from whet.kernels.tiling import Tile, tiles_f32

__all__ = ["ConvTile", "DepthwiseTile", "laid_stride", "tiles_conv_bf16", "tiles_depthwise_bf16",
           "tiles_gemm_bf16"]  # fmt: skip

LAID_BYTES = 24 << 10
LAID_BYTES_LARGE = 192 << 10
LARGE_WEIGHTS = 512 << 10
LAID_DEPTHWISE_BYTES = 24 << 10
LINE = 16


@dataclass(frozen=True, slots=True)
class ConvTile:
    """TH rows of TW output pixels x NV vectors; blocks of RB output rows; PIXEL laid elements."""

    high: int
    wide: int
    vectors: int
    rows: int
    pixel: int


@dataclass(frozen=True, slots=True)
class DepthwiseTile:
    """TW output pixels; blocks of RB output rows and of CB channels."""

    wide: int
    rows: int
    channels: int


def laid_stride(k: int) -> int:
    """Elements from one laid row of K to the next: an odd number of lines, so that rows spread over
    the sets of a cache."""
    return (-(-k // LINE) | 1) * LINE


def _cost(pixels: int, tiles: int, vectors: int, nv: int, widening: float) -> float:
    """Slots of multiply-adds for one k of `pixels` rows and `vectors` vectors of columns."""
    mean = pixels / tiles

    def panel(width: int) -> float:
        busy = max(mean * width + widening * width, mean + width, 9.0)
        return tiles * (busy + 0.15 * (mean + width))

    whole, rest = divmod(vectors, nv)
    return whole * panel(nv) + (panel(rest) if rest else 0.0)


def tiles_gemm_bf16(m: int, n: int, k: int, lanes: int, registers: int, dot: bool) -> list[Tile]:
    """Tiles of gemm_bf16; the block counts rows that are laid together."""
    m, vectors = max(m, 1), -(-max(n, 1) // lanes)

    def tile(rows: int, nv: int) -> Tile:
        rows = -(-m // -(-m // rows))
        room = max(1, _laid_bytes(2 * k * n) // (4 * laid_stride(k)) // rows)
        return Tile(rows, nv, min(room, -(-m // rows)) * rows)

    def cost(tile: tuple[int, int]) -> tuple[float, int]:
        whole = -(-m // tile[0])
        return _cost(m, whole, vectors, tile[1], 0.0 if dot else 1.0), sum(tile)

    return list(dict.fromkeys(tile(*t) for t in sorted(tiles_f32(registers), key=cost)))


def _laid_bytes(weights: int) -> int:
    """How much to lay at once: what the nearest cache holds, more where that many bytes of weights
    are read again for it from one far away."""
    return LAID_BYTES if weights <= LARGE_WEIGHTS else LAID_BYTES_LARGE


def tiles_conv_bf16(
    oh: int, ow: int, n: int, taps: int, c: int, stride: int, lanes: int, registers: int, dot: bool
) -> list[ConvTile]:
    """Tiles of conv_bf16 for a window of `taps` rows."""
    vectors = -(-n // lanes)

    def shape(rows: int) -> tuple[int, int]:
        """TH, TW of at most that many pixels."""
        return (1, -(-ow // -(-ow // rows))) if rows < 2 * ow else (min(oh, rows // ow), ow)

    def cost(tile: tuple[int, int]) -> tuple[float, int]:
        th, tw = shape(tile[0])
        tiles = (oh // th + oh % th) * -(-ow // tw)
        return _cost(oh * ow, tiles, vectors, tile[1], 0.0 if dot else 1.0), sum(tile)

    pixel = c + LINE if stride * c % 256 == 0 else c
    row = 4 * pixel * ((ow - 1) * stride + taps)

    def tile(rows: int, nv: int) -> ConvTile:
        th, tw = shape(rows)
        held = max(th, (LAID_BYTES_LARGE // row - taps) // stride + 1)
        return ConvTile(th, tw, nv, min(oh, held // th * th), pixel)

    return list(dict.fromkeys(tile(*t) for t in sorted(tiles_f32(registers), key=cost)))


def tiles_depthwise_bf16(
    oh: int, ow: int, c: int, taps: int, stride: int, lanes: int, registers: int
) -> list[DepthwiseTile]:
    """Tiles of depthwise_bf16: laid rows that a first-level cache holds."""
    most = 8 if registers >= 32 else 4
    row = 4 * ((ow - 1) * stride + taps)
    room = max(1, min(-(-c // lanes), LAID_DEPTHWISE_BYTES // row // (taps + stride) // lanes))

    def tile(wide: int, channels: int) -> DepthwiseTile:
        held = LAID_DEPTHWISE_BYTES // (row * channels * lanes)
        rows = max(1, min(oh, (held - taps) // stride + 1))
        return DepthwiseTile(min(ow, wide), rows, channels * lanes)

    widths, depths = (most, most - 1, most // 2), dict.fromkeys((room, -(-room // 2), 1))
    return list(dict.fromkeys(tile(w, d) for d in depths for w in widths))
