"""The order of the steps: the fewest bytes alive at the worst step.

What is alive after a set of steps does not depend on their order, so the search runs over sets:

    a reads x, writes p (big)      order a b c d: p and q alive at once
    b reads x, writes q (big)      order a c b d: p has shrunk to r before q is made
    c reads p, writes r (small)
    d reads r and q

A step that every other step precedes or follows cuts the graph in two; the parts between cuts are
ordered one by one, exactly where the sets are few, by beam search where they are many.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from whet.plan.bound import lower_bound, round_up
from whet.plan.lifetime import Step
from whet.plan.memory import buffers_of

__all__ = ["order_steps"]

_SETS = 2_000
_BEAM = 6


def order_steps(
    steps: Sequence[Step],
    sizes: Mapping[str, int],
    *,
    views: Mapping[str, tuple[str, int]] | None = None,
    pinned: Mapping[str, str] | None = None,
    outputs: Collection[str] = (),
    alignment: int = 64,
) -> tuple[Step, ...]:
    """The steps in an order that needs least memory, the given one unless another needs less.

    Arguments as in `plan_memory`. A step runs after all steps that write what it reads; there must
    be no other reason for an order. Never worse than the given order in `lower_bound`, and best of
    all orders where the parts between cuts are small; in-place writes count where both roots are
    of one size.

    Raises CompileError as `plan_memory` does.
    """
    views, pinned = views or {}, pinned or {}

    def least(order: Sequence[Step]) -> int:
        return lower_bound(buffers_of(order, sizes, views, pinned, outputs, alignment))

    given = least(steps)
    graph = _Graph(steps, sizes, views, pinned, outputs, alignment)
    ordered = tuple(steps[index] for index in graph.best_order())
    return ordered if least(ordered) < given else tuple(steps)


@dataclass(frozen=True, slots=True)
class _Done:
    """A set of steps that have run, as bits. live: bytes alive now; peak: the most there were."""

    peak: int
    live: int
    steps: int
    path: tuple[int, _Done] | None = None


class _Graph:
    """Steps as bits: who precedes whom, and which roots each of them brings to life or ends."""

    def __init__(
        self,
        steps: Sequence[Step],
        sizes: Mapping[str, int],
        views: Mapping[str, tuple[str, int]],
        pinned: Mapping[str, str],
        outputs: Collection[str],
        alignment: int,
    ) -> None:
        self.count = len(steps)
        self.scratch = [round_up(step.scratch_bytes, alignment) for step in steps]
        root = {name: _root(name, views) for name in (*sizes, *views)}
        root = {name: top for name, top in root.items() if top in sizes}
        self.bytes = {top: round_up(sizes[top], alignment) for top in root.values()}
        self.users = dict.fromkeys(self.bytes, 0)
        self.makers = dict.fromkeys(self.bytes, 0)
        self.touched: list[list[str]] = []
        self.pairs: list[list[tuple[str, str]]] = []
        maker: dict[str, int] = {}
        self.before = [0] * self.count
        for index, step in enumerate(steps):
            for name in step.reads:
                if name in maker:
                    self.before[index] |= 1 << maker[name] | self.before[maker[name]]
            for name in step.writes:
                maker[name] = index
                if name in root:
                    self.makers[root[name]] |= 1 << index
            names = dict.fromkeys(root[n] for n in (*step.reads, *step.writes) if n in root)
            for top in names:
                self.users[top] |= 1 << index
            self.touched.append(list(names))
            pairs = [(root[a], root[b]) for a, b in step.inplace if a in root and b in root]
            self.pairs.append([(a, b) for a, b in pairs if self.bytes[a] == self.bytes[b]])
        self.needs = [
            sum({1 << maker[name] for name in step.reads if name in maker}) for step in steps
        ]
        self.following = {root[a]: root.get(b) for a, b in pinned.items() if a in root}
        self.kept = {root[name] for name in (*outputs, *pinned.values()) if name in root}
        self.kept |= set(self.following)
        self.inputs = {top for name, top in root.items() if name not in maker}
        self.initial = sum(self.bytes[top] for top in self.inputs)

    def best_order(self) -> list[int]:
        """Steps in order, part by part."""
        done = _Done(self.initial, self.initial, 0)
        for part in self._parts():
            start = _Done(done.live, done.live, done.steps, done.path)
            given = start
            for index in part:
                given = self._run(given, index)
            goal = given.steps
            best = min(given, self._beam(start, goal), key=lambda d: d.peak)
            if best.peak > max(self._alone(start, index) for index in part):
                best = self._exact(start, goal, best)
            done = best
        order = []
        path = done.path
        while path is not None:
            order.append(path[0])
            path = path[1].path
        return order[::-1]

    def _parts(self) -> Iterator[list[int]]:
        """Successive parts of the steps, each ended by a step that all others precede or follow."""
        after = [0] * self.count
        for index in reversed(range(self.count)):
            for earlier in _bits(self.needs[index]):
                after[earlier] |= after[index] | 1 << index
        everything = (1 << self.count) - 1
        taken = 0
        for index in range(self.count):
            bit = 1 << index
            if self.before[index] | after[index] | bit == everything:
                yield [*_bits(self.before[index] & ~taken), index]
                taken |= self.before[index] | bit
        if taken != everything:
            yield list(_bits(everything & ~taken))

    def _alone(self, start: _Done, index: int) -> int:
        """Bytes that must be alive while the step runs, whatever the order."""
        total = self.scratch[index]
        for top in self.touched[index]:
            total += self.bytes[top]
        total -= sum(self.bytes[made] for made, _ in self.pairs[index])
        return max(total, start.live)

    def _run(self, done: _Done, index: int) -> _Done:
        """The set with one more step in it."""
        steps = done.steps | 1 << index
        live = done.live
        over: list[str] = []
        for made, used in self.pairs[index]:
            if made in over or used in over or made == used or self._begun(made, done.steps):
                continue
            ends = not self.users[used] & ~steps and self._begun(used, done.steps)
            if ends and (used not in self.kept or self.following.get(used) == made):
                over += [made, used]
        for top in self.touched[index]:
            if not self._begun(top, done.steps) and top not in over:
                live += self.bytes[top]
        peak = live + self.scratch[index]
        for top in self.touched[index]:
            if not self.users[top] & ~steps and top not in self.kept and top not in over:
                live -= self.bytes[top]
        for made in over[::2]:
            if not self.users[made] & ~steps and made not in self.kept:
                live -= self.bytes[made]
        return _Done(max(done.peak, peak), live, steps, (index, done))

    def _begun(self, top: str, steps: int) -> bool:
        return top in self.inputs or bool(self.makers[top] & steps)

    def _ready(self, done: _Done, goal: int) -> list[_Done]:
        """The sets one step further; only one of them when it costs nothing to take it first."""
        found = []
        for index in _bits(goal & ~done.steps):
            if self.needs[index] & ~done.steps:
                continue
            following = self._run(done, index)
            if following.peak == done.peak and following.live <= done.live:
                return [following]
            found.append(following)
        return found

    def _beam(self, start: _Done, goal: int) -> _Done:
        """A good way to the goal: at every length, only the few best sets go on."""
        beam = [start]
        while beam[0].steps != goal:
            best: dict[int, _Done] = {}
            for done in beam:
                for following in self._ready(done, goal):
                    known = best.get(following.steps)
                    if known is None or following.peak < known.peak:
                        best[following.steps] = following
            ranked = sorted(best.values(), key=lambda d: (d.peak, d.live, d.steps))
            beam = ranked[:_BEAM]
        return beam[0]

    def _exact(self, start: _Done, goal: int, best: _Done) -> _Done:
        """The way of least peak, always going on from the set of least peak; `best` if too many."""
        heap = [(start.peak, 0, 0, start)]
        seen: set[int] = set()
        pushed = 0
        while heap and len(seen) < _SETS:
            done = heapq.heappop(heap)[3]
            if done.steps == goal:
                return done
            if done.steps in seen:
                continue
            seen.add(done.steps)
            for following in self._ready(done, goal):
                if following.peak < best.peak and following.steps not in seen:
                    pushed += 1
                    length = following.steps.bit_count()
                    heapq.heappush(heap, (following.peak, -length, pushed, following))
        return best


def _root(name: str, views: Mapping[str, tuple[str, int]]) -> str:
    while name in views:
        name = views[name][0]
    return name


def _bits(mask: int) -> Iterator[int]:
    """Positions of the set bits, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low
