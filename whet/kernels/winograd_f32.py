"""f32 3 x 3 convolutions of stride 1 with constant weights, by Winograd where that is faster."""

from __future__ import annotations

from dataclasses import astuple, replace

from whet.emit.lowered import Argument, Call, In, Lowered, Name, Out, Pitch, Scratch, Weight
from whet.ir.node import Array, Node
from whet.kernels.conv_f32 import image, pair, weights_of
from whet.kernels.epilogue import out_bytes, vector_epilogue
from whet.kernels.kernel import Numbers, kernel_of_choices
from whet.kernels.packing import pack_winograd
from whet.kernels.scratch import whole_lines
from whet.kernels.share import THREADS, UNEVEN
from whet.kernels.tiling import (
    Tile,
    tile_choices_f32,
    tile_winograd_f32,
    winograd_outputs,
    winograd_scratch,
    with_blocks,
)
from whet.kernels.winograd_error import LOSS, winograd_loss
from whet.ops.convolution import conv
from whet.targets.target import Target

HEADERS = ("winograd_f32.h",)


def fits_winograd(node: Node, w: Array, target: Target) -> bool:
    """Whether Winograd can do a convolution of weights w[N, KH, KW, C].

    Needs a machine that can spare the scratch and the larger weights: one of wide vectors or many
    registers."""
    if w.shape[1:3] != (3, 3) or len(node.input(0).shape) != 4:
        return False
    if not (target.lanes >= 8 or target.registers >= 32) or node.integer("groups", 1) != 1:
        return False
    strides = pair(node.integers("stride"), 1), pair(node.integers("dilation"), 1)
    return strides == ((1, 1), (1, 1))


def _weights(node: Node, target: Target) -> Array | None:
    """The weights of a convolution that the kernel can do."""
    w = weights_of(node)
    return w if w is not None and fits_winograd(node, w, target) else None


def space(node: Node, target: Target) -> list[Numbers]:
    """Outputs along each side of a tile, the GEMM's rows and vectors, and rows of tiles."""
    w = _weights(node, target)
    if w is None or vector_epilogue(node, 3) is None:
        return []
    c = image(node.input(0).shape)[3]
    _, oh, ow, n = image(node.outputs[0].shape)
    found: dict[Numbers, int] = {}
    for m in (2, 4) if winograd_outputs(oh, ow, c, n, target) == 2 else (4, 2):
        if winograd_loss(w, m) > LOSS:
            continue
        first = tile_winograd_f32(m, oh, ow, c, n, target)
        rows = first.block * -(-ow // m)
        tiles = tile_choices_f32(rows, n, c, target)
        ranked = with_blocks([first, *(replace(t, block=first.block) for t in tiles)],
                             -(-oh // m), of_tiles=False)  # fmt: skip
        found |= {(m, *astuple(t)): rank for rank, t in enumerate(ranked)}
    return sorted(found, key=lambda numbers: found[numbers])


@kernel_of_choices("winograd_f32", space, conv)
def lower(node: Node, target: Target, numbers: Numbers | None = None) -> Lowered | None:
    """Unless it is asked for, only where it is likely the fastest; never where the weights let the
    error grow beyond LOSS of direct summation's bound."""
    w, epilogue, out = _weights(node, target), vector_epilogue(node, 3), out_bytes(node)
    if w is None or epilogue is None or out is None:
        return None
    b, h, width, c = image(node.input(0).shape)
    _, oh, ow, n = image(node.outputs[0].shape)
    m = numbers[0] if numbers else winograd_outputs(oh, ow, c, n, target)
    if m == 0 or winograd_loss(w, m) > LOSS:
        return None
    t = Tile(*numbers[1:]) if numbers else tile_winograd_f32(m, oh, ow, c, n, target)
    packed = pack_winograd(w.transpose(0, 3, 1, 2), m, target.lanes, t.vectors)
    bias: Argument = In(2) if node.operand(2) is not None else 0
    top, left = pair(node.integers("low"), 0)
    down = -(-oh // m)
    light = packed.nbytes <= target.l2 // 2
    even = even_blocks(b, down, t.block, target.threads) if light else None
    blocks = even or -(-down // t.block)
    pixels = (out, b, m, h, width, c, Pitch(In(0), c), oh, ow, n, Pitch(Out(), n))
    shape: tuple[Argument, ...] = (*pixels, top, left, blocks, t.rows, t.vectors)
    ends = (In(0), Weight(0), bias, Out(), Scratch(), epilogue)
    scratch = whole_lines(winograd_scratch(m, ow, c, n, -(-down // blocks)) * 4)
    if even:
        span = (Name("begin"), Name("end"))
        call = Call("winograd_f32", (*shape, *span, *ends, 0, 1, 0, 0))
        return Lowered((call,), HEADERS, (packed,), 0, b * blocks, "winograd_f32", scratch)
    call = Call("winograd_f32", (*shape, 0, b * blocks, *ends, *THREADS))
    return Lowered((call,), HEADERS, (packed,), scratch, together=True)


def even_blocks(images: int, down: int, most: int, threads: int) -> int | None:
    """The fewest blocks of at most `most` of the `down` rows of tiles of an image that threads
    share evenly; None where there are none."""
    if -(-images * down // threads) * threads > UNEVEN * images * down:
        return None
    blocks = range(-(-down // most), down + 1)
    return next((j for j in blocks if images * j % threads == 0), None)
