"""f32 3 x 3 convolutions of stride 1 with constant weights, by Winograd where that is faster."""

from __future__ import annotations

from whet.emit.program import Argument, Call, In, Lowered, Name, Out, Scratch, Weight
from whet.ir.node import Node
from whet.kernels.conv_f32 import image, pair, weights_of
from whet.kernels.epilogue import vector_epilogue
from whet.kernels.kernel import kernel
from whet.kernels.packing import pack_winograd
from whet.kernels.tiling import tile_winograd_f32, winograd_outputs, winograd_scratch
from whet.ops.convolution import conv
from whet.targets.target import Target


@kernel("winograd_f32", conv)
def lower(node: Node, target: Target) -> Lowered | None:
    """Needs a machine that can spare the scratch and the larger weights: one of wide vectors or
    many registers."""
    w, x = weights_of(node), node.inputs[0]
    epilogue = vector_epilogue(node, 3)
    if w is None or x is None or epilogue is None or w.shape[1:3] != (3, 3) or len(x.shape) != 4:
        return None
    if not (target.lanes >= 8 or target.registers >= 32) or node.integer("groups", 1) != 1:
        return None
    if pair(node.integers("stride"), 1) != (1, 1) or pair(node.integers("dilation"), 1) != (1, 1):
        return None
    b, h, width, c = image(x.shape)
    _, oh, ow, n = image(node.outputs[0].shape)
    m = winograd_outputs(oh, ow, c, n, target.lanes)
    if m == 0:
        return None
    t = tile_winograd_f32(m, oh, ow, c, n, target.lanes, target.registers)
    packed = pack_winograd(w.transpose(0, 3, 1, 2), m, target.lanes, t.vectors)
    bias: Argument = In(2) if node.operand(2) is not None else 0
    top, left = pair(node.integers("low"), 0)
    shape = (m, h, width, c, c, oh, ow, n, n, top, left, t.block, t.rows, t.vectors)
    span = (Name("begin"), Name("end"))
    ends = (In(0), Weight(0), bias, Out(), Scratch(), epilogue)
    call = Call("winograd_f32", (*shape, *span, *ends))
    down = -(-oh // m)
    units = b * -(-down // t.block)
    scratch = -(-winograd_scratch(m, ow, c, n, t.block) * 4 // 64) * 64
    headers = ("winograd_f32.h",)
    return Lowered((call,), headers, (packed,), 0, units, "winograd_f32", scratch)
