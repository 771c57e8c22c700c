"""bf16 convolutions with constant weights: 1x1 as a GEMM, and implicit GEMM."""

from __future__ import annotations

from dataclasses import astuple

from whet.emit.lowered import Argument, Call, In, Lowered, Name, Out, Scratch, Weight
from whet.ir.element import BF16
from whet.ir.leaf import known
from whet.ir.node import Array, Node
from whet.kernels.conv_f32 import image, pair
from whet.kernels.epilogue import out_bytes, vector_epilogue
from whet.kernels.kernel import Numbers, kernel_of_choices
from whet.kernels.matmul_bf16 import bias_of, gemm_bf16, gemm_space
from whet.kernels.packing_bf16 import pack_conv_pairs
from whet.kernels.scratch import whole_lines
from whet.kernels.tiling_bf16 import ConvTile, laid_rows, tiles_conv_bf16
from whet.ops.convolution import conv
from whet.targets.target import Target


def weights_of(node: Node) -> Array | None:
    """The constant weights [O, KH, KW, C/groups] of a convolution of bf16 the kernels can do."""
    x, w = node.input(0).tensor, known(node.input(1))
    if w is None or x.element != BF16 or not x.static or w.ndim > 4:
        return None
    return w if w.ndim == 4 else w.reshape(w.shape[0], 1, *w.shape[1:])


def _rows(node: Node, w: Array) -> tuple[int, int, int] | None:
    """Where the rows lie of a convolution that is a product, as `gemm_bf16` takes them; None where
    it is none."""
    b, h, width, c = image(node.input(0).shape)
    _, oh, ow, _ = image(node.outputs[0].shape)
    down, right = pair(node.integers("stride"), 1)
    even = (b == 1 or h == oh * down) and pair(node.integers("low"), 0) == (0, 0)
    even &= (oh - 1) * down < h and (ow - 1) * right < width
    if w.shape[1:3] != (1, 1) or node.integer("groups", 1) != 1 or not even:
        return None
    return ow, down * width * c, right * c


def _tiles(node: Node, w: Array, target: Target) -> list[Numbers]:
    b, oh, ow, o = image(node.outputs[0].shape)
    if _rows(node, w):
        return gemm_space(b * oh * ow, o, w.shape[-1], target)
    _, kw, _, stride, _, dw, *_ = _window(node, w)
    reach, lanes = (kw - 1) * dw + 1, target.lanes
    n, c = o // node.integer("groups", 1), w.shape[-1]
    tiles = tiles_conv_bf16(oh, ow, n, reach, c, stride, lanes, target.registers)
    return [astuple(t) for t in tiles]


def space(node: Node, target: Target) -> list[Numbers]:
    """The numbers of the tile that the convolution takes: as a product or dense."""
    w = weights_of(node)
    return [] if w is None else _tiles(node, w, target)


@kernel_of_choices("conv_bf16", space, conv)
def lower(node: Node, target: Target, numbers: Numbers | None = None) -> Lowered | None:
    w = weights_of(node)
    if w is None:
        return None
    numbers = numbers or _tiles(node, w, target)[0]
    rows = _rows(node, w)
    if rows:
        b, oh, ow, o = image(node.outputs[0].shape)
        return gemm_bf16(node, b * oh * ow, w.reshape(o, -1).T, target, numbers, rows)
    return _implicit(node, w, target, ConvTile(*numbers))


def _window(node: Node, w: Array) -> tuple[int, ...]:
    dilation, low = pair(node.integers("dilation"), 1), pair(node.integers("low"), 0)
    return (*w.shape[1:3], *pair(node.integers("stride"), 1), *dilation, *low)


def _ends(node: Node) -> tuple[tuple[Argument, ...], tuple[Array, ...], int] | None:
    """The last arguments of a call, the bias where it has to be kept, the size of a result."""
    epilogue, bias, out = vector_epilogue(node, 3), bias_of(node), out_bytes(node)
    if epilogue is None or bias is None or out is None:
        return None
    offset, kept = bias
    span = (Name("begin"), Name("end"))
    return (*span, In(0), Weight(0), offset, Out(), Scratch(), epilogue), kept, out


def _implicit(node: Node, w: Array, target: Target, t: ConvTile) -> Lowered | None:
    ends = _ends(node)
    if ends is None:
        return None
    b, h, width, channels = image(node.input(0).shape)
    _, oh, ow, o = image(node.outputs[0].shape)
    _, kh, kw, c = w.shape
    groups = node.integer("groups", 1)
    n, window = o // groups, _window(node, w)
    sh, sw, dh, dw = window[2:6]
    reach = (kw - 1) * dw + 1
    dot, lanes = target.dot_bf16, target.lanes
    merged = t.pixel == c and dw == 1
    packed = pack_conv_pairs(w, groups, merged, lanes, t.vectors)
    sizes = (int(dot), ends[2], b, h, width, c, channels, t.pixel, oh, ow, n, o, groups)
    tile = (t.high, t.wide, t.vectors, t.rows)
    call = Call("conv_bf16", (*sizes, *window, *tile, *ends[0]))
    units = b * -(-oh // t.rows) * groups * -(-n // (t.vectors * lanes))
    laid = ((t.rows - 1) * sh + (kh - 1) * dh + 1) * ((ow - 1) * sw + reach) * t.pixel
    columns, wide = groups * -(-n // lanes) * lanes, t.vectors * lanes
    panel = (laid_rows(packed.size // columns, wide) + t.rows * ow) * wide
    constants, each = (packed, *ends[1]), whole_lines(4 * laid) + whole_lines(4 * panel)
    return Lowered((call,), ("conv_bf16.h",), constants, 0, units, "conv_bf16", each)
