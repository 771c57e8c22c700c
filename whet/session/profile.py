"""Where a model's time goes: every step of a run timed alone, on the data it really gets."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from whet.artifact.interface import interface_of
from whet.compile.build import shared_library
from whet.compile.pipeline import Compiled
from whet.emit.program import Bind, Copy, Step
from whet.emit.steps import EMPTY_STEP, STEP_NAME, steps_c
from whet.ir.graph import Graph
from whet.ir.node import Array
from whet.ops.cost import Cost, cost
from whet.session.library import aligned
from whet.session.session import Session

# struct model_host: two pointers and a status.
HOST_BYTES = 24


@dataclass(frozen=True, slots=True)
class StepTime:
    """One step: the user's layer, the kernel it runs on, seconds at best, and what it costs."""

    layer: str
    kernel: str
    seconds: float
    cost: Cost


def profile(compiled: Compiled, inputs: Mapping[str, Array], runs: int = 30) -> list[StepTime]:
    """The least time of each step over `runs` runs on one thread.

    Steps are called one by one from here; the time of such a call itself is measured and taken off.

    Raises:
        CompileError: the step functions could not be built.
    """
    session = _StepSession(compiled)
    for _ in range(runs + 1):
        session(inputs)
    least = [max(0.0, t - session.overhead) for t in session.least]
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
        code = shared_library(steps_c(program), compiled.target)
        super().__init__(interface_of(program), code, program.weights)
        count = len(program.main.steps)
        self._steps = [getattr(self._library, STEP_NAME.format(i)) for i in range(count)]
        self._host = aligned(HOST_BYTES)
        self._empty = getattr(self._library, EMPTY_STEP)
        self.least = [float("inf")] * count
        self.overhead = float("inf")

    def _call(self, inputs: object, outputs: object) -> int:
        dims = [self._dims] if self.interface.symbols else []
        memory = [ctypes.c_void_p(a.ctypes.data) for a in (self._arena, self._weights)]
        host = ctypes.c_void_p(self._host.ctypes.data)
        arguments = [inputs, outputs, *memory, *dims, 0, 1, host]
        for i, step in enumerate(self._steps):
            status, seconds = _timed(step, arguments)
            self.least[i] = min(self.least[i], seconds)
            if status:
                return status
        _, seconds = _timed(self._empty, arguments)
        self.overhead = min(self.overhead, seconds)
        return 0


def _timed(function: Callable[..., int], arguments: Sequence[object]) -> tuple[int, float]:
    start = time.perf_counter()
    status = function(*arguments)
    return status, time.perf_counter() - start


def _names(step: Step | Bind | Copy) -> tuple[str, str]:
    if isinstance(step, Step):
        return step.origin or step.stage.title, step.stage.lowered.kernel
    return ("a size", "bind") if isinstance(step, Bind) else ("an output or a state", "copy")


def _costs(graph: Graph, steps: tuple[Step | Bind | Copy, ...]) -> list[Cost]:
    """The cost of each step: steps follow the order of the nodes, of which views make none."""
    nodes = iter([node for node in graph.nodes if node.op.family != "leaf"])
    found: list[Cost] = []
    for step in steps:
        if not isinstance(step, Step):
            nbytes = step.nbytes if isinstance(step, Copy) else 8
            found.append(Cost(0, 0, 2 * nbytes if isinstance(nbytes, int) else 0))
            continue
        for node in nodes:
            made = ", ".join(str(v.type) for v in node.outputs)
            head = f"{node.origin or node.op.name}: {node.op.name} "
            if step.stage.title.startswith(head) and step.stage.title.endswith(f"-> {made}"):
                found.append(cost(node))
                break
        else:
            found.append(Cost())
    return found
