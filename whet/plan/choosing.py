"""Lowering nodes as they were chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from whet.emit.lowered import Lowered
from whet.ir.node import Node
from whet.kernels.call import call_key
from whet.kernels.kernel import Choice, choices, lower, lower_by_rows
from whet.targets.target import Target

__all__ = ["Choosing"]


@dataclass(frozen=True, slots=True)
class Choosing:
    """Lowers nodes as chosen; keeps the choices it took, and notes those that do not fit."""

    target: Target
    chosen: Mapping[str, Choice]
    taken: dict[str, Choice] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def lower(self, node: Node) -> Lowered:
        key = call_key(node) if self.chosen else ""
        choice = self.chosen.get(key)
        if choice is not None and choice in choices(node, self.target):
            self.taken[key] = choice
        elif choice is not None:
            self.notes.append(
                f"{node.origin or node.op.name}: left out the choice {choice}, which does not fit"
                f" on {self.target.name}"
            )
            choice = None
        return lower(node, self.target, choice)

    def by_rows(self, node: Node) -> Lowered | None:
        choice = self.taken.get(call_key(node)) if self.taken else None
        return lower_by_rows(node, self.target, choice)
