"""Softmax and normalisations of floats: softmax.h and norm.h."""

from __future__ import annotations

from whet.emit.headers import header_number
from whet.emit.lowered import Argument, Call, In, Lowered, Out
from whet.emit.scalar import suffix
from whet.ir.dim import Size, bounds
from whet.ir.element import BF16, F16, F32, F64
from whet.ir.node import Node
from whet.ir.type import Type, size_product
from whet.kernels.kernel import kernel
from whet.kernels.share import rows
from whet.ops import normalization as n
from whet.ops.movement import flattened
from whet.targets.target import Target

FLOATS = (F32, F64, F16, BF16)
# Vectors of the longest rows of softmax_f32.h.
VECTORS = header_number("softmax_f32.h", "SOFTMAX_VECTORS")


def float_type(t: Type) -> str | None:
    """The headers' name of a float element, None for any other."""
    return suffix(t.element) if t.element in FLOATS else None


def real(node: Node, attr: str) -> float:
    """A float attribute."""
    value = node[attr]
    assert isinstance(value, float)
    return value


@kernel("softmax", n.softmax, n.log_softmax)
def softmax(node: Node, target: Target) -> Lowered | None:
    x = node.outputs[0].tensor
    s = float_type(x)
    if s is None or node["beta"] not in (None, 1.0) or node["element"] is not None:
        return None
    outer, size, inner = flattened(x.shape, node.integer("axis"))
    each = rows(outer, 1.0 * bounds(size * inner)[1])
    if node.op is n.softmax and s == "f32" and _short(outer, size, inner, target):
        call = Call(
            "softmax_rows_f32", (each.count, size, each.at(In(0), size), each.to(Out(), size))
        )
        return Lowered((call,), ("softmax_f32.h",), parallel=each.units)
    width = size * inner
    run = (each.at(In(0), width), each.to(Out(), width), each.count, size, inner)
    return Lowered((Call(f"{node.op.name}_{s}", run),), ("softmax.h",), parallel=each.units)


def _short(outer: Size, n: Size, inner: Size, target: Target) -> bool:
    """Whether there are enough rows of few vectors for the kernel that takes several at once."""
    if not (isinstance(outer, int) and isinstance(n, int)) or inner != 1:
        return False
    return outer >= target.lanes and 0 < n <= VECTORS * target.lanes


def _lowered(node: Node, *arguments: Argument, units: int | None = None) -> Lowered | None:
    s = float_type(node.outputs[0].tensor)
    elements = {v.tensor.element for v in (*node.inputs, *node.outputs) if v is not None}
    if s is None or len(elements) > 1 or node["element"] is not None:
        return None
    return Lowered((Call(f"{node.op.name}_{s}", arguments),), ("norm.h",), parallel=units)


@kernel("layer_norm", n.layer_norm, n.rms_norm)
def layer_norm(node: Node, target: Target) -> Lowered | None:
    x, axis = node.outputs[0].tensor, node.integer("axis")
    width = size_product(x.shape[axis:])
    each = rows(size_product(x.shape[:axis]), 0.5 * bounds(width)[1])
    run = (each.count, width, real(node, "epsilon"))
    given, made = each.at(In(0), width), each.to(Out(), width)
    if node.op is n.rms_norm:
        return _lowered(node, given, In(1), made, *run, units=each.units)
    bias: Argument = 0 if node.operand(2) is None else In(2)
    return _lowered(node, given, In(1), bias, made, 0, 0, *run, units=each.units)


@kernel("group_norm", n.group_norm)
def group_norm(node: Node, target: Target) -> Lowered | None:
    shape = node.outputs[0].shape
    return _lowered(
        node, In(0), In(1), In(2), Out(), shape[0], size_product(shape[1:-1]), shape[-1],
        node.integer("groups"), real(node, "epsilon"),
    )  # fmt: skip


@kernel("lrn", n.lrn)
def lrn(node: Node, target: Target) -> Lowered | None:
    run = flattened(node.outputs[0].shape, node.integer("axis"))
    reals = (real(node, a) for a in ("alpha", "beta", "bias"))
    return _lowered(node, In(0), Out(), *run, node.integer("size"), *reals)
