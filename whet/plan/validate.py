"""An independent check of memory plans: it shares no code with the planner it checks.

`validate_placements` looks at geometry: rectangles in time and address. `validate_plan` runs the
steps on an imaginary arena in which every byte remembers the value last written there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

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
) -> None:
    """Check a plan against the steps it was made for; arguments as in `plan_memory`.

    Runs the steps in order and checks, for every read, that the bytes still hold that value; that
    no step writes what it reads unless the pair is declared in place; that scratch touches
    nothing; that outputs and pinned values are right at the end.

    Raises CompileError that names both values, the one expected and the one found.
    """
    views, pinned = views or {}, pinned or {}
    validate_placements(plan.placements, plan.arena_bytes)
    _check_addresses(plan, sizes, views, alignment)
    _Run(plan, steps, sizes, views).check(outputs, pinned)


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


class _Run:
    """One run of the steps on the imaginary arena.

    fills: value -> the owners that its bytes may have when it is read: itself, what it is a view
    of, and the parts that were written straight into it.
    """

    def __init__(
        self,
        plan: MemoryPlan,
        steps: Sequence[Step],
        sizes: Mapping[str, int],
        views: Mapping[str, tuple[str, int]],
    ) -> None:
        self.plan, self.steps, self.sizes, self.views = plan, steps, sizes, views
        self.arena = _Arena()
        self.fills: dict[str, set[str]] = {}

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
            for name, low, high in areas:
                self.arena.write(low, high, name)
        for name in (*outputs, *pinned.values()):
            self._read(name, "the end")
        for source, state in self.plan.copies:
            self._read(source, f"the copy to {state}")
            self.arena.write(*self._extent(state), source)
            self.fills.setdefault(source, {source})
        for state, source in pinned.items():
            self._expect(state, self.fills[source] | {source}, f"the next run reads {source} as")

    def _extent(self, name: str) -> tuple[int, int]:
        low = self.plan.offsets[name]
        return low, low + self.sizes[name]

    def _start_with(self, name: str, written: set[str]) -> None:
        root = name
        while root in self.views and self.views[root][0] not in written:
            root = self.views[root][0]
        self.fills[name] = {root}
        if root == name:
            self.arena.write(*self._extent(name), name)

    def _read(self, name: str, reader: str) -> None:
        if name in self.plan.offsets:
            self._expect(name, self.fills.get(name, set()), f"{reader} reads")

    def _expect(self, name: str, owners: set[str], reads: str) -> None:
        for at, owner in self.arena.owners(*self._extent(name)):
            if owner not in owners:
                found = owner or "nothing"
                raise CompileError(
                    "value overwritten before it is read",
                    f"{name} and {found}",
                    f"{reads} {name} but byte {at} holds {found}",
                )

    def _areas(self, step: Step) -> list[tuple[str, int, int]]:
        """(owner, low, high) of all that the step writes, scratch first; notes what fills what."""
        areas = []
        if step.scratch_bytes:
            low = self.plan.scratch[step.name]
            if low < 0 or low + step.scratch_bytes > self.plan.arena_bytes:
                raise CompileError("scratch outside the arena", step.name)
            areas.append((f"scratch of {step.name}", low, low + step.scratch_bytes))
        for name in step.writes:
            if name not in self.plan.offsets:
                continue
            if name in self.views and self.views[name][0] in step.reads:
                self.fills[name] = self.fills[self.views[name][0]]
                continue
            parts = [p for p in step.reads if p in self.views and self.views[p][0] == name]
            self.fills[name] = {name}.union(*(self.fills[part] for part in parts))
            low, high = self._extent(name)
            for start, end in sorted(self._extent(part) for part in parts):
                areas.append((name, low, start))
                low = max(low, end)
            areas.append((name, low, high))
        return [area for area in areas if area[1] < area[2]]

    def _keep_apart(self, step: Step, areas: list[tuple[str, int, int]]) -> None:
        """No output or scratch of a step may lie on another, or on an input unless in place."""
        reads = [name for name in dict.fromkeys(step.reads) if name in self.plan.offsets]
        for index, (name, low, high) in enumerate(areas):
            for other, start, end in areas[index + 1 :]:
                if low < end and start < high:
                    raise CompileError("outputs overlap", f"{name} and {other}", step.name)
            for other in reads:
                start, end = self._extent(other)
                if low < end and start < high and not self._in_place(step, name, other):
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
