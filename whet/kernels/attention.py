"""f32 attention of static shape: attention_f32.h."""

from __future__ import annotations

from whet.emit.lowered import Argument, Call, In, Lowered, Name, Out, Scratch
from whet.ir.dim import static_shape, static_size
from whet.ir.element import F32
from whet.ir.node import Node
from whet.kernels.kernel import Numbers, kernel_of_choices
from whet.kernels.scratch import whole_lines
from whet.kernels.strides import broadcast_strides
from whet.kernels.tiling import tiles_attention_f32
from whet.ops.attention import attention
from whet.targets.target import Target


def space(node: Node, target: Target) -> list[Numbers]:
    """Rows and vectors of a tile."""
    q = node.operands[0].tensor
    if any(v.tensor.element != F32 or not v.tensor.static for v in node.operands):
        return []
    return [*tiles_attention_f32(static_size(q.shape[1]), target.registers)]


@kernel_of_choices("attention_f32", space, attention)
def lower(node: Node, target: Target, numbers: Numbers | None = None) -> Lowered | None:
    operands = [v.tensor for v in node.operands]
    if any(t.element != F32 or not t.static for t in operands):
        return None
    q, v, mask = operands[0], operands[2], node.operand(3)
    (b, t, h, d), (_, s, _, e) = static_shape(q.shape), static_shape(v.shape)
    if not s or not d:
        return None
    strides: tuple[Argument, ...] = (0, 0, 0)
    if mask is not None:
        if mask.shape[-1] != s:
            return None
        strides = broadcast_strides(mask.shape, (b, h, t, s))[:3]
    rows, vectors = numbers or tiles_attention_f32(t, target.registers)[0]
    scale = node.attrs.get("scale", 1.0)
    assert isinstance(scale, float)
    shape: tuple[Argument, ...] = (t, s, h, d, e, scale, *strides, rows, vectors)
    pointers: tuple[Argument, ...] = (In(0), In(1), In(2), 0 if mask is None else In(3), Out())
    call = Call("attention_f32", (*shape, Name("begin"), Name("end"), *pointers, Scratch()))
    columns = -(-s // target.lanes) * target.lanes
    floats = d * columns + rows * (columns + target.lanes)
    return Lowered(
        (call,), ("attention_f32.h",), parallel=b * h * -(-t // rows),
        scratch_each=whole_lines(floats * 4),
    )  # fmt: skip
