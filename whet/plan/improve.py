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

# Nodes a buffer in one search: a packing is found in little more than one, or hardly at all.
_FIRST_NODES, _NODES = 1.25, 3
_LEAST_NODES = 250
_FLATNESS = 0.6
# How often a search aims at the bound itself. Where the best is still this far from the bound after
# two thirds of the effort, the bound is likely out of reach: searches begin again, none at it, if
# so many nodes a buffer are left.
_BOLD, _FAR, _AGAIN_NODES = 0.2, 0.03, 200


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
    found, left = _searched(columns, offsets, effort, _BOLD)
    if left > 0 and found.arena_bytes > found.lower_bound:
        again, _ = _searched(columns, offsets, left, 0.0)
        lower = max(found.lower_bound, again.lower_bound)
        best = min(found, again, key=lambda one: one.arena_bytes)
        return Improved(best.offsets, best.arena_bytes, lower)
    return found


def _searched(
    columns: Columns, offsets: Sequence[int], effort: int, bold: float
) -> tuple[Improved, int]:
    """The best of many searches, and the nodes left when they are given up as too far away."""
    best = np.array(offsets)
    top = int((best // columns.unit + columns.size).max())
    lower = int(np.add.reduceat(columns.size[columns.cover], columns.at[:-1]).max())
    random = Random(0)
    ways = _ways(columns)
    run, enough = 0, effort // 3 if bold else 0
    if enough < _AGAIN_NODES * len(best):
        enough = 0
    while effort > 0 and top > lower:
        if enough and effort <= enough and top > (1 + _FAR) * lower:
            break
        first = run < len(ways)
        way = ways[run] if first else _chosen(ways, random)
        aim = 0.0 if 2 * run < len(ways) or random.random() < bold else random.uniform(0.4, 0.9)
        target = min(top - 1, int(lower + aim * (top - lower)))
        limit = max(int((_FIRST_NODES if first else _NODES) * len(best)), _LEAST_NODES)
        limit *= 1 + run // (8 * len(ways))
        rank = way.order if first else _shaken(way.order, random)
        search = Search(columns, target, rank, way.weight, way.heaviest, way.flatness)
        outcome = search.run(min(limit, effort))
        way.promise = search.depth if first else 0.7 * way.promise + 0.3 * search.depth
        effort -= max(outcome.nodes, 1)
        run += 1
        if outcome.offsets is not None:
            best = outcome.offsets * columns.unit
            top = int((outcome.offsets + columns.size).max())
        elif outcome.proved:
            lower = target + 1
    return Improved(best.tolist(), top * columns.unit, lower * columns.unit), effort


@dataclass(slots=True)
class _Way:
    """One manner of searching. weight: what it learnt; promise: how deep it comes, smoothed."""

    order: Ints
    heaviest: bool
    flatness: float
    weight: Ints
    promise: float = 0.0


def _ways(columns: Columns) -> list[_Way]:
    return [
        _Way(order, heaviest, flatness, np.zeros(len(columns.at) - 1, np.int64))
        for flatness in (0.0, _FLATNESS)
        for order in _orders(columns)
        for heaviest in (False, True)
    ]


def _chosen(ways: Sequence[_Way], random: Random) -> _Way:
    """Mostly the way of most promise, sometimes any."""
    if random.random() < 0.25:
        return random.choice(ways)
    return max(ways, key=lambda way: way.promise)


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
        (crowd, size * steps, steps),
        (met, size),
        (sections, size),
        (size, steps),
    ]
    return [np.lexsort(key[::-1])[::-1].argsort() for key in keys]


def _shaken(rank: Ints, random: Random) -> Ints:
    """The ranks after every one moved by a small normal share of all places."""
    spread = random.choice((0.003, 0.01, 0.02)) * len(rank)
    return np.argsort([r + random.gauss(0, spread) for r in rank.tolist()], kind="stable").argsort()
