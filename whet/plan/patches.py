"""Which layers to compute in patches: the least extra work that brings the arena under a size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from whet.errors import CompileError
from whet.ir.graph import Graph
from whet.ops.cost import graph_cost
from whet.passes.patch import Section, patch
from whet.plan.bound import live_bytes
from whet.plan.draw import size_text
from whet.plan.program import Aim, Planned
from whet.plan.sections import Grid, outlooks, points

__all__ = ["Patched", "Room", "plan_in_patches"]

GRIDS: tuple[Grid, ...] = (*((n, 1) for n in range(2, 15)), *((n, n) for n in range(2, 9)))
"""Rows and columns of patches to choose from: strips, which need no copies, and squares."""
TRIES = 8


class Planner(Protocol):
    """Plans a graph."""

    def __call__(self, graph: Graph, *, aim: Aim) -> Planned: ...


@dataclass(frozen=True, slots=True)
class Room:
    """ram: the most bytes of arena; None asks for the smallest there is. grids: rows and columns of
    patches to choose from."""

    ram: int | None = None
    grids: tuple[Grid, ...] = GRIDS


@dataclass(frozen=True, slots=True)
class Patched:
    """A graph with sections in patches, and its plan.

    whole_bytes: the arena without patches. extra: operations added, over those of the whole graph.
    """

    graph: Graph
    planned: Planned
    sections: tuple[Section, ...]
    whole_bytes: int
    extra: float


def plan_in_patches(graph: Graph, planner: Planner, room: Room) -> Patched:
    """The graph planned within the room, by the sections of least extra work where it takes any.

    Inputs and outputs lie in the caller's buffers and do not count. Sections are chosen by an
    estimate, and every choice is planned before it is believed.

    Raises:
        CompileError: nothing that was tried fits; the message has the smallest arena.
    """
    for aim in (Aim.PACKED, Aim.SMALLEST):
        before = planner(graph, aim=aim)
        best = Patched(graph, before, (), before.memory.arena_bytes, 0.0)
        if room.ram is not None and best.whole_bytes <= room.ram:
            return best
    choices = _Choices(graph, before, room.grids)
    least = choices.least()
    goal = least if room.ram is None else room.ram
    limit = max(goal, least)
    for _ in range(TRIES):
        tried = _tried(graph, planner, choices.within(limit), before)
        over = tried.planned.memory.arena_bytes - goal
        if tried.planned.memory.arena_bytes < best.planned.memory.arena_bytes:
            best = tried
        if over <= 0 or limit <= least:
            break
        limit = max(limit - over, least)
    smallest = best.planned.memory.arena_bytes
    if room.ram is not None and smallest > room.ram:
        raise CompileError(
            f"no plan found with an arena of {size_text(room.ram)}", graph.name,
            f"the smallest found takes {size_text(smallest)} ({smallest} bytes)",
            f"--ram {smallest}",
        )  # fmt: skip
    return best


def _tried(graph: Graph, planner: Planner, sections: Sequence[Section], before: Planned) -> Patched:
    made = patch(graph, sections)
    extra = graph_cost(made).operations / max(graph_cost(graph).operations, 1) - 1
    planned = planner(made, aim=Aim.SMALLEST)
    return Patched(made, planned, tuple(sections), before.memory.arena_bytes, extra)


class _Choices:
    """Ways from the first point of a graph to its last, each step whole or a section in patches."""

    def __init__(self, graph: Graph, planned: Planned, grids: Sequence[Grid]) -> None:
        self.grids = grids
        self.points = points(graph, tuple(planned.scratch))
        live = live_bytes([placed.buffer for placed in planned.memory.placements])
        live += [0] * (len(planned.scratch) + 1 - len(live))
        ends = [0, *(point.place for point in self.points), len(planned.scratch)]
        self.whole = [max(live[a:b], default=0) for a, b in pairwise(ends)]
        self.sections = outlooks(graph, planned.scratch, self.points, grids)

    def least(self) -> int:
        """The fewest bytes that the estimates allow."""
        peaks = {float(p) for found in self.sections.values() for p in found.peak}
        sizes = sorted({*peaks, *map(float, self.whole)})
        low, high = 0, len(sizes) - 1
        while low < high:
            middle = (low + high) // 2
            if self._way(sizes[middle]) is None:
                low = middle + 1
            else:
                high = middle
        return int(sizes[low]) if sizes else 0

    def within(self, limit: float) -> list[Section]:
        """The sections of least work that keep every step within the limit, by the estimates."""
        return self._way(limit) or []

    def _way(self, limit: float) -> list[Section] | None:
        """As `within`; None where nothing stays within the limit."""
        if not self.points or max(self.whole[0], self.whole[-1]) > limit:
            return None
        best: list[tuple[float, tuple[Section, ...]] | None] = [(0.0, ())]
        for j in range(1, len(self.points)):
            found = [] if best[j - 1] is None or self.whole[j] > limit else [best[j - 1]]
            for i in range(j):
                outlook, before = self.sections.get((i, j)), best[i]
                if outlook is None or before is None:
                    continue
                work = np.where(outlook.peak <= limit, outlook.work, np.inf)
                g = int(work.argmin())
                if np.isfinite(work[g]):
                    section = Section(self.points[i].value, self.points[j].value, *self.grids[g])
                    found.append((before[0] + float(work[g]), (*before[1], section)))
            best.append(min((f for f in found if f), key=lambda f: f[0], default=None))
        return None if best[-1] is None else list(best[-1][1])
