"""Rule: one rewriting of one kind of node, true alone. Order changes quality, never meaning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from whet.ir.graph import Graph
from whet.ir.node import Node, Op, Value

Uses = Callable[[Value], int]
Replacement = Value | tuple[Value, ...] | None
Rewrite = Callable[[Node, Uses], Replacement]
Example = Callable[[], Graph]


@dataclass(frozen=True, slots=True)
class Rule:
    """rewrite(node, uses) gives what replaces the node's outputs, or None where it does not apply.

    ops: the kinds of node it looks at (empty: all). uses(value) is how many nodes and outputs
    read a value. The docstring of `rewrite` shows `before -> after`; `example` builds a graph on
    which the rule must fire, for the law that both sides mean the same.
    """

    name: str
    ops: tuple[Op, ...]
    rewrite: Rewrite
    example: Example | None = None


def rule(*ops: Op, example: Example | None = None) -> Callable[[Rewrite], Rule]:
    """Make a Rule of a function."""

    def wrap(rewrite: Rewrite) -> Rule:
        return Rule(rewrite.__name__, ops, rewrite, example)

    return wrap
