"""Kernel: a way to compute one op on a target, and the registry that picks one for a node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from whet.emit.lowered import Lowered
from whet.errors import UnsupportedError, UnsupportedOp
from whet.ir.node import Node, Op
from whet.ir.type import Type
from whet.targets.target import Target

Numbers = tuple[int, ...]
Lower = Callable[[Node, Target], Lowered | None]
Chosen = Callable[[Node, Target, Numbers | None], Lowered | None]
Space = Callable[[Node, Target], Sequence[Numbers]]


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to compute a node: the kernel, and the numbers it takes there, a tile for example.

    Choices of one node give the same integers, and floats within the tolerance of the graph.
    """

    kernel: str
    numbers: Numbers

    def __str__(self) -> str:
        return f"{self.kernel} {' '.join(map(str, self.numbers))}"


@dataclass(frozen=True, slots=True)
class Kernel:
    """lower(node, target, numbers) gives the statements, or None where the kernel does not fit the
    node; without numbers it takes those that are likely the fastest. space(node, target) lists all
    it can take, the likely fastest first; nothing where there is no choice. by_rows: `lower` with a
    grain (`Lowered.grain`) and the same results, bit for bit, for kernels that have such.
    """

    name: str
    lower: Chosen
    space: Space
    by_rows: Chosen | None = None


_registry: dict[Op, list[Kernel]] = {}


def kernel(name: str, *ops: Op, fallback: bool = False) -> Callable[[Lower], Lower]:
    """Register a lowering for ops; later registrations are tried first, fallbacks after all."""

    def register(lower: Lower) -> Lower:
        _register(
            Kernel(name, lambda node, target, _: lower(node, target), _no_choice), ops, fallback
        )
        return lower

    return register


def kernel_of_choices(
    name: str, space: Space, *ops: Op, by_rows: Chosen | None = None
) -> Callable[[Chosen], Chosen]:
    """Register a lowering that takes numbers of a space."""

    def register(lower: Chosen) -> Chosen:
        _register(Kernel(name, lower, space, by_rows), ops)
        return lower

    return register


def _register(made: Kernel, ops: Iterable[Op], last: bool = False) -> None:
    for op in ops:
        registered = _registry.setdefault(op, [])
        registered.insert(len(registered) if last else 0, made)


def _no_choice(node: Node, target: Target) -> Sequence[Numbers]:
    return ()


@cache
def load_all() -> None:
    """Import every file of kernels, which registers them."""
    package = import_module("whet.kernels")
    for module in iter_modules(package.__path__):
        import_module(f"whet.kernels.{module.name}")


def kernels_for(op: Op) -> tuple[Kernel, ...]:
    """The kernels of an op, the preferred first."""
    return tuple(_registry.get(op, ()))


def choices(node: Node, target: Target) -> list[Choice]:
    """All that can be chosen for a node: of each kernel in turn, the likely fastest first."""
    return [Choice(k.name, n) for k in kernels_for(node.op) for n in k.space(node, target)]


def lower(node: Node, target: Target, choice: Choice | None = None) -> Lowered:
    """The statements as chosen, one of `choices`; else of the first kernel that fits.

    Raises:
        UnsupportedError: no kernel computes this node on this target.
    """
    if node.outputs and all(isinstance(t, Type) and t.elements == 0 for t in node.types):
        return Lowered((), kernel="empty")
    for candidate in kernels_for(node.op):
        if choice is not None and choice.kernel != candidate.name:
            continue
        lowered = candidate.lower(node, target, None if choice is None else choice.numbers)
        if lowered is not None:
            return lowered if lowered.kernel else _named(lowered, candidate.name)
    types = ", ".join(str(v.type) for v in node.operands)
    reason = f"no kernel on {target.name} for {types}"
    raise UnsupportedError([UnsupportedOp(node.op.name, node.origin, reason)])


def lower_by_rows(node: Node, target: Target, choice: Choice | None = None) -> Lowered | None:
    """The statements with a grain, by the kernel of the choice where there is one; None where no
    kernel has them. The results are those of `lower`, bit for bit."""
    for candidate in kernels_for(node.op):
        if candidate.by_rows is not None and (choice is None or choice.kernel == candidate.name):
            numbers = None if choice is None else choice.numbers
            lowered = candidate.by_rows(node, target, numbers)
            if lowered is not None:
                return lowered
    return None


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
