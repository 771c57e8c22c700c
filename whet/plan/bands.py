"""Offsets for buffers that threads share: around one centre, where that costs little memory.

        ┌─────┐ ┌─┐ ┌─────────┐
      ──│  a  │─│c│─│    e    │──
        └─────┘ └─┘ └─────────┘
        ┌─────────┐ ┌───┐
      ──│    b    │─│ d │──
        └─────────┘ └───┘

Of two threads one does the upper half of a result and one the lower half, in every step. Where
results that follow each other have one centre, each comes back to memory that it wrote before, and
pulls no lines from the other's cache in order to write them.
"""

from __future__ import annotations

from whet.plan.bound import grain, round_up
from whet.plan.lifetime import Buffer, Placement
from whet.plan.pack import Packing

__all__ = ["in_bands"]

GROWTH = 1 / 6
"""The share of the arena that it may grow by."""


def in_bands(packing: Packing) -> Packing:
    """The same buffers in bands, those of a band around its centre and none of them at once; as
    they were where the arena would grow by more than `GROWTH`."""
    buffers = [placed.buffer for placed in packing.placements]
    bands: list[list[Buffer]] = []
    for buffer in sorted(buffers, key=lambda each: -each.size):
        free = (band for band in bands if not any(_meet(buffer, other) for other in band))
        band = next(free, None)
        if band is None:
            bands.append([buffer])
        else:
            band.append(buffer)
    unit, arena, places = grain(buffers), 0, dict[str, int]()
    for band in bands:
        alignment = max(buffer.alignment for buffer in band)
        base, height = round_up(arena, alignment), round_up(band[0].size, unit)
        for buffer in band:
            low = base + (height - round_up(buffer.size, unit)) // 2
            places[buffer.name] = low // buffer.alignment * buffer.alignment
        arena = base + height
    if arena > packing.arena_bytes * (1 + GROWTH):
        return packing
    placements = tuple(Placement(buffer, places[buffer.name]) for buffer in buffers)
    proved = packing.arena_bytes if packing.optimal else packing.lower_bound
    return Packing(placements, arena, packing.lower_bound, arena == proved)


def _meet(a: Buffer, b: Buffer) -> bool:
    return a.start < b.end and b.start < a.end
