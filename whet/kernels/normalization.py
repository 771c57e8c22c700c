"""Normalisations along one axis."""

from __future__ import annotations

from whet.emit.program import Call, In, Lowered, Out
from whet.emit.scalar import suffix
from whet.ir.element import Quant
from whet.ir.node import Node
from whet.kernels.kernel import kernel
from whet.ops.movement import flattened
from whet.ops.normalization import softmax
from whet.targets.target import Target


@kernel("softmax", softmax)
def softmax_lanes(node: Node, target: Target) -> Lowered | None:
    x = node.inputs[0]
    if x is None or isinstance(x.tensor.element, Quant) or node.attrs.get("beta", 1.0) != 1.0:
        return None
    outer, n, inner = flattened(x.shape, node.integer("axis"))
    call = Call(f"softmax_{suffix(x.tensor.element)}", (In(0), Out(), outer, n, inner))
    return Lowered((call,), ("softmax.h",))
