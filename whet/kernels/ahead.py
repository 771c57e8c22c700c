"""Weights of later steps, fetched by the tiles of an int8 matrix product on the way.

A turn is a quad of K of one tile: MR * NV dot products of a vector, in which a part of a line is
asked for, so that few lines are under way at once.
"""

from __future__ import annotations

from whet.emit.lowered import Ahead
from whet.kernels.tiling import Tile
from whet.targets.target import Target

AHEAD = (Ahead("ahead"), Ahead("pace"))
"""What such a kernel is told, in this order."""
# A product of fewer tiles to a panel reads its own weights about as fast as they come.
FEW = 2


def fetching_turns(tile: Tile, m: int, n: int, quads: int, target: Target) -> int:
    """The turns of a product of m rows and n columns, of `quads` a tile; 0 where none fetches:
    machines that are emulated here fetch nothing."""
    if target.emulator is not None or m <= FEW * tile.rows:
        return 0
    whole, rest = divmod(m, tile.block)
    tiles = whole * -(-tile.block // tile.rows) + -(-rest // tile.rows)
    return tiles * -(-n // (tile.vectors * target.lanes)) * quads
