"""Depth-first search for offsets below a given height: complete, with cheap restarts.

The time axis is cut into sections between which the set of live buffers does not change.  Every
buffer has a floor: the lowest offset that the buffers placed so far leave it.  The search takes the
lowest section in which something is left to place and decides which buffer lies there at that very
height, or that none does.

              height
                |     +--+
                |  +--+  +-----+      the two sections under `?` are lowest: a buffer whose
                |  |     |     |      lifetime lies between the walls goes to height h, or
              h |  |  ?  +--+  |      nothing does, and the whole row rises to the next height
                +--+-----+--+--+---- time     at which something could rest

Only packings in which every buffer rests on another one or on the ground are visited, each once;
any packing can be pushed down into one of these.  A section whose floor and remaining bytes exceed
the capacity ends a branch.  When nothing unplaced spans two parts of the time axis, they are
searched apart.

Canonical packings, the floors and the decomposition are from M. Moffitt, MiniMalloc (ASPLOS 2023);
branching on the tightest lowest section, and weighing sections by the dead ends they caused
(Boussemart et al., ECAI 2004), are ours to this problem.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

import numpy as np
from numpy.typing import NDArray

__all__ = ["Columns", "Outcome", "Search"]

Ints = NDArray[np.int64]
_NEVER = 1 << 60
# A top this part of the capacity away from a wall is worth half of one that is level with it.
_NEARNESS = 16


@dataclass(frozen=True, slots=True)
class Columns:
    """Buffers as arrays, in units of `unit` bytes, and the sections of their lifetimes.

    steps: the length of each lifetime. first, last: the sections [first, last) of each buffer.
    cover: the buffers of each section, one section after the other; cover[at[s]:at[s + 1]] are
    those of section s. meets: whether two buffers share a section.
    """

    unit: int
    size: Ints
    alignment: Ints
    steps: Ints
    first: Ints
    last: Ints
    section: Ints
    cover: Ints
    at: Ints
    meets: NDArray[np.bool_]

    @staticmethod
    def of(
        size: Sequence[int], start: Sequence[int], end: Sequence[int], alignment: Sequence[int]
    ) -> Columns:
        """Columns of buffers with positive sizes; sizes are whole multiples of the grain."""
        unit = gcd(*size)
        if len(set(alignment)) > 1:
            unit = gcd(unit, *alignment)
        first, last, sections = _sections(start, end)
        spans = last - first
        cover = np.repeat(np.arange(len(size)), spans)
        section = np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)])
        by_section = np.argsort(section, kind="stable")
        return Columns(
            unit=unit,
            size=np.array(size) // unit,
            alignment=np.maximum(np.array(alignment) // unit, 1),
            steps=np.array(end) - np.array(start),
            first=first,
            last=last,
            section=section[by_section],
            cover=cover[by_section],
            at=np.searchsorted(section[by_section], np.arange(sections + 1)),
            meets=(first[:, None] < last) & (first < last[:, None]),
        )


def _sections(start: Sequence[int], end: Sequence[int]) -> tuple[Ints, Ints, int]:
    """First and last section of each buffer: a section ends where a buffer ends, once one began."""
    events = sorted(
        [(time, 0, i) for i, time in enumerate(end)]
        + [(time, 1, i) for i, time in enumerate(start)]
    )
    first, last = np.zeros(len(start), np.int64), np.zeros(len(start), np.int64)
    count, grown = 0, False
    for _, begins, i in events:
        if begins:
            first[i], grown = count, True
        else:
            count, grown = count + grown, False
            last[i] = count
    return first, last, count


@dataclass(frozen=True, slots=True)
class Outcome:
    """offsets: in units, if a packing was found. proved: the search ended before its node limit."""

    offsets: Ints | None
    proved: bool
    nodes: int


@dataclass(frozen=True, slots=True)
class _State:
    """A partial packing.

    floor: per buffer, _NEVER once placed. level: per section, the least floor of its buffers, and
    _NEVER at the end, where index -1 and the number of sections both find it.
    left: per section, the sizes yet to place. crossing: per section, the unplaced buffers that
    span the border before it.
    """

    floor: Ints
    level: Ints
    left: Ints
    crossing: Ints


@dataclass(frozen=True, slots=True)
class _Part:
    """Sections [low, high) to fill from `state`, then `rest`. owner: the decision it hangs on.

    cover: the buffers of its sections, one after the other; at: where each section's begin.
    """

    state: _State
    low: int
    high: int
    owner: int
    rest: _Part | None
    cover: Ints
    at: Ints


@dataclass(slots=True)
class _Decision:
    """What lies at `height` in one section of the part: candidates[tried:] are not tried yet."""

    part: _Part
    state: _State
    height: int
    candidates: Ints
    tried: int = 0


class _Spent(Exception):
    """The node limit is reached."""


class Search:
    """Searches for a packing under one capacity, with one preference among candidates.

    rank: candidates of least rank are tried first. weight: per section, raised where branches end.
    Of the lowest sections, the one with the least (room + 1) / (1 + weight) is taken; when
    `heaviest` is set, the heaviest and of these the one with the least room. flatness: a candidate
    whose top is level with a wall beside it gains this share of all ranks, less if nearly level.
    """

    def __init__(
        self,
        columns: Columns,
        capacity: int,
        rank: Ints,
        weight: Ints,
        heaviest: bool = False,
        flatness: float = 0.0,
    ) -> None:
        self.columns, self.capacity, self.rank = columns, capacity, rank
        self.weight, self.heaviest = weight, heaviest
        self.bonus = flatness * len(rank)
        self.cover = columns.cover[np.lexsort((rank[columns.cover], columns.section))]
        self.aligned = bool((columns.alignment > 1).any())
        self.offsets = np.zeros(len(columns.size), np.int64)
        self.beyond = np.uint64(_NEVER - capacity - 1)
        self.limit = self.nodes = self.depth = 0

    def run(self, limit: int) -> Outcome:
        """Search until a packing is found, none is left, or `limit` placements were tried.

        Leaves in `depth` how many decisions stood at once at most.
        """
        self.limit, self.nodes, self.depth = limit, 0, 0
        try:
            found = self._descend()
        except _Spent:
            return Outcome(None, False, self.nodes)
        return Outcome(self.offsets if found else None, True, self.nodes)

    def _descend(self) -> bool:
        """Fill parts until none is left; a part that cannot be filled revises its owner."""
        path: list[_Decision] = []
        part = self._root()
        while part is not None:
            decision = self._decide(part, part.state)
            if decision is None:
                part = part.rest
                continue
            path.append(decision)
            self.depth = max(self.depth, len(path))
            while (after := self._advance(path[-1])) is None:
                owner = path[-1].part.owner
                if owner < 0:
                    return False
                del path[owner + 1 :]
            part = self._split(path[-1], after, len(path) - 1)
        return True

    def _root(self) -> _Part | None:
        """The parts of the whole time axis."""
        c = self.columns
        sections = len(c.at) - 1
        change = np.zeros(sections + 1, np.int64)
        np.add.at(change, c.first + 1, 1)
        np.add.at(change, c.last, -1)
        left = np.add.reduceat(c.size[c.cover], c.at[:-1])
        floor, level = np.zeros(len(c.size), np.int64), np.zeros(sections + 1, np.int64)
        level[-1] = _NEVER
        state = _State(floor, level, left, np.cumsum(change)[:-1])
        if (left > self.capacity).any():
            return _Part(state, 0, 0, -1, None, c.cover[:0], c.at[:0])
        borders = np.flatnonzero(state.crossing == 0)
        return self._chain(state, [*borders.tolist(), sections], -1, None)

    def _decide(self, part: _Part, state: _State) -> _Decision | None:
        """The next decision in the part: its lowest and tightest section; None when it is full."""
        c, low = self.columns, part.low
        level = state.level[low : part.high]
        height = int(level.min())
        if height >= _NEVER:
            return None
        lowest = (level == height).nonzero()[0] + low
        if len(lowest) > 1:
            room, weight = self.capacity - height - state.left[lowest], self.weight[lowest]
            key = room - weight * self.capacity if self.heaviest else (room + 1) / (1 + weight)
            section = lowest[key.argmin()]
        else:
            section = lowest[0]
        inside = self.cover[c.at[section] : c.at[section + 1]]
        candidates = inside[state.floor[inside] <= height]
        if self.bonus and len(candidates) > 1:
            candidates = candidates[self._preference(state, height, candidates).argsort()]
        return _Decision(part, state, height, candidates)

    def _preference(self, state: _State, height: int, candidates: Ints) -> NDArray[np.float64]:
        """Rank less the bonus for candidates whose top is level with the walls beside them."""
        c = self.columns
        walls = state.level[np.stack((c.first[candidates] - 1, c.last[candidates]))]
        apart = np.abs(walls - (height + c.size[candidates]))
        level = 1 / (1 + apart * (_NEARNESS / self.capacity))
        level[(walls <= height) | (walls >= _NEVER)] = 0
        preference: NDArray[np.float64] = self.rank[candidates] - self.bonus * level.sum(0)
        return preference

    def _advance(self, decision: _Decision) -> _State | None:
        """The state after the next candidate that fits; once all are tried, the row is lifted."""
        while True:
            while decision.tried < len(decision.candidates):
                if self.nodes >= self.limit:
                    raise _Spent
                self.nodes += 1
                buffer = int(decision.candidates[decision.tried])
                decision.tried += 1
                after = self._place(decision.part, decision.state, buffer, decision.height)
                if after is not None:
                    self.offsets[buffer] = decision.height
                    return after
            lifted = self._lift(decision)
            if lifted is None:
                return None
            again = self._decide(decision.part, lifted)
            if again is None:
                return None
            decision.state, decision.height = again.state, again.height
            decision.candidates, decision.tried = again.candidates, 0

    def _place(self, part: _Part, state: _State, buffer: int, height: int) -> _State | None:
        """The state with the buffer at the height, or None when some section overflows."""
        c = self.columns
        rest = self._rest_on(height + int(c.size[buffer]))
        floor = state.floor.copy()
        np.maximum(floor, rest, out=floor, where=c.meets[buffer])
        floor[buffer] = _NEVER
        left = state.left.copy()
        left[c.first[buffer] : c.last[buffer]] -= c.size[buffer]
        return self._checked(part, state, floor, left)

    def _lift(self, decision: _Decision) -> _State | None:
        """The state in which no candidate lies at the height: each rests on a neighbour above it.

        None when there is no neighbour to rest on, or no room to rise.
        """
        c, state, candidates = self.columns, decision.state, decision.candidates
        below = c.meets[candidates].any(0) & (state.floor < _NEVER)
        below[candidates] = False
        if not below.any():
            return None
        height = int((state.floor + c.size)[below].min())
        floor = state.floor.copy()
        floor[candidates] = self._rest_on(height)[candidates] if self.aligned else height
        return self._checked(decision.part, state, floor, state.left)

    def _rest_on(self, height: int) -> Ints:
        """For every buffer, the least aligned offset that is not below the height."""
        if not self.aligned:
            return np.array(height)
        return -(-height // self.columns.alignment) * self.columns.alignment

    def _checked(self, part: _Part, state: _State, floor: Ints, left: Ints) -> _State | None:
        """The state with its levels, or None when a section cannot hold what is left to place."""
        low, high = part.low, part.high
        level = state.level.copy()
        inside = level[low:high]
        np.minimum.reduceat(floor.take(part.cover), part.at, out=inside)
        # Above the capacity and below _NEVER, as unsigned numbers in one comparison.
        above = inside + left[low:high] - (self.capacity + 1)
        over = above.view(np.uint64) < self.beyond
        first = int(over.argmax())
        if over[first]:
            self.weight[low + first] += 1
            return None
        return _State(floor, level, left, state.crossing)

    def _split(self, decision: _Decision, after: _State, index: int) -> _Part | None:
        """The parts that are left of the decision's part once its buffer is placed."""
        c, part = self.columns, decision.part
        buffer = int(decision.candidates[decision.tried - 1])
        crossing = after.crossing.copy()
        inner = crossing[c.first[buffer] + 1 : c.last[buffer]]
        inner -= 1
        borders = (inner == 0).nonzero()[0]
        state = _State(after.floor, after.level, after.left, crossing)
        if not len(borders):
            return _Part(state, part.low, part.high, index, part.rest, part.cover, part.at)
        within = (borders + (c.first[buffer] + 1)).tolist()
        return self._chain(state, [part.low, *within, part.high], index, part.rest)

    def _chain(
        self, state: _State, borders: list[int], owner: int, rest: _Part | None
    ) -> _Part | None:
        """Parts between successive borders, in order, then the rest."""
        at = self.columns.at
        for low, high in zip(borders[-2::-1], borders[:0:-1], strict=True):
            base = at[low]
            cover = self.cover[base : at[high]]
            rest = _Part(state, low, high, owner, rest, cover, at[low:high] - base)
        return rest
