"""f32 convolutions whose sums are long beside the pixels of a row, in chunks of channels."""

from __future__ import annotations

from dataclasses import astuple, replace

from whet.emit.headers import header_number
from whet.emit.lowered import Argument, Call, In, Lowered, Name, Out, Pitch, Weight
from whet.ir.node import Array, Node
from whet.kernels.conv_f32 import image, pair, weights_of, windowed
from whet.kernels.epilogue import out_bytes, vector_epilogue
from whet.kernels.kernel import Numbers, kernel_of_choices
from whet.kernels.packing import pack_conv
from whet.kernels.share import balanced, panel_vectors
from whet.kernels.tiling import Tile, with_blocks
from whet.ops.convolution import conv
from whet.targets.target import Target

# Floats of a pixel outside the image, of which there are as many zeros.
MOST = header_number("conv_f32.h", "ZERO_ROW")
# The largest part of the first cache that weights of a chunk take, one over this.
PART = 2
# The part of the second cache, one over this, that a panel of the default tile fills at least.
LONG = 4
# The part of the second cache, one over this, that the pixels of the default block fill at most.
NEAR = 2


def _weights(node: Node) -> Array | None:
    """The weights of a convolution of one group."""
    w, x = weights_of(node), node.inputs[0]
    if w is None or x is None or len(x.shape) != 4 or node.integer("groups", 1) != 1:
        return None
    return w


def _first(node: Node, w: Array, target: Target) -> Tile:
    """The tile of conv_f32 with blocks of all rows that leave the second cache room."""
    b, h, width, c = image(node.input(0).shape)
    _, oh, _, _ = image(node.outputs[0].shape)
    t = windowed(node, w, target)[0]
    most = target.l2 // NEAR // (4 * width * c * -(-h // oh))
    return replace(t, block=max(1, min(b * oh, most)))


def space(node: Node, target: Target) -> list[Numbers]:
    """Rows and vectors of a tile, and the rows of a block."""
    w = _weights(node)
    if w is None or vector_epilogue(node, 3) is None or out_bytes(node) != 4:
        return []
    b, oh, _, _ = image(node.outputs[0].shape)
    first = _first(node, w, target)
    tiles = [replace(t, block=first.block) for t in windowed(node, w, target)]
    return [astuple(t) for t in with_blocks([first, *tiles], b * oh, of_tiles=False)]


@kernel_of_choices("conv_deep_f32", space, conv)
def lower(node: Node, target: Target, numbers: Numbers | None = None) -> Lowered | None:
    """Unless it is asked for, only where a panel is large for the second cache."""
    w, epilogue = _weights(node), vector_epilogue(node, 3)
    if w is None or epilogue is None or out_bytes(node) != 4:
        return None
    b, h, width, c = image(node.input(0).shape)
    _, oh, ow, n = image(node.outputs[0].shape)
    kh, kw, _ = w.shape[1:]
    t = Tile(*numbers) if numbers else _first(node, w, target)
    panel = 4 * kh * kw * c * t.vectors * target.lanes
    if not numbers and (panel * LONG < target.l2 or t.block < 2):
        return None
    panels = panel_vectors(n, t, target)
    block = balanced(t.block, b * oh, panels, target.threads, by_rows=False, weight_bytes=w.nbytes)
    packed = pack_conv(w.transpose(0, 3, 1, 2), 1, target.lanes, t.vectors)
    chunk = min(c, MOST, max(1, target.l1 // PART // (4 * t.vectors * target.lanes)))
    chunk = -(-c // -(-c // chunk))
    windows = [pair(node.integers(name), 1) for name in ("stride", "dilation")]
    low = pair(node.integers("low"), 0)
    bias: Argument = In(2) if node.operand(2) is not None else 0
    apart = (Pitch(In(0), c), Pitch(Out(), n))
    shape = (b, h, width, c, apart[0], oh, ow, n, apart[1], kh, kw)
    sizes: tuple[Argument, ...] = (*shape, *windows[0], *windows[1], *low)
    ends = (Name("begin"), Name("end"), In(0), Weight(0), bias, Out(), epilogue)
    call = Call("conv_deep_f32", (*sizes, t.rows, t.vectors, block, chunk, *ends))
    units = -(-b * oh // block) * len(panels)
    return Lowered((call,), ("conv_deep_f32.h",), (packed,), 0, units)
