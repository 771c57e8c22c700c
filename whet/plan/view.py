"""Which values are views: the bytes of another value, at an offset, without a copy."""

from __future__ import annotations

from whet.ir.dim import Size
from whet.ir.node import Node, Value
from whet.ir.type import Type
from whet.kernels.strides import row_major
from whet.ops.convert import bitcast
from whet.ops.movement import broadcast, concat, reshape, slice_op


def views_of(node: Node) -> dict[Value, tuple[Value, int]]:
    """{value: (value whose memory holds it, byte offset)} for the values of one node.

    A reshape of as many elements, whatever the sizes, and a contiguous slice live in their input;
    the inputs of a concat along an outermost axis live in its output.
    """
    x = node.operand(0)
    if x is None or not isinstance(x.type, Type):
        return {}
    out = node.outputs[0]
    if node.op in (reshape, bitcast, broadcast) and out.tensor.elements == x.tensor.elements:
        return {out: (x, 0)}
    if node.op is slice_op:
        offset = _slice_offset(node, x.tensor)
        return {} if offset is None else {out: (x, offset)}
    if node.op is concat:
        return _concat_views(node)
    return {}


def _slice_offset(node: Node, x: Type) -> int | None:
    """Bytes to the start of a slice that is one run of its static input, else None."""
    if not x.static or not node.outputs[0].tensor.static:
        return None
    begin, size, step = (node.integers(a) for a in ("begin", "size", "step"))
    if len(begin) != x.rank or len(step) != x.rank or any(s != 1 for s in step):
        return None
    partial = [i for i, (n, d) in enumerate(zip(size, x.shape, strict=True)) if n != d]
    if partial and any(n != 1 for n in size[: partial[-1]]):
        return None
    strides = [s for s in row_major(x.shape) if isinstance(s, int)]
    return sum(b * s for b, s in zip(begin, strides, strict=True)) * x.element.size


def _concat_views(node: Node) -> dict[Value, tuple[Value, int]]:
    axis, out = node.integer("axis"), node.outputs[0]
    outer: Size = 1
    for d in out.shape[:axis]:
        outer = outer * d
    inputs = node.operands
    static = all(v.tensor.static for v in (out, *inputs))
    if outer != 1 or not static or len(set(inputs)) != len(inputs):
        return {}
    found, offset = {}, 0
    for v in inputs:
        if v.node.op.family != "leaf":
            found[v] = (out, offset)
        offset += v.tensor.nbytes
    return found
