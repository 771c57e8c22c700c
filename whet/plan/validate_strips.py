"""An independent check of layers in strips: it shares no code with the planner it checks.

`walk` steps the recurrences that `whet.emit.strips` writes as C; `validate_strips` has each thread
remember which rows it holds meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from whet.emit.program import Group, Link, Strips
from whet.emit.share import share_bounds
from whet.errors import CompileError

__all__ = ["Turn", "validate_strips", "walk"]


STEPPED = 1 << 18  # rows, of as many threads as there may be


@dataclass(frozen=True, slots=True)
class Turn:
    """Units [begin, end) of link `number`. base: the row at the front of what is held of it, where
    rows [base, made) are kept from before."""

    number: int
    base: int
    made: int
    begin: int
    end: int


def walk(chain: Strips, part: int, parts: int) -> Iterator[Turn]:
    """What `part` of `parts` threads does, in order."""
    groups, last = chain.groups, len(chain.groups) - 1
    numbers = list(accumulate((len(group.links) for group in groups), initial=0))
    shares = share_bounds(-(-groups[last].rows // groups[last].turn), parts)
    past = min(shares[part + 1] * groups[last].turn, groups[last].rows)
    made = [shares[part] * group.turn for group in groups]
    for g in reversed(range(last)):
        made[g] = _needed(groups[g + 1], made[g + 1]) // groups[g].turn * groups[g].turn
    base = list(made)
    while made[last] < past:
        ends = [min(made[last] + chain.strip, past)] * len(groups)
        for g in reversed(range(last)):
            end, turn = _past(groups[g + 1], ends[g + 1]), groups[g].turn
            ends[g] = min(-(-end // turn) * turn, groups[g].rows)
        for g, group in enumerate(groups):
            if g < last:
                base[g] = min(_needed(groups[g + 1], made[g + 1]), made[g])
            yield from _turns(group, numbers[g], base[g], made[g], ends[g])
            made[g] = ends[g]


def _turns(group: Group, number: int, base: int, made: int, past: int) -> Iterator[Turn]:
    """Rows [made, past) of a group, whose first link has the number; one alone takes one turn."""
    alone = len(group.links) == 1
    for row in (made,) if alone else range(made, past, group.turn):
        end = past if alone else min(row + group.turn, past)
        for i, link in enumerate(group.links, number):
            span = (-(-r // link.grain) * link.units for r in (row, end))
            held = (base, row) if link is group.links[-1] else (row, row)
            yield Turn(i, *held, *span)


def _needed(reader: Group, row: int) -> int:
    """The first row that a row of the group needs."""
    return max(row * reader.stride - reader.low, 0)


def _past(reader: Group, row: int) -> int:
    """The end of the rows that those before `row` need."""
    return (row - 1) * reader.stride - reader.low + reader.taps


def validate_strips(chain: Strips, threads: int) -> None:
    """Check that each of any number of threads up to `threads` has room for the rows it holds, that
    it holds every row it reads, and that together they make each row of the last result once.

    Results of so many rows that stepping through them all would take seconds are not stepped
    through: there is no image of that size, but a damaged file may ask for one.

    Raises CompileError that names the layer.
    """
    rooms = [_room(chain, link) for link in chain.links]
    if chain.strip < 1:
        raise CompileError("strips without rows", _title(chain.links[-1]))
    if max(link.rows for link in chain.links) * threads > STEPPED:
        return
    for parts in range(1, threads + 1):
        done = 0
        for part in range(parts):
            done = _Thread(chain, rooms).run(part, parts, done)
        if done != chain.links[-1].step.stage.lowered.parallel:
            why = f"{done} of {chain.links[-1].step.stage.lowered.parallel} units"
            raise CompileError("rows left out of strips", _title(chain.links[-1]), why)


def _title(link: Link) -> str:
    return link.step.stage.title


def _room(chain: Strips, link: Link) -> int:
    """Bytes for the rows of a link, in which its scratch and all else that is held does not lie."""
    held = [(other.held, other) for other in chain.links if other.held is not None]
    scratch = [(at.offset, other) for other in chain.links if (at := other.step.scratch)]
    if link.step.scratch is not None:
        low = link.step.scratch.offset
        high = low + link.step.stage.lowered.scratch_each
        if high > min([chain.each, *(at for at, _ in held if at >= low)]):
            raise CompileError("scratch overlaps held rows", _title(link), f"bytes [{low}, {high})")
    if link.held is None:
        return 0
    behind = [at for at, other in held if at >= link.held and other is not link]
    behind += [at for at, _ in scratch if at >= link.held]
    return min([chain.each, *behind]) - link.held


class _Thread:
    """What one thread holds of each link's result: rows [first, past), row `base` in front."""

    def __init__(self, chain: Strips, rooms: list[int]) -> None:
        self.chain, self.links, self.rooms = chain, chain.links, rooms
        heads = accumulate(len(group.links) for group in chain.groups)
        self.windows = dict(zip(heads, chain.groups[1:], strict=False))
        self.base = [0] * len(rooms)
        self.first, self.past = list(self.base), list(self.base)

    def run(self, part: int, parts: int, done: int) -> int:
        """The end of the units of the last result that are made, where it was `done` before."""
        for turn in walk(self.chain, part, parts):
            link = self.links[turn.number]
            low, high = (at // link.units * link.grain for at in (turn.begin, turn.end))
            high = min(high, link.rows)
            if turn.number and low < high:
                self._read(turn.number, low, high)
            if link.held is not None:
                self._write(turn, low, high)
            elif turn.begin != done:
                raise CompileError("rows not made once", _title(link), f"{turn.begin}, not {done}")
            else:
                done = turn.end
        return done

    def _read(self, number: int, low: int, high: int) -> None:
        """Rows [low, high) of a link read rows of the one before."""
        group, before = self.windows.get(number), self.links[number - 1]
        if group is not None:
            low, high = _needed(group, low), min(_past(group, high), before.rows)
        first, past = self.first[number - 1], self.past[number - 1]
        if low < first or high > past:
            why = f"{_title(self.links[number])} reads [{low}, {high}), held are [{first}, {past})"
            raise CompileError("rows read that are not held", _title(before), why)

    def _write(self, turn: Turn, low: int, high: int) -> None:
        i, link = turn.number, self.links[turn.number]
        kept = turn.base >= self.base[i]
        self.base[i] = turn.base
        self.first[i] = max(self.first[i], turn.base) if kept else turn.made
        self.past[i] = min(self.past[i], turn.made)
        if low >= high:
            return
        if low < turn.base or (high - turn.base) * link.row_bytes > self.rooms[i]:
            why = f"rows [{low}, {high}) from row {turn.base} on, {self.rooms[i]} bytes"
            raise CompileError("rows outside what a thread holds", _title(link), why)
        if self.first[i] <= low <= self.past[i]:
            self.past[i] = max(self.past[i], high)
        else:
            self.first[i], self.past[i] = low, high
