"""bf16 convolutions with constant weights: depthwise, 1x1 as a GEMM, and implicit GEMM."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np

from whet.emit.lowered import Argument, Call, In, Lowered, Name, Out, Scratch, Weight
from whet.ir.element import BF16
from whet.ir.leaf import known
from whet.ir.node import Array, Node
from whet.kernels.conv_f32 import image, pair
from whet.kernels.epilogue import NARROW_FLOATS, vector_epilogue
from whet.kernels.kernel import Numbers, kernel_of_choices
from whet.kernels.matmul_bf16 import bias_of, gemm_bf16, gemm_space, out_bytes
from whet.kernels.packing_bf16 import pack_conv_pairs
from whet.kernels.scratch import whole_lines
from whet.kernels.tiling_bf16 import ConvTile, DepthwiseTile, tiles_conv_bf16, tiles_depthwise_bf16
from whet.ops.convolution import conv
from whet.targets.target import Target


def _weights(node: Node) -> Array | None:
    """The constant weights [O, KH, KW, C/groups] of a convolution of bf16 the kernels can do."""
    x, w = node.input(0).tensor, known(node.input(1))
    if w is None or x.element != BF16 or not x.static or w.ndim > 4:
        return None
    return w if w.ndim == 4 else w.reshape(w.shape[0], 1, *w.shape[1:])


def _is_depthwise(node: Node, w: Array) -> bool:
    groups, channels = node.integer("groups", 1), image(node.input(0).shape)[3]
    return bool(w.shape[-1] == 1) and groups == channels == w.shape[0]


def _is_product(node: Node, w: Array) -> bool:
    same = image(node.input(0).shape)[:3] == image(node.outputs[0].shape)[:3]
    plain = pair(node.integers("stride"), 1) == (1, 1) and node.integer("groups", 1) == 1
    return bool(w.shape[1:3] == (1, 1)) and plain and same


def _tiles(node: Node, w: Array, target: Target) -> list[Numbers]:
    b, oh, ow, o = image(node.outputs[0].shape)
    if _is_product(node, w):
        return gemm_space(b * oh * ow, o, w.shape[-1], target)
    kh, kw, _, stride, dh, dw, *_ = _window(node, w)
    high, reach, lanes = (kh - 1) * dh + 1, (kw - 1) * dw + 1, target.lanes
    if _is_depthwise(node, w):
        taps = max(high, reach)
        found = tiles_depthwise_bf16(oh, ow, o, taps, stride, lanes, target.registers)
        return [astuple(t) for t in found]
    n, c = o // node.integer("groups", 1), w.shape[-1]
    dot = target.dot_bf16
    tiles = tiles_conv_bf16(oh, ow, n, reach, c, stride, lanes, target.registers, dot)
    return [astuple(t) for t in tiles]


def space(node: Node, target: Target) -> list[Numbers]:
    """The numbers of the tile that the convolution takes: as a product, depthwise or dense."""
    w = _weights(node)
    return [] if w is None else _tiles(node, w, target)


@kernel_of_choices("conv_bf16", space, conv)
def lower(node: Node, target: Target, numbers: Numbers | None = None) -> Lowered | None:
    w = _weights(node)
    if w is None:
        return None
    numbers = numbers or _tiles(node, w, target)[0]
    if _is_product(node, w):
        b, oh, ow, o = image(node.outputs[0].shape)
        return gemm_bf16(node, b * oh * ow, w.reshape(o, -1).T, target, numbers)
    if _is_depthwise(node, w):
        return _depthwise(node, w, DepthwiseTile(*numbers))
    return _implicit(node, w, target, ConvTile(*numbers))


def _window(node: Node, w: Array) -> tuple[int, ...]:
    dilation, low = pair(node.integers("dilation"), 1), pair(node.integers("low"), 0)
    return (*w.shape[1:3], *pair(node.integers("stride"), 1), *dilation, *low)


def _ends(node: Node) -> tuple[tuple[Argument, ...], tuple[Array, ...], int] | None:
    """The last arguments of a call, the bias where it has to be kept, the size of a result."""
    epilogue, bias, out = vector_epilogue(node, 3, NARROW_FLOATS), bias_of(node), out_bytes(node)
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
    constants = (packed, *ends[1])
    return Lowered(
        (call,), ("conv_bf16.h",), constants, 0, units, "conv_bf16", whole_lines(4 * laid)
    )


def _depthwise(node: Node, w: Array, t: DepthwiseTile) -> Lowered | None:
    ends = _ends(node)
    if ends is None:
        return None
    b, h, width, c = image(node.input(0).shape)
    _, oh, ow, _ = image(node.outputs[0].shape)
    kh, kw, sh, sw, dh, dw, *low = _window(node, w)
    high, reach = (kh - 1) * dh + 1, (kw - 1) * dw + 1
    sizes = (ends[2], b, h, width, c, c, oh, ow, c, kh, kw, sh, sw, dh, dw, *low)
    call = Call("depthwise_bf16", (*sizes, t.wide, t.rows, t.channels, *ends[0]))
    units = b * -(-oh // t.rows) * -(-c // t.channels)
    laid = ((t.rows - 1) * sh + high) * ((ow - 1) * sw + reach) * min(t.channels, c)
    taps = np.ascontiguousarray(w[..., 0].transpose(1, 2, 0), np.float32)
    constants, each = (taps, *ends[1]), whole_lines(4 * laid)
    return Lowered((call,), ("depthwise_bf16.h",), constants, 0, units, "depthwise_bf16", each)
