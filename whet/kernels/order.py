"""Ordering and running sums: sort.h, nms.h and reduce.h."""

from __future__ import annotations

from whet.emit.lowered import Call, In, Item, Lowered, Out, Scratch
from whet.emit.scalar import suffix
from whet.ir.dim import bounds
from whet.ir.element import BOOL, Quant, Scalar
from whet.ir.node import Node
from whet.ir.type import Type
from whet.kernels.checks import after, at_most
from whet.kernels.kernel import kernel
from whet.kernels.scratch import whole_lines
from whet.ops.cumulative import cumprod, cumsum
from whet.ops.movement import flattened
from whet.ops.order import nms, topk, unique
from whet.targets.target import Target


def number_type(t: Type) -> str | None:
    """The headers' name of the element, where memory holds its numbers as they are."""
    if not isinstance(t.element, Scalar):
        return None
    s = suffix(t.element)
    return s if s == t.element.name or t.element == BOOL else None


@kernel("topk", topk)
def greatest(node: Node, target: Target) -> Lowered | None:
    x = node.input(0)
    s = number_type(x.tensor)
    if s is None:
        return None
    axis = node.integer("axis")
    outer, n, inner = flattened(x.shape, axis)
    k, largest = node.outputs[0].shape[axis], bool(node.attrs.get("largest", True))
    call = Call(f"topk_{s}", (In(0), Out(0), Out(1), outer, n, inner, k, largest))
    return after(at_most(k, n), Lowered((call,), ("sort.h",)))


@kernel("unique", unique)
def distinct(node: Node, target: Target) -> Lowered | None:
    x = node.input(0)
    s = number_type(x.tensor)
    if s is None:
        return None
    outer, n, inner = flattened(x.shape, node.integer("axis"))
    order = whole_lines(x.tensor.nbytes)
    call = Call(
        f"unique_{s}",
        (In(0), Scratch(0), Out(0), Out(1), Out(2), Scratch(order), outer, n, inner,
         bool(node["ordered"])),
        result=Out(3),
    )  # fmt: skip
    return Lowered((call,), ("sort.h",), scratch=order + bounds(n)[1] * 8)


@kernel("nms", nms)
def best_boxes(node: Node, target: Target) -> Lowered | None:
    scores = node.input(1)
    sizes = scores.shape
    call = Call(
        "non_max_suppression",
        (In(0), In(1), Out(0), Scratch(0), *sizes, Item(2), Item(3), Item(4), True,
         bool(node["center"])),
        result=Out(1),
    )  # fmt: skip
    return Lowered((call,), ("detection.h",), scratch=bounds(sizes[2])[1] * 8)


@kernel("cumulative", cumsum, cumprod)
def running(node: Node, target: Target) -> Lowered | None:
    x = node.input(0)
    s = number_type(x.tensor)
    if s is None or isinstance(x.tensor.element, Quant):
        return None
    outer, n, inner = flattened(x.shape, node.integer("axis"))
    flags = bool(node["exclusive"]), bool(node["reverse"])
    call = Call(f"{node.op.name}_{s}", (In(0), Out(), outer, n, inner, *flags))
    return Lowered((call,), ("reduce.h",))
