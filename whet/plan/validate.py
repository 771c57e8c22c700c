"""An independent check of memory plans: it shares no code with the planner it checks.

`validate_placements` looks at geometry: rectangles in time and address. `validate_plan` runs the
steps on an imaginary arena in which every byte remembers the value last written there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from whet.errors import CompileError
from whet.plan.lifetime import Placement, Step
from whet.plan.memory import MemoryPlan

__all__ = ["validate_placements", "validate_plan"]


def validate_placements(placements: Sequence[Placement], arena_bytes: int) -> None:
    """Check that buffers are aligned, inside the arena, and apart while they live.

    Raises CompileError that names the buffer, or both buffers that overlap.
    """
    for placed in placements:
        buffer, low = placed.buffer, placed.offset
        if low < 0 or low + buffer.size > arena_bytes:
            why = f"bytes [{low}, {low + buffer.size}) of {arena_bytes}"
            raise CompileError("buffer outside the arena", buffer.name, why)
        if low % buffer.alignment:
            why = f"offset {low} is not a multiple of {buffer.alignment}"
            raise CompileError("buffer misaligned", buffer.name, why)
    by_start = sorted(placements, key=lambda placed: placed.buffer.start)
    for index, one in enumerate(by_start):
        for other in by_start[index + 1 :]:
            if other.buffer.start >= one.buffer.end:
                break
            if max(one.offset, other.offset) < min(
                one.offset + one.buffer.size, other.offset + other.buffer.size
            ):
                raise CompileError(
                    "live buffers overlap",
                    f"{one.buffer.name} and {other.buffer.name}",
                    f"at step {other.buffer.start} {_bytes(one)} meets {_bytes(other)}",
                )


def _bytes(placed: Placement) -> str:
    return f"[{placed.offset}, {placed.offset + placed.buffer.size})"


class _Arena:
    """Bytes as segments [low, high) that remember which value was last written there."""

    def __init__(self) -> None:
        self.segments: list[tuple[int, int, str]] = []

    def write(self, low: int, high: int, value: str) -> None:
        kept = []
        for start, end, owner in self.segments:
            if start < low:
                kept.append((start, min(end, low), owner))
            if end > high:
                kept.append((max(start, high), end, owner))
        if low < high:
            kept.append((low, high, value))
        self.segments = [segment for segment in kept if segment[0] < segment[1]]

    def owners(self, low: int, high: int) -> list[tuple[int, str]]:
        """(first byte, owner) for every piece of [low, high); owner "" where nothing is written."""
        pieces = []
        at = low
        for start, end, owner in sorted(self.segments):
            if max(start, low) >= min(end, high):
                continue
            if start > at:
                pieces.append((at, ""))
            pieces.append((max(start, low), owner))
            at = min(end, high)
        if at < high:
            pieces.append((at, ""))
        return pieces


def validate_plan(
    plan: MemoryPlan,
    steps: Sequence[Step],
    sizes: Mapping[str, int],
    *,
    views: Mapping[str, tuple[str, int]] | None = None,
    pinned: Mapping[str, str] | None = None,
    outputs: Collection[str] = (),
    alignment: int = 64,
    rows: Mapping[str, tuple[int, int]] | None = None,
) -> None:
    """Check a plan against the steps it was made for; arguments as in `plan_memory`.

    rows: of values that lie within a wider one, the bytes of a row, and from one row to the next;
    their sizes are from the first byte to the last.

    Runs the steps in order and checks, for every read, that the bytes still hold that value; that
    no step writes what it reads unless the pair is declared in place; that scratch touches
    nothing; that outputs and pinned values are right at the end.

    Raises CompileError that names both values, the one expected and the one found.
    """
    views, pinned = views or {}, pinned or {}
    validate_placements(plan.placements, plan.arena_bytes)
    _check_addresses(plan, sizes, views, alignment)
    _Run(plan, steps, sizes, views, rows or {}).check(outputs, pinned)


def _check_addresses(
    plan: MemoryPlan,
    sizes: Mapping[str, int],
    views: Mapping[str, tuple[str, int]],
    alignment: int,
) -> None:
    for name, low in plan.offsets.items():
        if name not in sizes:
            raise CompileError("value placed without a size", name)
        if low < 0 or low + sizes[name] > plan.arena_bytes:
            why = f"bytes [{low}, {low + sizes[name]}) of {plan.arena_bytes}"
            raise CompileError("value outside the arena", name, why)
        if name not in views and low % alignment:
            why = f"offset {low} is not a multiple of {alignment}"
            raise CompileError("value misaligned", name, why)
        if name in views and views[name][0] in plan.offsets:
            root, shift = views[name]
            if low != plan.offsets[root] + shift or shift + sizes[name] > sizes[root] or shift < 0:
                why = f"offset {low}, its root at {plan.offsets[root]}, {sizes[root]} bytes"
                raise CompileError("view outside its root", f"{name} and {root}", why)
    for name, size in sizes.items():
        external = views.get(name, (name, 0))[0] not in sizes
        if name not in plan.offsets and not external and size:
            raise CompileError("value without an offset", name)


@dataclass(frozen=True, slots=True)
class _Area:
    """Bytes [low, high) of a value; where values lie in `whole` row by row, its bytes [first, past)
    of each of those rows.
    """

    low: int
    high: int
    whole: str = ""
    first: int = 0
    past: int = 0

    def meets(self, other: _Area) -> bool:
        """Whether the two have a byte in common."""
        if self.whole and self.whole == other.whole:
            return max(self.first, other.first) < min(self.past, other.past)
        return max(self.low, other.low) < min(self.high, other.high)


class _Run:
    """One run of the steps on the imaginary arena.

    fills: value -> the owners that its bytes may have when it is read: itself, what it is a view
    of, and the parts that were written straight into it. rows: of a value that others lie in row by
    row, the bytes of all its rows as one; in the arena all that is written to it is its own.
    """

    def __init__(
        self,
        plan: MemoryPlan,
        steps: Sequence[Step],
        sizes: Mapping[str, int],
        views: Mapping[str, tuple[str, int]],
        narrow: Mapping[str, tuple[int, int]],
    ) -> None:
        self.plan, self.steps, self.sizes, self.views = plan, steps, sizes, views
        self.narrow = narrow
        self.arena = _Arena()
        self.fills: dict[str, set[str]] = {}
        self.pitch = {self._whole(name): pitch for name, (_, pitch) in narrow.items()}
        self.rows = {name: _Arena() for name in self.pitch}
        for name, (width, pitch) in narrow.items():
            self._check_rows(name, width, pitch)

    def check(self, outputs: Collection[str], pinned: Mapping[str, str]) -> None:
        written = {name for step in self.steps for name in step.writes}
        for name in self.plan.offsets:
            if name not in written:
                self._start_with(name, written)
        for step in self.steps:
            for name in step.reads:
                self._read(name, f"step {step.name}")
            areas = self._areas(step)
            self._keep_apart(step, areas)
            for name, area in areas:
                self._write(name, area)
        for name in (*outputs, *pinned.values()):
            self._read(name, "the end")
        for source, state in self.plan.copies:
            self._read(source, f"the copy to {state}")
            self._write(source, self._area(state))
            self.fills.setdefault(source, {source})
        for state, source in pinned.items():
            self._expect(state, self.fills[source] | {source}, f"the next run reads {source} as")

    def _extent(self, name: str) -> tuple[int, int]:
        low = self.plan.offsets[name]
        return low, low + self.sizes[name]

    def _whole(self, name: str) -> str:
        """What a value within another one lies in, itself not within any."""
        while name in self.narrow:
            name = self.views[name][0]
        return name

    def _check_rows(self, name: str, width: int, pitch: int) -> None:
        whole = self._whole(name)
        area, size = self._area(name), self.sizes[name]
        apart = self.pitch[whole] == pitch and self.sizes[whole] % pitch == 0
        if not apart or area.past > pitch or (size - width) % pitch:
            why = f"{width} bytes every {pitch} of {self.sizes[whole]} in {whole}"
            raise CompileError("rows outside of rows", name, why)

    def _area(self, name: str) -> _Area:
        """Where a value lies."""
        low, high = self._extent(name)
        whole = self._whole(name)
        while whole not in self.pitch and whole in self.views:  # a reshape of all of it
            whole = self.views[whole][0]
        if whole not in self.pitch or whole not in self.plan.offsets:
            return _Area(low, high)
        if name not in self.narrow and self._extent(name) != self._extent(whole):
            return _Area(low, high)  # some rows of it
        pitch = self.pitch[whole]
        if name not in self.narrow:
            return _Area(low, high, whole, 0, pitch)
        first = (low - self.plan.offsets[whole]) % pitch
        return _Area(low, high, whole, first, first + self.narrow[name][0])

    def _write(self, owner: str, area: _Area) -> None:
        if not area.whole:
            self.arena.write(area.low, area.high, owner)
            return
        rows, extent = self.rows[area.whole], self._extent(area.whole)
        if {found for _, found in self.arena.owners(*extent)} != {area.whole}:
            rows.segments.clear()  # there may be something else where rows were
            self.arena.write(*extent, area.whole)
        rows.write(area.first, area.past, owner)

    def _start_with(self, name: str, written: set[str]) -> None:
        root = name
        while root in self.views and self.views[root][0] not in written:
            root = self.views[root][0]
        self.fills[name] = {root}
        if root == name:
            self._write(name, self._area(name))

    def _read(self, name: str, reader: str) -> None:
        if name in self.plan.offsets:
            self._expect(name, self.fills.get(name, set()), f"{reader} reads")

    def _expect(self, name: str, owners: set[str], reads: str) -> None:
        area = self._area(name)
        pieces = self.arena.owners(area.low, area.high)
        if area.whole:
            others = [(at, owner) for at, owner in pieces if owner != area.whole]
            pieces = others or self.rows[area.whole].owners(area.first, area.past)
        for at, owner in pieces:
            if owner not in owners:
                found = owner or "nothing"
                raise CompileError(
                    "value overwritten before it is read",
                    f"{name} and {found}",
                    f"{reads} {name} but byte {at} holds {found}",
                )

    def _areas(self, step: Step) -> list[tuple[str, _Area]]:
        """(owner, area) of all that the step writes, scratch first; notes what fills what."""
        areas: list[tuple[str, _Area]] = []
        if step.scratch_bytes:
            low = self.plan.scratch[step.name]
            if low < 0 or low + step.scratch_bytes > self.plan.arena_bytes:
                raise CompileError("scratch outside the arena", step.name)
            areas.append((f"scratch of {step.name}", _Area(low, low + step.scratch_bytes)))
        for name in step.writes:
            if name not in self.plan.offsets:
                continue
            if name in self.views and self.views[name][0] in step.reads:
                self.fills[name] = self.fills[self.views[name][0]]
                continue
            parts = [p for p in step.reads if p in self.views and self.views[p][0] == name]
            self.fills[name] = {name}.union(*(self.fills[part] for part in parts))
            areas += [(name, area) for area in self._between(self._area(name), parts)]
        return areas

    def _between(self, area: _Area, parts: Sequence[str]) -> Iterator[_Area]:
        """What is left of an area beside the parts that lie in it."""
        inner = sorted(map(self._area, parts), key=lambda a: (a.first, a.low))
        by_row = area.whole and all(a.whole == area.whole for a in inner)
        at, past = (area.first, area.past) if by_row else (area.low, area.high)
        for a in inner:
            low, high = (a.first, a.past) if by_row else (a.low, a.high)
            if at < low:
                yield replace(area, first=at, past=low) if by_row else _Area(at, low)
            at = max(at, high)
        if at < past:
            yield replace(area, first=at, past=past) if by_row else _Area(at, past)

    def _keep_apart(self, step: Step, areas: list[tuple[str, _Area]]) -> None:
        """No output or scratch of a step may lie on another, or on an input unless in place."""
        reads = [name for name in dict.fromkeys(step.reads) if name in self.plan.offsets]
        for index, (name, area) in enumerate(areas):
            for other, its in areas[index + 1 :]:
                if area.meets(its):
                    raise CompileError("outputs overlap", f"{name} and {other}", step.name)
            for other in reads:
                if area.meets(self._area(other)) and not self._in_place(step, name, other):
                    why = f"step {step.name} writes {name} over {other}, which it reads"
                    raise CompileError("output overlaps an input", f"{name} and {other}", why)

    def _in_place(self, step: Step, output: str, source: str) -> bool:
        """Whether the step declares this overlap, directly or through a value on the same bytes."""
        for declared, over in step.inplace:
            if declared == output and over in self.plan.offsets:
                same = self._extent(over) == self._extent(source)
                if same and self._extent(output)[0] == self._extent(source)[0]:
                    return True
        return False
