"""Random straight-line programs with views, in-place pairs and states, for properties."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

from whet.plan import Buffer, MemoryPlan, Step, plan_memory, validate_plan

SIZES = st.sampled_from([0, 1, 64, 64, 100, 128, 192, 256, 640])


@dataclass
class Program:
    """The arguments of `plan_memory`."""

    steps: list[Step] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    views: dict[str, tuple[str, int]] = field(default_factory=dict)
    pinned: dict[str, str] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()

    def states_swap(self) -> bool:
        """Whether a state's next value lies in another state, which may be a cycle."""
        return any(
            self._root(following) in map(self._root, self.pinned)
            for state, following in self.pinned.items()
            if following != state
        )

    def _root(self, name: str) -> str:
        while name in self.views:
            name = self.views[name][0]
        return name

    def plan(self, effort: int = 200, *, shared: bool = False) -> MemoryPlan:
        return plan_memory(
            self.steps,
            self.sizes,
            views=self.views,
            pinned=self.pinned,
            outputs=self.outputs,
            effort=effort,
            shared=shared,
        )

    def validate(self, plan: MemoryPlan) -> None:
        validate_plan(
            plan,
            self.steps,
            self.sizes,
            views=self.views,
            pinned=self.pinned,
            outputs=self.outputs,
        )


@st.composite
def programs(draw: st.DrawFn, max_steps: int = 10) -> Program:
    """Straight-line programs; every value is read after it is written."""
    program = Program()
    sizes = program.sizes
    states = [f"s{k}" for k in range(draw(st.integers(0, 2)))]
    known = [*states, *(f"in{k}" for k in range(draw(st.integers(0, 2))))]
    for name in known:
        sizes[name] = draw(SIZES)
    for index in range(draw(st.integers(1, max_steps))):
        kind = draw(st.sampled_from(["compute", "compute", "compute", "view", "concat"]))
        free = [v for v in known if v not in program.views]
        if kind == "view" and known:
            _add_view(draw, program, index, known)
        elif kind == "concat" and len(free) > 1:
            _add_concat(draw, program, index, known, free)
        else:
            _add_compute(draw, program, index, known)
    for state in states:
        same = [v for v in known if sizes[v] == sizes[state] and v not in states]
        program.pinned[state] = draw(st.sampled_from([state, *same]))
    program.outputs = tuple(draw(st.sets(st.sampled_from(known), max_size=2)))
    return program


def _add_compute(draw: st.DrawFn, program: Program, index: int, known: list[str]) -> None:
    reads = draw(st.lists(st.sampled_from(known), max_size=3)) if known else []
    writes = [f"v{index}_{k}" for k in range(draw(st.integers(1, 2)))]
    for name in writes:
        same = [program.sizes[read] for read in reads]
        program.sizes[name] = draw(st.sampled_from(same) if same else SIZES)
    inplace = [
        (out, read) for out in writes for read in dict.fromkeys(reads) if draw(st.booleans())
    ]
    scratch = draw(st.sampled_from([0, 0, 0, 64, 200]))
    program.steps.append(Step(f"step{index}", tuple(reads), tuple(writes), tuple(inplace), scratch))
    known.extend(writes)


def _add_view(draw: st.DrawFn, program: Program, index: int, known: list[str]) -> None:
    source = draw(st.sampled_from(known))
    size = program.sizes[source]
    low, high = sorted((draw(st.integers(0, size)), draw(st.integers(0, size))))
    name = f"v{index}"
    program.sizes[name] = high - low
    program.views[name] = (source, low)
    program.steps.append(Step(f"step{index}", (source,), (name,)))
    known.append(name)


def _add_concat(
    draw: st.DrawFn, program: Program, index: int, known: list[str], free: list[str]
) -> None:
    parts = draw(st.lists(st.sampled_from(free), min_size=2, max_size=3, unique=True))
    name, total = f"c{index}", 0
    for part in parts:
        if draw(st.booleans()):
            program.views[part] = (name, total)
        total += program.sizes[part]
    program.sizes[name] = total
    program.steps.append(Step(f"step{index}", tuple(parts), (name,)))
    known.append(name)


@st.composite
def buffer_lists(draw: st.DrawFn, max_size: int = 12, unit: int = 64) -> list[Buffer]:
    """Buffers with short lifetimes and sizes of a few units, some not whole units."""
    buffers = []
    for index in range(draw(st.integers(1, max_size))):
        start = draw(st.integers(0, 8))
        end = start + draw(st.integers(1, 5))
        size = draw(st.integers(0, 6)) * unit + draw(st.sampled_from([0, 0, 1]))
        buffers.append(Buffer(f"b{index}", size, start, end, unit))
    return buffers
