"""compile: graph -> passes -> plan -> C -> built code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from whet.artifact.artifact import Artifact
from whet.artifact.choices import CHOICES_ENTRY, write_choices
from whet.artifact.graph import graph_entries
from whet.artifact.interface import Json, interface_of
from whet.compiler.build import object_code, shared_library
from whet.emit.c import model_c, model_h, model_units
from whet.emit.program import Program
from whet.errors import CompileError
from whet.ir.dim import UNBOUNDED, bounds
from whet.ir.graph import Graph
from whet.ir.type import Type
from whet.kernels.kernel import Choice
from whet.passes.pipeline import optimize
from whet.plan.memory import MemoryPlan
from whet.plan.patches import Patched, Room, plan_in_patches
from whet.plan.program import Aim, Planned, plan_program
from whet.session.pool import pool_c
from whet.session.session import Session
from whet.targets.host import features, host
from whet.targets.target import Target


@dataclass(frozen=True, slots=True)
class Compiled:
    """A model for one target: its program, its C and the built code.

    model: the graph as it was imported, which is the meaning; graph: the same after the passes.
    chosen: the choices of kernels it was told to take, by call. evidence: facts measured while it
    was made, for the artifact's card. notes: what its user should know, a line each. patched: what
    its room in memory has cost, where one was given.
    """

    model: Graph
    graph: Graph
    target: Target
    program: Program
    memory: MemoryPlan
    source: str
    header: str
    code: bytes
    chosen: Mapping[str, Choice] = field(default_factory=dict)
    evidence: Mapping[str, Json] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    patched: Patched | None = None

    def session(self, threads: int = 1) -> Session:
        """The model in this process."""
        return Session(interface_of(self.program), self.code, self.program.weights, threads)

    def artifact(self) -> Artifact:
        """The model as a `.whet` artifact, with what is known of it so far as evidence."""
        target = {"name": self.target.name, "triple": self.target.triple, "cpu": self.target.cpu}
        if self.target.name == "host":
            target["features"] = features(self.target)
        extras = graph_entries(self.model)
        extras[CHOICES_ENTRY] = write_choices(self.chosen)
        return Artifact(
            interface_of(self.program), target, self.source.encode(), self.header.encode(),
            self.code, self.program.weights, self.evidence, extras,
        )  # fmt: skip


def _check_sizes(graph: Graph) -> None:
    """Raises CompileError for an input whose size nobody has bounded: no arena would hold it."""
    for value in graph.inputs:
        for size in value.tensor.shape if isinstance(value.type, Type) else ():
            if bounds(size)[1] >= UNBOUNDED:
                raise CompileError(
                    f"the size {size} is free", str(value.node["name"]), f"type {value.type}",
                    f"--size {size}=1 (in Python sizes={{'{size}': 1}}), or {size}=1:8 for a range",
                )  # fmt: skip


def compile_graph(
    graph: Graph,
    target: Target | None = None,
    choices: Mapping[str, Choice] | None = None,
    room: Room | None = None,
) -> Compiled:
    """Compile a graph for a target (this machine by default).

    choices: what to take for kernel calls, by `call_key`, instead of what is likely the fastest.
    room: the arena it must do with, early layers in patches where that is too small for them.

    Raises:
        UnsupportedError: ops without a kernel on the target, all listed at once.
        CompileError: the graph could not be planned or built.
    """
    chosen = target or host()
    _check_sizes(graph)
    optimized = optimize(graph)

    def planner(graph: Graph, aim: Aim = Aim.FASTEST) -> Planned:
        return plan_program(graph, chosen, choices, aim)

    patched = plan_in_patches(optimized, planner, room) if room else None
    optimized = patched.graph if patched else optimized
    planned = patched.planned if patched else planner(optimized)
    source = model_c(planned.program)
    if chosen.emulator is None:
        units = model_units(planned.program, chosen.threads)
        pool = (pool_c(),) if planned.program.shared else ()
        code = shared_library((*units, *pool), chosen)
    else:
        code = object_code(source, chosen)
    return Compiled(
        graph,
        optimized,
        chosen,
        planned.program,
        planned.memory,
        source,
        model_h(planned.program),
        code,
        chosen=planned.chosen,
        notes=planned.notes,
        patched=patched,
    )
