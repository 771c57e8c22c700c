"""Offsets for buffers with known lifetimes: greedy portfolio, then search, up to the bound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from whet.plan.bound import grain, lower_bound, round_up
from whet.plan.improve import improve
from whet.plan.lifetime import Buffer, Placement
from whet.plan.search import Columns

__all__ = ["DEFAULT_EFFORT", "Packing", "pack"]

DEFAULT_EFFORT = 20_000


@dataclass(frozen=True, slots=True)
class Packing:
    """Where every buffer goes. `optimal` says that no smaller arena exists."""

    placements: tuple[Placement, ...]
    arena_bytes: int
    lower_bound: int
    optimal: bool


@dataclass(frozen=True, slots=True)
class Problem:
    """Buffers as columns, sizes in bytes rounded up to the grain; `meets[i]` overlap i in time."""

    size: list[int]
    start: list[int]
    end: list[int]
    alignment: list[int]
    meets: list[list[int]]
    bound: int

    @staticmethod
    def of(buffers: Sequence[Buffer]) -> Problem:
        """The columns of the buffers, in the order given."""
        unit = grain(buffers)
        return Problem(
            size=[round_up(buffer.size, unit) for buffer in buffers],
            start=[buffer.start for buffer in buffers],
            end=[buffer.end for buffer in buffers],
            alignment=[buffer.alignment for buffer in buffers],
            meets=_meets(buffers),
            bound=lower_bound(buffers),
        )


def pack(buffers: Sequence[Buffer], effort: int = DEFAULT_EFFORT) -> Packing:
    """Give every buffer an offset so that no two buffers alive at once overlap.

    effort: search nodes to spend when the greedy portfolio does not reach the lower bound;
    0 is greedy only. The result depends on the buffers and the effort alone, never on the clock.
    """
    problem = Problem.of(buffers)
    offsets = greedy(problem)
    arena = height(problem, offsets)
    proved = problem.bound
    if effort > 0 and arena > proved:
        some = [i for i, size in enumerate(problem.size) if size]
        columns = Columns.of(
            [problem.size[i] for i in some],
            [problem.start[i] for i in some],
            [problem.end[i] for i in some],
            [problem.alignment[i] for i in some],
        )
        found = improve(columns, [offsets[i] for i in some], effort)
        for i, offset in zip(some, found.offsets, strict=True):
            offsets[i] = offset
        arena, proved = found.arena_bytes, found.lower_bound
    return Packing(
        placements=tuple(map(Placement, buffers, offsets)),
        arena_bytes=arena,
        lower_bound=problem.bound,
        optimal=arena == proved,
    )


def height(problem: Problem, offsets: Sequence[int]) -> int:
    """The arena that the offsets need, in bytes."""
    return max((o + s for o, s in zip(offsets, problem.size, strict=True)), default=0)


def greedy(problem: Problem) -> list[int]:
    """The best offsets of every order and fit in the portfolio; stops early at the bound."""
    best: list[int] = []
    least = -1
    for order in _orders(problem):
        for fit in (_first_fit, _best_fit):
            offsets = _place(problem, order, fit)
            total = height(problem, offsets)
            if least < 0 or total < least:
                best, least = offsets, total
            if least == problem.bound:
                return best
    return best


Fit = Callable[[list[tuple[int, int]], int, int], int]


def _orders(problem: Problem) -> list[list[int]]:
    size, start, end = problem.size, problem.start, problem.end
    count = range(len(size))
    area = [size[i] * (end[i] - start[i]) for i in count]
    crowd = [sum(size[j] for j in problem.meets[i]) + size[i] for i in count]
    keys: list[Callable[[int], tuple[int, ...]]] = [
        lambda i: (-size[i], start[i]),
        lambda i: (-area[i], -size[i]),
        lambda i: (start[i] - end[i], -size[i]),
        lambda i: (-crowd[i], -size[i]),
        lambda i: (start[i], -size[i]),
        lambda i: (-end[i], -size[i]),
        lambda i: (-len(problem.meets[i]), -size[i]),
    ]
    return [sorted(count, key=key) for key in keys]


def _place(problem: Problem, order: Sequence[int], fit: Fit) -> list[int]:
    """Offsets when buffers are placed one by one, each among the neighbours already placed."""
    offsets = [-1] * len(problem.size)
    for i in order:
        taken = sorted(
            (offsets[j], offsets[j] + problem.size[j]) for j in problem.meets[i] if offsets[j] >= 0
        )
        offsets[i] = fit(taken, problem.size[i], problem.alignment[i])
    return offsets


def _first_fit(taken: list[tuple[int, int]], size: int, alignment: int) -> int:
    """The lowest offset where `size` bytes are free."""
    at = 0
    for low, high in taken:
        if at + size <= low:
            break
        if high > at:
            at = round_up(high, alignment)
    return at


def _best_fit(taken: list[tuple[int, int]], size: int, alignment: int) -> int:
    """The offset of the smallest gap that holds `size` bytes; above everything if none does."""
    at = 0
    best, least = -1, -1
    for low, high in taken:
        gap = low - at
        if gap >= size and (best < 0 or gap < least):
            best, least = at, gap
        if high > at:
            at = round_up(high, alignment)
    return at if best < 0 else best


def _meets(buffers: Sequence[Buffer]) -> list[list[int]]:
    """For every buffer, the others whose lifetime overlaps its own, ascending."""
    meets: list[list[int]] = [[] for _ in buffers]
    alive: list[int] = []
    for i in sorted(range(len(buffers)), key=lambda i: buffers[i].start):
        start = buffers[i].start
        alive = [j for j in alive if buffers[j].end > start]
        for j in alive:
            meets[i].append(j)
            meets[j].append(i)
        alive.append(i)
    return [sorted(others) for others in meets]
