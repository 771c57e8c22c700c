"""`plan_memory`: steps in, the offset of every value in one arena out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from whet.errors import CompileError
from whet.plan.alias import Homes, find_homes
from whet.plan.bands import in_bands
from whet.plan.lifetime import Buffer, Placement, Step
from whet.plan.pack import DEFAULT_EFFORT, pack

__all__ = ["MemoryPlan", "buffers_of", "plan_memory"]


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Where everything lives in the arena.

    offsets: value -> byte offset. scratch: step -> byte offset of its scratch memory.
    arena_bytes: the arena to provide; lower_bound: the most bytes that live at once, below which
    no packing of these steps can go. optimal: whether arena_bytes is proved least for this order.
    copies: (value, pinned value) pairs for the caller to copy after the last step, in this order.
    placements: the buffers behind the offsets, one for every root and every scratch.
    """

    offsets: Mapping[str, int]
    scratch: Mapping[str, int]
    arena_bytes: int
    lower_bound: int
    optimal: bool
    copies: tuple[tuple[str, str], ...]
    placements: tuple[Placement, ...]

    @property
    def gap(self) -> float:
        """Arena over lower bound, less one: 0.03 is 3 % above the bound."""
        return self.arena_bytes / self.lower_bound - 1 if self.lower_bound else 0.0


def plan_memory(
    steps: Sequence[Step],
    sizes: Mapping[str, int],
    *,
    views: Mapping[str, tuple[str, int]] | None = None,
    pinned: Mapping[str, str] | None = None,
    outputs: Collection[str] = (),
    alignment: int = 64,
    effort: int = DEFAULT_EFFORT,
    shared: bool = False,
) -> MemoryPlan:
    """Give every value of the steps an offset in one arena, as small as effort can make it.

        steps            sizes            arena, bytes up, steps to the right

        conv  x -> a     x 64, a 192      256 ┌──────┐      ┌──────┐
        relu  a -> b     b 192                │  x   │      │  c   │
        pool  b -> c     c 64             192 ├──────┴──────┴──────┤
                                              │  a = b (in place)  │
                                            0 └────────────────────┘

    steps: in the order they run; see `whet.plan.order` to choose it.
    sizes: value -> bytes, for every value that lives in the arena. A value without a size is
        external (weights, buffers of the user): it is read and written elsewhere.
    views: value -> (value, byte offset): it holds the very bytes of the other one, there. For a
        step that reshapes or slices x, `{"y": ("x", offset)}`; for c = concat(a, b) the inputs
        are written straight into c: `{"a": ("c", 0), "b": ("c", size of a)}`. Such a step is
        listed though it has nothing (or, where only some inputs are views, less) to do.
    pinned: state -> the value it takes on after the run, itself if it stays. A state keeps its
        place the entire time; its next value is written over it if the step that makes it allows
        that `inplace` and nothing reads the state later; else it is in `copies`.
    outputs: values that must be intact after the last step.
    alignment: bytes, a power of two; roots and the arena are multiples of it.
    effort: search nodes to spend above the greedy portfolio when that misses the lower bound.
    shared: whether threads share the steps; the arena may then be a little larger
        (`whet.plan.bands`).

    A sized value that no step writes is an input: in the arena from the first step on.

    Raises CompileError for values read before written or written twice, views outside their root
    or without their step, in-place pairs that are not of their step, and pinned values that swap.
    """
    views, pinned = views or {}, pinned or {}
    _check_names(steps, sizes, views, pinned, outputs)
    homes = find_homes(steps, sizes, views, pinned, outputs, alignment)
    buffers = _buffers(steps, homes, pinned, alignment)
    packing = pack(buffers, effort)
    packing = in_bands(packing) if shared else packing
    place = {p.buffer.name: p.offset for p in packing.placements}
    return MemoryPlan(
        offsets={name: place[root] + shift for name, (root, shift) in homes.home.items()},
        scratch={s.name: place[_scratch(s)] for s in steps if s.scratch_bytes},
        arena_bytes=packing.arena_bytes,
        lower_bound=packing.lower_bound,
        optimal=packing.optimal,
        copies=_copies(homes, pinned),
        placements=packing.placements,
    )


def _check_names(
    steps: Sequence[Step],
    sizes: Mapping[str, int],
    views: Mapping[str, tuple[str, int]],
    pinned: Mapping[str, str],
    outputs: Collection[str],
) -> None:
    names = [step.name for step in steps]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise CompileError("two steps share a name", twice)
    for name, size in sizes.items():
        if size < 0:
            raise CompileError("negative size", name, f"{size} bytes")
    known = set(sizes) | {name for s in steps for name in (*s.reads, *s.writes)}
    for role, group in (("view", views), ("pinned value", pinned), ("output", outputs)):
        for name in group:
            if name not in known:
                raise CompileError(f"unknown {role}", name, "no step and no size names it")
    written = {name for step in steps for name in step.writes}
    for state, following in pinned.items():
        if state not in sizes:
            raise CompileError("pinned value without a size", state)
        if sizes.get(following, sizes[state]) != sizes[state]:
            why = f"{sizes[state]} bytes become {sizes[following]}"
            raise CompileError("pinned value changes size", f"{state} to {following}", why)
        if state in written:
            raise CompileError(
                "pinned value written by a step", state, hint="name the value it takes on instead"
            )


def buffers_of(
    steps: Sequence[Step],
    sizes: Mapping[str, int],
    views: Mapping[str, tuple[str, int]],
    pinned: Mapping[str, str],
    outputs: Collection[str],
    alignment: int,
) -> list[Buffer]:
    """The buffers that the steps need in the order given; arguments as in `plan_memory`."""
    homes = find_homes(steps, sizes, views, pinned, outputs, alignment)
    return _buffers(steps, homes, pinned, alignment)


def _scratch(step: Step) -> str:
    return f"{step.name} (scratch)"


def _buffers(
    steps: Sequence[Step], homes: Homes, pinned: Mapping[str, str], alignment: int
) -> list[Buffer]:
    """One buffer for every root, in the order of its first value, and one for every scratch."""
    buffers = []
    for root, members in homes.members.items():
        start, end = homes.root_span(root)
        if any(name in pinned for name in members):
            start, end = 0, homes.count
        buffers.append(Buffer(root, homes.size[root], start, end, alignment))
    for index, step in enumerate(steps):
        if step.scratch_bytes:
            name = _scratch(step)
            if name in homes.members:
                raise CompileError("a value has the name of a scratch buffer", name)
            buffers.append(Buffer(name, step.scratch_bytes, index, index + 1, alignment))
    return buffers


def _copies(homes: Homes, pinned: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Copies that bring pinned values up to date, none overwriting what a later one reads."""
    waiting = [
        (source, state)
        for state, source in pinned.items()
        if homes.home.get(source) != homes.home[state]
    ]
    done: list[tuple[str, str]] = []
    while waiting:
        for pair in waiting:
            others = (source for source, state in waiting if state != pair[1])
            if not any(_overlap(homes, pair[1], source) for source in others):
                break
        else:
            names = ", ".join(state for _, state in waiting)
            hint = "let a step copy one of them to a value of its own"
            raise CompileError("pinned values swap places", names, hint=hint)
        waiting.remove(pair)
        done.append(pair)
    return tuple(done)


def _overlap(homes: Homes, a: str, b: str) -> bool:
    """Whether two values share bytes, by their homes."""
    if b not in homes.home or homes.home[a][0] != homes.home[b][0]:
        return False
    low_a, low_b = homes.home[a][1], homes.home[b][1]
    return low_a < low_b + homes.size[b] and low_b < low_a + homes.size[a]
