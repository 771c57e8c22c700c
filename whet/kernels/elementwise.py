"""Elementwise ops and fused maps: one loop nest with the scalar body inside, or vectors of floats
where the body has functions that are far cheaper so."""

from __future__ import annotations

from dataclasses import replace

from whet.emit.epilogue import VECTOR_OPS
from whet.emit.lowered import Access, Call, Epilogue, Extra, In, Lowered, Nest, Out
from whet.emit.scalar import PACKED, SMALL_FLOATS
from whet.ir.element import F32, STRING, Quant
from whet.ir.leaf import constant_op
from whet.ir.node import Node
from whet.ir.type import Type, size_product
from whet.kernels.checks import after, broadcasts
from whet.kernels.kernel import kernel
from whet.kernels.share import flat, nests
from whet.kernels.strides import broadcast_strides, row_major
from whet.ops import convert, elementwise
from whet.ops.map import map_op, scalar_body
from whet.targets.target import Target

# Functions that a scalar body computes in double precision.
COSTLY = frozenset({"exp", "log", "tanh", "sigmoid", "gelu", "erf"})
# The vector forms that hold for some operands only: NaN is lost, or the range is limited.
PARTIAL = frozenset({"max", "min", "sin", "cos"})
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


@kernel("map_f32", *OPS, map_op)
def lower_vectors(node: Node, target: Target) -> Lowered | None:
    body, result = scalar_body(node), node.outputs[0].tensor
    if any(v.tensor.shape != result.shape or v.tensor.element != F32 for v in node.operands):
        return None
    if not all(map(_has_vectors, body.nodes)) or len(body.outputs) > 1:
        return None
    costly = sum(n.op.name in COSTLY for n in body.nodes)
    if not costly or len(node.operands) < len(node.inputs):
        return None
    each = flat(size_product(result.shape), 0.15 + 0.3 * costly)
    extras = tuple(Extra(each.at(In(i)), 1) for i in range(1, len(node.inputs)))
    arguments = (each.count, each.at(In(0)), each.to(Out()), Epilogue(body, extras))
    return Lowered((Call("map_f32", arguments),), ("map_f32.h",), parallel=each.units)


def _has_vectors(node: Node) -> bool:
    """Whether a node of a body has a vector form that holds for all floats."""
    if node.types != (Type((), F32),):
        return False
    if node.op.name in ("max", "min"):
        return node.operands[1].op is constant_op
    return node.op.family == "leaf" or node.op.name in VECTOR_OPS - PARTIAL
