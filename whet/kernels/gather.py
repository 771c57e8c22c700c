"""Reading and writing at positions that are data: gather.h and scatter.h."""

from __future__ import annotations

from whet.emit.lowered import Argument, Call, In, Longs, Lowered, Out
from whet.emit.scalar import suffix
from whet.ir.dim import static_size
from whet.ir.element import STRING
from whet.ir.node import Node
from whet.ir.type import Type, size_product
from whet.kernels.kernel import kernel
from whet.ops import gather as g
from whet.ops.movement import flattened
from whet.ops.nonzero import nonzero
from whet.targets.target import Target

COMBINE = {"add": 1, "mul": 2, "max": 3, "min": 4}


def _operands(node: Node) -> tuple[Type, ...] | None:
    """The operands' types, where they are elements of known size."""
    types = tuple(v.tensor for v in node.operands)
    return None if any(t.element == STRING for t in types) else types


def _lowered(function: str, *arguments: Argument) -> Lowered:
    return Lowered((Call(function, arguments, checked=True),), ("gather.h",))


@kernel("gather", g.gather)
def gather(node: Node, target: Target) -> Lowered | None:
    types = _operands(node)
    if types is None:
        return None
    x, indices = types
    outer, n, inner = flattened(x.shape, node.integer("axis"))
    return _lowered(
        "gather", In(0), In(1), Out(), outer, n, inner * x.element.size, indices.elements,
        indices.element.size,
    )  # fmt: skip


@kernel("gather_elements", g.gather_elements)
def gather_elements(node: Node, target: Target) -> Lowered | None:
    types = _operands(node)
    if types is None:
        return None
    x, indices = types
    return _lowered(
        "gather_elements", In(0), In(1), Out(), Longs(x.shape), Longs(indices.shape), x.rank,
        node.integer("axis"), x.element.size, indices.element.size,
    )  # fmt: skip


@kernel("gather_nd", g.gather_nd)
def gather_nd(node: Node, target: Target) -> Lowered | None:
    types = _operands(node)
    if types is None or not isinstance(types[1].shape[-1], int):
        return None
    x, indices = types
    batch, depth = node.integer("batch"), indices.shape[-1]
    assert isinstance(depth, int)
    last = batch + depth
    return _lowered(
        "gather_nd", In(0), In(1), Out(), size_product(x.shape[:batch]),
        Longs(x.shape[batch:last]), depth, size_product(indices.shape[batch:-1]),
        size_product(x.shape[last:]) * x.element.size, indices.element.size,
    )  # fmt: skip


def _scatter(node: Node, function: str, shared: tuple[Argument, ...], size: Argument) -> Lowered:
    """The operand is copied to the result, which then takes the updates."""
    x, indices = (v.tensor for v in node.inputs[:2] if v is not None)
    copy = Call("__builtin_memmove", (Out(), In(0), x.elements * x.element.size))
    combine, width = str(node["combine"] or "none"), indices.element.size
    name = function if combine == "none" else f"{function}_{suffix(x.element)}"
    last: tuple[Argument, ...] = (size, width) if combine == "none" else (width, COMBINE[combine])
    if combine != "none" and "nd" in function:
        inner = size_product(x.shape[static_size(indices.shape[-1]) :])
        last = (inner, width, COMBINE[combine])
    write = Call(name, (Out(), In(1), In(2), *shared, *last), checked=True)
    return Lowered((copy, write), ("scatter.h",))


@kernel("scatter_elements", g.scatter_elements)
def scatter_elements(node: Node, target: Target) -> Lowered | None:
    types = _operands(node)
    if types is None:
        return None
    x, indices, _ = types
    shared = (Longs(x.shape), Longs(indices.shape), x.rank, node.integer("axis"))
    return _scatter(node, "scatter_elements", shared, x.element.size)


@kernel("scatter_nd", g.scatter_nd)
def scatter_nd(node: Node, target: Target) -> Lowered | None:
    types = _operands(node)
    if types is None or not isinstance(types[1].shape[-1], int):
        return None
    x, indices, _ = types
    depth = indices.shape[-1]
    assert isinstance(depth, int)
    shared = (Longs(x.shape[:depth]), depth, size_product(indices.shape[:-1]))
    inner = size_product(x.shape[depth:]) * x.element.size
    return _scatter(node, "scatter_nd", shared, inner)


@kernel("nonzero", nonzero)
def positions(node: Node, target: Target) -> Lowered | None:
    mask = node.input(0)
    arguments = (In(0), Out(), Longs(mask.shape), len(mask.shape), 1, 0)
    return Lowered((Call("nonzero", arguments),), ("gather.h",))
