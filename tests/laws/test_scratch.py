"""No kernel writes beyond the scratch that is planned for it, or reads what it did not write.

The scratch of each step is moved behind the arena, where it lies alone between canaries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from itertools import zip_longest
from pkgutil import iter_modules

import numpy as np
import pytest

import whet.kernels
from tests.laws.agreement import Arrays, random_inputs
from tests.laws.random_images import Chain
from tests.laws.scratch_graphs import scratch_graphs, signals, together
from tests.laws.test_choices import PRECISIONS, contractions, layers
from whet.artifact.interface import interface_of
from whet.compiler.build import shared_library
from whet.emit.c import model_units
from whet.emit.program import Action, Place, Program, Step, Strips
from whet.ir.graph import Graph
from whet.kernels import share
from whet.kernels.call import call_key
from whet.kernels.kernel import Choice, choices
from whet.passes.pipeline import optimize
from whet.plan import program, strips
from whet.plan.program import plan_program
from whet.session.pool import pool_c
from whet.session.session import Session
from whet.targets.host import host, levels
from whet.targets.target import Target

THREADS, APART, SAMPLED = 2, 128, 4
GRAPHS = scratch_graphs()


@pytest.fixture(autouse=True)
def everything_is_split(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share, "WORTH", 0.0)
    monkeypatch.setattr(share, "GRAIN", 8)
    monkeypatch.setattr(share, "TOGETHER", 0)
    monkeypatch.setattr(program, "SHORTEST_NANOSECONDS", 0)
    monkeypatch.setattr(strips, "LARGE", 1 << 30)
    monkeypatch.setattr(strips, "LESS", 1 << 30)


def small(level: str) -> Target:
    """A machine whose first cache holds little, so that weights that are read again are digits."""
    return replace(host(level), threads=THREADS, l1=16 << 10)


@dataclass
class Guarded:
    """A program whose scratch lies behind its arena. regions: [low, high) of each thread's, and
    whose it is."""

    program: Program
    regions: list[tuple[int, int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        main = self.program.main
        self.begin = self.end = -(-main.arena // APART) * APART
        steps = tuple(self.moved(step) for step in main.steps)
        self.program = replace(self.program, main=replace(main, steps=steps, arena=self.end))

    def moved(self, action: Action) -> Action:
        if isinstance(action, Strips):
            ends = [v.scratch.offset + v.stage.lowered.scratch_each for v in scratched(action)]
            name = " and ".join(kernels(action))
            place, each = self.placed(max(ends, default=action.each), THREADS, name)
            return replace(action, memory=place, each=each)
        if not isinstance(action, Step) or action.scratch is None:
            return action
        lowered, (name,) = action.stage.lowered, kernels(action)
        if lowered.scratch_each:
            place, each = self.placed(lowered.scratch_each, THREADS, name)
            return replace(action, scratch=place, each=each)
        return replace(action, scratch=self.placed(lowered.scratch, 1, name)[0])

    def placed(self, size: int, times: int, name: str) -> tuple[Place, int]:
        """A place for so many bytes so many times, and how far apart they are."""
        first, each = self.end + APART, -(-size // APART) * APART + APART
        lows = [first + i * each for i in range(times)]
        self.regions += [(low, low + size, name) for low in lows]
        self.end = first + times * each
        return Place("arena", first), each


class Watched(Session):
    """A session of a guarded program."""

    def __init__(self, guarded: Guarded, code: bytes, threads: int) -> None:
        made = guarded.program
        super().__init__(interface_of(made), code, made.weights, threads)
        self.begin, self.regions = guarded.begin, guarded.regions
        self.behind = self._arena[guarded.begin : guarded.end]
        self.canary = np.random.default_rng(1).integers(0, 256, len(self.behind), np.uint8)
        self.inside = np.zeros(len(self.behind), bool)
        for low, high, _ in self.regions:
            self.inside[low - self.begin : high - self.begin] = True

    def fill(self, byte: int) -> None:
        self.behind[:] = np.where(self.inside, np.uint8(byte), self.canary)

    def blamed(self) -> set[str]:
        """Whose scratch lies beside canaries that are no more what they were."""
        changed = np.flatnonzero((self.behind != self.canary) & ~self.inside) + self.begin
        return {
            min(self.regions, key=lambda r: max(r[0] - at, at - r[1]))[2] for at in changed.tolist()
        }


def scratched(action: Action) -> list[Step]:
    """The steps that have scratch, in strips or alone."""
    steps = [link.step for link in action.links] if isinstance(action, Strips) else [action]
    return [step for step in steps if isinstance(step, Step) and step.scratch is not None]


def kernels(action: Action) -> list[str]:
    where = " in strips" * isinstance(action, Strips)
    return [step.stage.lowered.kernel + where for step in scratched(action)]


def build(
    graph: Graph, target: Target, chosen: Mapping[str, Choice] | None = None
) -> tuple[Guarded, bytes]:
    planned = plan_program(optimize(graph), target, chosen)
    assert planned.program.shared
    guarded = Guarded(planned.program)
    return guarded, shared_library((*model_units(guarded.program, THREADS), pool_c()), target)


def check(guarded: Guarded, code: bytes, inputs: Arrays) -> None:
    """Run a graph for one thread and two, with scratch of zeros and of not-a-numbers."""
    expected: dict[str, bytes] = {}
    for threads in range(1, THREADS + 1):
        session = Watched(guarded, code, threads)
        for byte in (0, 255):
            session.fill(byte)
            made = {name: a.tobytes() for name, a in session(inputs).items()}
            assert not session.blamed(), f"too little scratch: {session.blamed()}"
            wrong = [name for name in made if made[name] != expected.setdefault(name, made[name])]
            assert not wrong, f"{wrong} by {threads} threads with scratch of {byte}"


def written(guarded: Guarded, code: bytes, inputs: Arrays) -> set[str]:
    """Whose scratch one thread writes to."""
    session = Watched(guarded, code, 1)
    session.behind[:] = session.canary
    session(inputs)
    changed = np.concatenate([np.zeros(guarded.begin, bool), session.behind != session.canary])
    return {name for low, high, name in guarded.regions if changed[low:high].any()}


def random_of(graph: Graph) -> Arrays:
    return random_inputs(graph, np.random.default_rng(2))


def test_every_kernel_with_scratch_is_here() -> None:
    names = [module.name for module in iter_modules(whet.kernels.__path__)]
    asking = {n for n in names if hasattr(import_module(f"whet.kernels.{n}"), "Scratch")}
    assert {*asking, "control"} == set(GRAPHS)
    for name, graphs in GRAPHS.items():
        for graph in graphs:
            steps = plan_program(optimize(graph), small("native")).program.main.steps
            assert any(map(scratched, steps)), name


def test_a_line_less_is_seen() -> None:
    graph = signals()
    guarded, code = build(graph, small("native"))
    inputs = random_of(graph)
    guarded.regions = [(low, high - 64, name) for low, high, name in guarded.regions]
    with pytest.raises(AssertionError, match=r"too little scratch: .'rfft'"):
        check(guarded, code, inputs)


@pytest.mark.parametrize(
    "level", ["native", *(pytest.param(level, marks=pytest.mark.slow) for level in levels())]
)
def test_scratch_is_enough(level: str) -> None:
    graph = together(graph for graphs in GRAPHS.values() for graph in graphs)
    guarded, code = build(graph, small(level))
    assert any("conv_s8 in strips" in name for *_, name in guarded.regions)
    check(guarded, code, random_of(graph))
    assert written(guarded, code, random_of(graph)) == {name for *_, name in guarded.regions}


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS)
def test_scratch_of_choices_is_enough(precision: str) -> None:
    graph, target = layers(precision), small("native")
    nodes, inputs = contractions(graph), random_of(graph)
    spaces = [choices(node, target) for node in nodes]
    sampled = [space[:: -(-len(space) // SAMPLED)] for space in spaces]
    for chosen in zip_longest(*sampled):
        pairs = zip(nodes, chosen, strict=True)
        named = {call_key(node): choice for node, choice in pairs if choice is not None}
        check(*build(graph, target, named), inputs)


@pytest.mark.slow
@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_scratch_of_random_images_is_enough(seed: int, quantized: bool) -> None:
    graph = Chain(500 + seed, quantized).graph(8)
    check(*build(graph, small("native")), random_of(graph))
