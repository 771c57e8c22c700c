"""Kernel: a way to compute one op on a target, and the registry that picks one for a node."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from whet.emit.program import Lowered
from whet.errors import UnsupportedError, UnsupportedOp
from whet.ir.node import Node, Op
from whet.ir.type import Type
from whet.targets.target import Target

Lower = Callable[[Node, Target], Lowered | None]


@dataclass(frozen=True, slots=True)
class Kernel:
    """lower(node, target) gives the statements, or None where the kernel does not fit the node."""

    name: str
    lower: Lower


_registry: dict[Op, list[Kernel]] = {}


def kernel(name: str, *ops: Op, fallback: bool = False) -> Callable[[Lower], Lower]:
    """Register a lowering for ops; later registrations are tried first, fallbacks after all."""

    def register(lower: Lower) -> Lower:
        for op in ops:
            chosen = _registry.setdefault(op, [])
            chosen.insert(len(chosen) if fallback else 0, Kernel(name, lower))
        return lower

    return register


@cache
def load_all() -> None:
    """Import every file of kernels, which registers them."""
    package = import_module("whet.kernels")
    for module in iter_modules(package.__path__):
        import_module(f"whet.kernels.{module.name}")


def kernels_for(op: Op) -> tuple[Kernel, ...]:
    """The kernels of an op, the preferred first."""
    return tuple(_registry.get(op, ()))


def lower(node: Node, target: Target) -> Lowered:
    """The statements of the first kernel that fits.

    Raises:
        UnsupportedError: no kernel computes this node on this target.
    """
    if node.outputs and all(isinstance(t, Type) and t.elements == 0 for t in node.types):
        return Lowered((), kernel="empty")
    for candidate in kernels_for(node.op):
        lowered = candidate.lower(node, target)
        if lowered is not None:
            return lowered if lowered.kernel else _named(lowered, candidate.name)
    types = ", ".join(str(v.type) for v in node.inputs if v is not None)
    reason = f"no kernel on {target.name} for {types}"
    raise UnsupportedError([UnsupportedOp(node.op.name, node.origin, reason)])


def unsupported(nodes: Iterable[Node], target: Target) -> list[UnsupportedOp]:
    """Every node that no kernel computes on a target."""
    found: list[UnsupportedOp] = []
    for node in nodes:
        if node.op.family == "leaf":
            continue
        try:
            lower(node, target)
        except UnsupportedError as error:
            found += error.ops
    return found


def _named(lowered: Lowered, name: str) -> Lowered:
    return replace(lowered, kernel=name)
