"""bf16 3 x 3 convolutions of stride 1 with constant weights, by Winograd where that is faster."""

from __future__ import annotations

from dataclasses import astuple, replace

from whet.emit.lowered import Call, In, Lowered, Name, Out, Scratch, Weight
from whet.ir.node import Array, Node
from whet.kernels.conv_bf16 import weights_of
from whet.kernels.conv_f32 import image, pair
from whet.kernels.epilogue import out_bytes, vector_epilogue
from whet.kernels.kernel import Numbers, kernel_of_choices
from whet.kernels.matmul_bf16 import bias_of
from whet.kernels.packing_bf16 import pack_winograd_pairs
from whet.kernels.scratch import whole_lines
from whet.kernels.share import THREADS
from whet.kernels.tiling import Tile, tile_choices_f32, winograd_outputs
from whet.kernels.winograd_error import LOSS, winograd_loss
from whet.kernels.winograd_f32 import even_blocks, fits_winograd
from whet.ops.convolution import conv
from whet.targets.target import Target

LIKELY = 4
"""Of the tiles of a product, how many of the likely fastest may be taken for their room."""


def _weights(node: Node, target: Target) -> Array | None:
    """The weights of a convolution that the kernel can do."""
    w = weights_of(node)
    return w if w is not None and fits_winograd(node, w, target) else None


def scratch_floats(m: int, tiles: int, c: int, width: int) -> tuple[int, int]:
    """Floats that threads share for a block of so many tiles, and those that each has besides, with
    panels of `width` channels; as winograd_bf16.h has them."""
    positions = (m + 2) ** 2
    return positions * tiles * c, positions * ((c + c % 2 + tiles) * width + 16)


def _tile(m: int, oh: int, ow: int, c: int, n: int, target: Target) -> Tile:
    """The default tile; the block counts rows of tiles, as many as the second cache has room for
    beside a panel's matrices."""
    across, down = -(-ow // m), -(-oh // m)
    for blocks in range(1, down + 1):
        block = -(-down // blocks)
        for best in tile_choices_f32(block * across, n, c, target)[:LIKELY]:
            floats = scratch_floats(m, block * across, c, best.vectors * target.lanes)
            if 4 * sum(floats) * 8 <= target.l2 * 7:
                return replace(best, block=block)
    return replace(best, block=1)


def _outputs(node: Node, target: Target) -> int:
    """As `winograd_outputs`."""
    _, oh, ow, n = image(node.outputs[0].shape)
    return winograd_outputs(oh, ow, image(node.input(0).shape)[3], n, target)


def space(node: Node, target: Target) -> list[Numbers]:
    """Outputs along each side of a tile, the GEMM's rows and vectors, and rows of tiles."""
    w = _weights(node, target)
    if w is None or vector_epilogue(node, 3) is None:
        return []
    _, oh, ow, n = image(node.outputs[0].shape)
    c, found = w.shape[3], list[Numbers]()
    for m in (2, 4) if _outputs(node, target) == 2 else (4, 2):
        if winograd_loss(w, m) <= LOSS:
            first = _tile(m, oh, ow, c, n, target)
            tiles = tile_choices_f32(first.block * -(-ow // m), n, c, target)
            ranked = [first, *(replace(t, block=first.block) for t in tiles)]
            found += [(m, *astuple(t)) for t in dict.fromkeys(ranked)]
    return found


@kernel_of_choices("winograd_bf16", space, conv)
def lower(node: Node, target: Target, numbers: Numbers | None = None) -> Lowered | None:
    """Where winograd_f32 would be taken for a convolution of floats."""
    w, epilogue, bias = _weights(node, target), vector_epilogue(node, 3), bias_of(node)
    out = out_bytes(node)
    if w is None or epilogue is None or bias is None or out is None:
        return None
    b, h, width, c = image(node.input(0).shape)
    _, oh, ow, n = image(node.outputs[0].shape)
    m = numbers[0] if numbers else _outputs(node, target)
    if m == 0 or winograd_loss(w, m) > LOSS:
        return None
    t = Tile(*numbers[1:]) if numbers else _tile(m, oh, ow, c, n, target)
    offset, kept = bias
    down = -(-oh // m)
    light = 4 * (m + 2) ** 2 * c * n <= target.l2 // 2
    even = even_blocks(b, down, t.block, target.threads) if light else None
    blocks = even or -(-down // t.block)
    most = -(-down // blocks) * -(-ow // m)
    shared, each = scratch_floats(m, most, c, t.vectors * target.lanes)
    top, left = pair(node.integers("low"), 0)
    sizes = (out, b, m, h, width, c, c, oh, ow, n, n, top, left, blocks, t.rows, t.vectors)
    ends = (In(0), Weight(0), offset, Out(), Scratch(), epilogue)
    constants = (pack_winograd_pairs(w, target.lanes, t.vectors), *kept)
    headers = ("winograd_bf16.h",)
    if even:
        span = (Name("begin"), Name("end"))
        call = Call("winograd_bf16", (*sizes, *span, *ends, 0, 1, 0, 0))
        own = whole_lines(4 * (shared + each))
        return Lowered((call,), headers, constants, 0, b * blocks, "winograd_bf16", own)
    call = Call("winograd_bf16", (*sizes, 0, b * blocks, *ends, *THREADS))
    scratch = whole_lines(4 * (shared + target.threads * each))
    return Lowered((call,), headers, constants, scratch, together=True)
