"""Where a model's time goes: every step of a run timed alone, on the data it really gets."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from whet.artifact.interface import interface_of
from whet.compiler.build import shared_library
from whet.compiler.pipeline import Compiled
from whet.emit.program import Action, Bind, Copy, Step, Strips
from whet.emit.steps import EMPTY_STEP, STEP_NAME, steps_c
from whet.ir.graph import Graph
from whet.ir.node import Array, Node
from whet.ops.cost import Cost, cost
from whet.session.library import aligned
from whet.session.session import Session

# struct model_host: two pointers and two statuses.
HOST_BYTES = 24
# A step shorter than this is repeated, because a single call from here is only good to that.
SHORT_SECONDS = 20e-6
REPEATS = 50
# What remains unknown of a repeated step.
RESOLUTION = 1e-8


@dataclass(frozen=True, slots=True)
class StepTime:
    """One step: the user's layer, the kernel it runs on, seconds at best, and what it costs."""

    layer: str
    kernel: str
    seconds: float
    cost: Cost


def profile(compiled: Compiled, inputs: Mapping[str, Array], runs: int = 30) -> list[StepTime]:
    """The least time of each step over `runs` runs on one thread, good to RESOLUTION.

    Steps are called one by one from here; the time of such a call itself is measured and taken off.
    Short steps are timed over repeats, so that their operands are in the cache.

    Raises:
        CompileError: the step functions could not be built.
    """
    session = _StepSession(compiled)
    for _ in range(runs + 1):
        session(inputs)
    least = [max(RESOLUTION, t) for t in session.settled()]
    steps = compiled.program.main.steps
    costs = _costs(compiled.graph, steps)
    return [
        StepTime(*_names(step), seconds, spent)
        for step, seconds, spent in zip(steps, least, costs, strict=True)
    ]


class _StepSession(Session):
    """A session that runs the steps one by one and keeps the least time of each."""

    def __init__(self, compiled: Compiled) -> None:
        program = compiled.program
        code = shared_library((steps_c(program),), compiled.target)
        super().__init__(interface_of(program), code, program.weights)
        count = len(program.main.steps)
        self._steps = [self._library[STEP_NAME.format(i)] for i in range(count)]
        self._host = aligned(HOST_BYTES)
        self._empty = self._library[EMPTY_STEP]
        self.least = [float("inf")] * count
        self.repeated = [float("inf")] * count
        self.overhead = self.repeated_overhead = float("inf")

    def _runner(self) -> Callable[[], int]:
        return self._run_steps

    def _run_steps(self) -> int:
        dims = [self._dims] if self.interface.symbols else []
        host = ctypes.c_void_p(self._host.ctypes.data)
        arguments = [self._given, self._made, *self._memory, *dims, 0, 1, host]
        for i, step in enumerate(self._steps):
            status, seconds = _timed(step, arguments, 1)
            self.least[i] = min(self.least[i], seconds)
            if status:
                return status
            if self.least[i] < SHORT_SECONDS:
                self.repeated[i] = min(self.repeated[i], self._repeat(step, arguments))
        self.overhead = min(self.overhead, _timed(self._empty, arguments, 1)[1])
        again = _timed(self._empty, arguments, REPEATS)[1]
        self.repeated_overhead = min(self.repeated_overhead, again)
        return 0

    def _repeat(self, step: Callable[..., int], arguments: Sequence[object]) -> float:
        """Seconds of a repeated step; memory is put back as its first run left it."""
        kept = self._arena.copy()
        status, seconds = _timed(step, arguments, REPEATS)
        self._arena[:] = kept
        self._host[:] = 0
        return float("inf") if status else seconds

    def settled(self) -> list[float]:
        """Seconds of each step without the call: repeated where that was possible."""
        return [
            again - self.repeated_overhead if again < float("inf") else once - self.overhead
            for once, again in zip(self.least, self.repeated, strict=True)
        ]


class TimedSession(Session):
    """A session that keeps the seconds of each call of the built code, without Python's part."""

    def __init__(self, compiled: Compiled) -> None:
        program = compiled.program
        super().__init__(interface_of(program), compiled.code, program.weights)
        self.seconds: list[float] = []

    def _runner(self) -> Callable[[], int]:
        run = super()._runner()

        def timed() -> int:
            start = time.perf_counter()
            status = run()
            self.seconds.append(time.perf_counter() - start)
            return status

        return timed


def built_seconds(compiled: Compiled, inputs: Mapping[str, Array], runs: int = 300) -> list[float]:
    """Seconds of `runs` calls of the built code on one thread, without preparing arrays."""
    session = TimedSession(compiled)
    for _ in range(runs):
        session(inputs)
    return session.seconds


def _timed(
    function: Callable[..., int], arguments: Sequence[object], repeats: int
) -> tuple[int, float]:
    """The last status, and the seconds of one of `repeats` calls."""
    status = 0
    start = time.perf_counter()
    for _ in range(repeats):
        status = function(*arguments)
    return status, (time.perf_counter() - start) / repeats


def _names(step: Action) -> tuple[str, str]:
    if isinstance(step, Step):
        return step.origin or step.stage.title, step.stage.lowered.kernel
    if isinstance(step, Strips):
        names = [_names(link.step)[0] for link in step.links]
        return f"{names[0]} ... {names[-1]}", f"{len(names)} in strips"
    return ("a size", "bind") if isinstance(step, Bind) else ("an output or a state", "copy")


def _costs(graph: Graph, steps: tuple[Action, ...]) -> list[Cost]:
    """The cost of each step; what strips hold does not move."""
    nodes = [node for node in graph.nodes if node.op.family != "leaf"]
    found: list[Cost] = []
    for step in steps:
        if isinstance(step, Step):
            found.append(_cost(step, nodes))
        elif isinstance(step, Strips):
            held = sum(2 * link.rows * link.row_bytes for link in step.links[:-1])
            total = sum((_cost(link.step, nodes) for link in step.links), Cost())
            found.append(total + Cost(moved_bytes=-held))
        else:
            nbytes = step.nbytes if isinstance(step, Copy) else 8
            found.append(Cost(0, 0, 2 * nbytes if isinstance(nbytes, int) else 0))
    return found


def _cost(step: Step, nodes: list[Node]) -> Cost:
    """The cost of the first of the nodes that the step computes, which is taken off them."""
    for index, node in enumerate(nodes):
        made = ", ".join(str(v.type) for v in node.outputs)
        head = f"{node.origin or node.op.name}: {node.op.name} "
        if step.stage.title.startswith(head) and step.stage.title.endswith(f"-> {made}"):
            return cost(nodes.pop(index))
    return Cost()
