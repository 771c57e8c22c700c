"""Layer normalisation of bf16 whose scale and bias are f32."""

from __future__ import annotations

from whet.emit.lowered import Argument, Call, In, Lowered, Name, Out
from whet.ir.dim import static_size
from whet.ir.element import BF16, F32
from whet.ir.node import Node
from whet.ir.type import size_product
from whet.kernels.kernel import kernel
from whet.kernels.normalization import real
from whet.ops.normalization import layer_norm
from whet.targets.target import Target


@kernel("layer_norm_bf16", layer_norm)
def lower(node: Node, target: Target) -> Lowered | None:
    x, *given = node.inputs
    elements = {v.tensor.element for v in given if v is not None}
    if x is None or x.tensor.element != BF16 or elements != {F32} or not x.tensor.static:
        return None
    axis = node.integer("axis")
    rows, n = (static_size(size_product(s)) for s in (x.shape[:axis], x.shape[axis:]))
    bias: Argument = 0 if node.operand(2) is None else In(2)
    sizes = (n, real(node, "epsilon"), Name("begin"), Name("end"))
    call = Call("layer_norm_bf16_f32", (*sizes, In(0), In(1), bias, Out()))
    return Lowered((call,), ("norm_bf16.h",), parallel=rows)
