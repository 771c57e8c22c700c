"""Ordering and running sums: sort.h, nms.h and reduce.h."""

from __future__ import annotations

from whet.emit.program import Call, In, Lowered, Out, Scratch
from whet.emit.scalar import suffix
from whet.ir.dim import bounds
from whet.ir.element import BOOL, Quant, Scalar
from whet.ir.node import Node
from whet.ir.type import Type
from whet.kernels.kernel import kernel
from whet.ops.cumulative import cumprod, cumsum
from whet.ops.movement import flattened
from whet.ops.order import topk, unique
from whet.targets.target import Target


def number_type(t: Type) -> str | None:
    """The headers' name of the element, where memory holds its numbers as they are."""
    if not isinstance(t.element, Scalar):
        return None
    s = suffix(t.element)
    return s if s == t.element.name or t.element == BOOL else None


@kernel("topk", topk)
def greatest(node: Node, target: Target) -> Lowered | None:
    x = node.inputs[0]
    assert x is not None
    s = number_type(x.tensor)
    if s is None:
        return None
    axis = node.integer("axis")
    outer, n, inner = flattened(x.shape, axis)
    k, largest = node.outputs[0].shape[axis], bool(node.attrs.get("largest", True))
    call = Call(f"topk_{s}", (In(0), Out(0), Out(1), outer, n, inner, k, largest))
    return Lowered((call,), ("sort.h",))


@kernel("unique", unique)
def distinct(node: Node, target: Target) -> Lowered | None:
    x = node.inputs[0]
    assert x is not None
    s = number_type(x.tensor)
    if s is None:
        return None
    outer, n, inner = flattened(x.shape, node.integer("axis"))
    order = -(-x.tensor.nbytes // 64) * 64
    call = Call(
        f"unique_{s}",
        (In(0), Scratch(0), Out(0), Out(1), Out(2), Scratch(order), outer, n, inner,
         bool(node["ordered"])),
        result=Out(3),
    )  # fmt: skip
    return Lowered((call,), ("sort.h",), scratch=order + bounds(n)[1] * 8)


@kernel("cumulative", cumsum, cumprod)
def running(node: Node, target: Target) -> Lowered | None:
    x = node.inputs[0]
    assert x is not None
    s = number_type(x.tensor)
    if s is None or isinstance(x.tensor.element, Quant):
        return None
    outer, n, inner = flattened(x.shape, node.integer("axis"))
    flags = bool(node["exclusive"]), bool(node["reverse"])
    call = Call(f"{node.op.name}_{s}", (In(0), Out(), outer, n, inner, *flags))
    return Lowered((call,), ("reduce.h",))
