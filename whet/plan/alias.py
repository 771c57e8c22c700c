"""Values that share memory: views, and outputs written over an input that dies.

Every value gets a home: a root value that owns a buffer, and an offset inside it.

    x = f()          x     home (x, 0)
    v = x[16:]       v     home (x, 16)      a view: {"v": ("x", 16)}
    y = relu(x)      y     home (x, 0)       in place, when x is not needed afterwards
    c = concat(a,b)  a, b  home (c, 0), (c, |a|): the inputs are written straight into c
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from whet.errors import CompileError
from whet.plan.bound import round_up
from whet.plan.lifetime import Step

__all__ = ["Homes", "find_homes"]

View = tuple[str, int]


@dataclass(slots=True)
class Homes:
    """Who owns what, and until when.

    count: steps, at least one. size: value -> bytes. home: value -> (root, offset). span: value ->
    the steps [start, end) during which its bytes must hold it; what is wanted after the run ends
    one step past the last. members: root -> the values that live in it.
    """

    count: int
    size: Mapping[str, int]
    home: dict[str, View]
    span: dict[str, tuple[int, int]]
    members: dict[str, list[str]] = field(default_factory=dict)

    def root_span(self, root: str) -> tuple[int, int]:
        """The steps [start, end) during which any value lives in the root."""
        spans = [self.span[name] for name in self.members[root]]
        return min(start for start, _ in spans), min(max(end for _, end in spans), self.count)

    def merge(self, root: str, into: View) -> None:
        """Move everything that lives in `root` to (new root, offset)."""
        target, shift = into
        for name in self.members.pop(root):
            self.home[name] = (target, shift + self.home[name][1])
            self.members[target].append(name)


def find_homes(
    steps: Sequence[Step],
    sizes: Mapping[str, int],
    views: Mapping[str, View],
    pinned: Mapping[str, str],
    outputs: Iterable[str],
    alignment: int,
) -> Homes:
    """Homes after views and in-place writes, for the steps in the order given.

    Arguments as in `plan_memory`. Raises CompileError for a view that leaves its root, a cycle of
    views, a value written twice, or a step that reads a value before it is written.
    """
    home = {name: _root(name, sizes, views) for name in sizes}
    home = {name: place for name, place in home.items() if place[0] in sizes}
    for name, (root, offset) in home.items():
        if offset < 0 or offset + sizes[name] > sizes[root]:
            why = f"bytes [{offset}, {offset + sizes[name]}) of {sizes[root]} in {root}"
            raise CompileError("view outside its root", name, why)
    span = _spans(steps, home, views, {*pinned.values(), *outputs})
    homes = Homes(max(len(steps), 1), sizes, home, span)
    for name, (root, _) in home.items():
        homes.members.setdefault(root, []).append(name)
    for index, step in enumerate(steps):
        for output, source in step.inplace:
            _write_in_place(homes, index, step, (output, source), pinned, alignment)
    return homes


def _root(name: str, sizes: Mapping[str, int], views: Mapping[str, View]) -> View:
    """The value at the end of the chain of views, and the offset in it."""
    offset, seen, at = 0, {name}, name
    while at in views:
        at, shift = views[at]
        offset += shift
        if at in seen:
            raise CompileError("views form a cycle", name, f"{at} is a view of itself")
        seen.add(at)
    return at, offset


def _spans(
    steps: Sequence[Step],
    home: Mapping[str, View],
    views: Mapping[str, View],
    kept: set[str],
) -> dict[str, tuple[int, int]]:
    """For every value in the arena, the steps [start, end) during which it must be intact."""
    born: dict[str, int] = {}
    last: dict[str, int] = {}
    for index, step in enumerate(steps):
        last.update(dict.fromkeys(step.reads, index))
        for name in step.writes:
            if name in born:
                where = f"{steps[born[name]].name} and {step.name}"
                raise CompileError("value written by two steps", name, where)
            born[name] = index
    for index, step in enumerate(steps):
        for name in step.reads:
            if born.get(name, -1) >= index:
                why = f"{steps[born[name]].name} writes it"
                raise CompileError("value read before it is written", f"{name} in {step.name}", why)
    reads = {name: steps[index].reads for name, index in born.items()}
    for name, (whole, _) in views.items():
        inputs = name not in born and whole not in born
        if not inputs and name not in reads.get(whole, ()) and whole not in reads.get(name, ()):
            why = f"neither is made from the other, {whole}, by a step"
            raise CompileError("view without its step", name, why)
    spans = {}
    for name in home:
        start = born.get(name, 0)
        end = len(steps) if name in kept else last.get(name, start)
        spans[name] = (start, end + 1)
    return spans


def _write_in_place(
    homes: Homes,
    index: int,
    step: Step,
    pair: tuple[str, str],
    pinned: Mapping[str, str],
    alignment: int,
) -> None:
    """Merge the output's root into the input's when no byte is needed by two values at once."""
    output, source = pair
    if output not in step.writes or source not in step.reads:
        why = f"{output} must be written and {source} read by the step"
        raise CompileError("in-place pair is not of its step", step.name, why)
    if output not in homes.home or source not in homes.home:
        return
    (moved, inner), (kept, outer) = homes.home[output], homes.home[source]
    shift = outer - inner
    if moved == kept or shift % alignment or not _fits(homes, moved, kept, shift):
        return
    if homes.size[output] > homes.size[source]:
        return
    if not _may_pin(homes, moved, kept, shift, pinned):
        return
    small, large = (round_up(homes.size[root], alignment) for root in (moved, kept))
    if small < large and homes.root_span(moved)[1] > homes.root_span(kept)[1]:
        return
    if all(
        not _clash(homes, a, b, shift) or _replaces(homes, index, step, (a, b), pair)
        for a in homes.members[moved]
        for b in homes.members[kept]
    ):
        homes.merge(moved, (kept, shift))


def _fits(homes: Homes, moved: str, kept: str, shift: int) -> bool:
    return shift >= 0 and shift + homes.size[moved] <= homes.size[kept]


def _may_pin(homes: Homes, moved: str, kept: str, shift: int, pinned: Mapping[str, str]) -> bool:
    """A pinned root takes only the value that becomes its next content, at its own place."""
    if any(name in pinned for name in homes.members[moved]):
        return False
    for owner in [name for name in homes.members[kept] if name in pinned]:
        root, offset = homes.home.get(pinned[owner], ("", 0))
        if root != moved or offset + shift != homes.home[owner][1]:
            return False
    return True


def _clash(homes: Homes, a: str, b: str, shift: int) -> bool:
    """Whether a, moved by shift, and b want a common byte during a common step."""
    low_a, low_b = homes.home[a][1] + shift, homes.home[b][1]
    if low_a + homes.size[a] <= low_b or low_b + homes.size[b] <= low_a:
        return False
    (start_a, end_a), (start_b, end_b) = homes.span[a], homes.span[b]
    return start_a < end_b and start_b < end_a


def _replaces(
    homes: Homes, index: int, step: Step, clash: tuple[str, str], pair: tuple[str, str]
) -> bool:
    """Whether the clash is the one an in-place kernel allows: b dies where a is written over it.

    Anything else of the kept root that the step reads must have the very bytes of the input.
    """
    (a, b), (output, source) = clash, pair
    if a != output or b in step.writes or homes.span[b][1] != index + 1:
        return False
    same_bytes = homes.home[b] == homes.home[source] and homes.size[b] == homes.size[source]
    return same_bytes or b not in step.reads
