"""Smaller arenas by many short searches: targets between bound and best, orders, a little noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from whet.plan.search import Columns, Search

__all__ = ["Improved", "improve"]

Ints = NDArray[np.int64]

# Where between what is proved impossible (0) and the best so far (1) a search aims. Aiming at the
# bound prunes most; aiming near the best succeeds most.
_AIMS = (0.0, 0.5, 0.8)
_NOISE = (0.0, 0.03, 0.003, 0.1, 0.01)
_NODES_PER_BUFFER = 2
_LEAST_NODES = 2_000


@dataclass(frozen=True, slots=True)
class Improved:
    """offsets: the best found, in bytes. lower_bound: bytes below which nothing fits, proved."""

    offsets: list[int]
    arena_bytes: int
    lower_bound: int


def improve(columns: Columns, offsets: Sequence[int], effort: int) -> Improved:
    """Search for offsets with a smaller top than the given ones, spending at most `effort` nodes.

    offsets: bytes, in the order of the columns. The result depends on the arguments alone.
    """
    best = np.array(offsets)
    top = int((best // columns.unit + columns.size).max())
    lower = int(np.add.reduceat(columns.size[columns.cover], columns.at[:-1]).max())
    orders = _orders(columns)
    weights = {key: np.zeros(len(columns.at) - 1, np.int64) for key in range(2 * len(orders))}
    random = Random(0)
    run = 0
    while effort > 0 and top > lower:
        turn, key = divmod(run, len(weights))
        target = min(top - 1, int(lower + _AIMS[run % len(_AIMS)] * (top - lower)))
        rank = _shaken(orders[key // 2], _NOISE[turn % len(_NOISE)], random)
        limit = max(_NODES_PER_BUFFER * len(best) * (1 + turn // 8), _LEAST_NODES)
        search = Search(columns, target, rank, weights[key], heaviest=bool(key % 2))
        outcome = search.run(min(limit, effort))
        effort -= max(outcome.nodes, 1)
        run += 1
        if outcome.offsets is not None:
            best = outcome.offsets * columns.unit
            top = int((outcome.offsets + columns.size).max())
        elif outcome.proved:
            lower = target + 1
    return Improved(best.tolist(), top * columns.unit, lower * columns.unit)


def _orders(columns: Columns) -> list[Ints]:
    """Ranks of the buffers by lifetime, crowding, size and area, largest first."""
    size, steps, sections = columns.size, columns.steps, columns.last - columns.first
    live = np.add.reduceat(size[columns.cover], columns.at[:-1])
    crowd = np.array(
        [live[low:high].max() for low, high in zip(columns.first, columns.last, strict=True)]
    )
    met = columns.meets.sum(1)
    keys = [
        (steps, size),
        (crowd, steps, size * steps),
        (met, size),
        (sections, size),
        (crowd, size * steps, steps),
        (crowd, sections, size * steps),
        (size * steps, steps),
        (size, steps),
        (size * sections, steps),
    ]
    return [np.lexsort(key[::-1])[::-1].argsort() for key in keys]


def _shaken(rank: Ints, noise: float, random: Random) -> Ints:
    """The ranks after every one moved by a normal share of all places, or unchanged."""
    if not noise:
        return rank
    spread = noise * len(rank)
    return np.argsort([r + random.gauss(0, spread) for r in rank.tolist()], kind="stable").argsort()
