"""Floats that become bf16 on their own: what no kernel stores so already."""

from __future__ import annotations

from whet.emit.headers import header_number
from whet.emit.lowered import Call, In, Lowered, Name, Out
from whet.ir.dim import static_size
from whet.ir.element import BF16, F32
from whet.ir.node import Node
from whet.kernels.kernel import kernel
from whet.ops.convert import convert
from whet.targets.target import Target

NARROW_BLOCK = header_number("narrow_bf16.h", "NARROW_BLOCK")


@kernel("narrow_bf16", convert)
def lower(node: Node, target: Target) -> Lowered | None:
    x = node.inputs[0]
    if x is None or x.tensor.element != F32 or node["to"] != BF16 or not x.tensor.static:
        return None
    n = static_size(x.tensor.elements)
    call = Call("narrow_run_bf16", (n, Name("begin"), Name("end"), In(0), Out()))
    return Lowered((call,), ("narrow_bf16.h",), parallel=-(-n // NARROW_BLOCK))
