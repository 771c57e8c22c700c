"""Softmax and layer norms of floats as runs over rows."""

from __future__ import annotations

from whet.emit.program import Argument, Call, In, Lowered, Out
from whet.emit.scalar import suffix
from whet.ir.element import Scalar
from whet.ir.node import Node
from whet.ir.type import size_product
from whet.kernels.kernel import kernel
from whet.ops.movement import flattened
from whet.ops.normalization import layer_norm, rms_norm, softmax
from whet.targets.target import Target

FLOATS = ("f32", "f64", "f16", "bf16")


def float_suffix(node: Node) -> str | None:
    """The headers' name of the operands' float type, None for anything else."""
    elements = {v.tensor.element for v in node.inputs if v is not None}
    first = next(iter(elements))
    fits = len(elements) == 1 and isinstance(first, Scalar) and first.name in FLOATS
    return suffix(first) if fits else None


@kernel("softmax", softmax)
def soft(node: Node, target: Target) -> Lowered | None:
    s = float_suffix(node)
    if s is None or node["element"] is not None or node.attrs.get("beta", 1.0) != 1.0:
        return None
    outer, n, inner = flattened(node.outputs[0].shape, node.integer("axis"))
    return Lowered((Call(f"softmax_{s}", (In(0), Out(), outer, n, inner)),), ("softmax.h",))


@kernel("layer_norm", layer_norm, rms_norm)
def norm(node: Node, target: Target) -> Lowered | None:
    s, epsilon = float_suffix(node), node["epsilon"]
    if s is None or node["element"] is not None or not isinstance(epsilon, float):
        return None
    shape, axis = node.outputs[0].shape, node.integer("axis")
    outer, n = size_product(shape[:axis]), size_product(shape[axis:])
    bias: Argument = In(2) if node.operand(2) is not None else 0
    arguments: tuple[Argument, ...] = (In(0), In(1), Out(), outer, n, epsilon)
    if node.op is layer_norm:
        arguments = (In(0), In(1), bias, Out(), 0, 0, outer, n, epsilon)
    return Lowered((Call(f"{node.op.name}_{s}", arguments),), ("norm.h",))
