"""The passes in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from whet.ir.graph import Graph
from whet.passes.fold import fold_constants
from whet.rewrite.driver import rewrite
from whet.rewrite.rule import Rule


@dataclass(frozen=True, slots=True)
class Pass:
    """A named step Graph -> Graph."""

    name: str
    run: Callable[[Graph], Graph]


def rules(name: str, *chosen: Rule) -> Pass:
    """A pass that applies rules until none applies."""
    return Pass(name, lambda graph: rewrite(graph, chosen))


PASSES: tuple[Pass, ...] = (rules("fold", fold_constants),)


def optimize(graph: Graph, observe: Callable[[str, Graph], None] | None = None) -> Graph:
    """All passes in order; `observe` sees the graph before the first and after each."""
    if observe:
        observe("import", graph)
    for step in PASSES:
        graph = step.run(graph)
        if observe:
            observe(step.name, graph)
    return graph
