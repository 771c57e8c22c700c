"""Elementwise ops and fused maps: one loop nest with the scalar body inside."""

from __future__ import annotations

from dataclasses import replace

from whet.emit.program import Access, In, Lowered, Nest, Out
from whet.emit.scalar import PACKED, SMALL_FLOATS
from whet.ir.element import STRING, Quant
from whet.ir.node import Node
from whet.kernels.checks import after, broadcasts
from whet.kernels.kernel import kernel
from whet.kernels.share import nests
from whet.kernels.strides import broadcast_strides, row_major
from whet.ops import convert, elementwise
from whet.ops.map import map_op, scalar_body
from whet.targets.target import Target

OPS = [op for op in vars(elementwise).values() if getattr(op, "family", "") == "elementwise"]


@kernel("map", *OPS, convert.convert, map_op)
def lower(node: Node, target: Target) -> Lowered | None:
    operands = [v.tensor for v in node.operands]
    out = node.outputs[0].tensor
    elements = [t.element for t in (*operands, out)]
    if any(isinstance(e, Quant) or e == STRING for e in elements) or len(node.outputs) > 1:
        return None
    reads = tuple(
        Access(In(i), broadcast_strides(t.shape, out.shape)) for i, t in enumerate(operands)
    )
    body = scalar_body(node)
    lowered = nests(Nest(out.shape, Access(Out(), row_major(out.shape)), reads, body))
    lowered = after(tuple(c for t in operands for c in broadcasts(t.shape, out.shape)), lowered)
    casts = any(n.op is convert.convert for n in body.nodes)
    casts |= any(str(e) in (*SMALL_FLOATS, *PACKED) for e in elements)
    return replace(lowered, headers=(*lowered.headers, "convert.h")) if casts else lowered
