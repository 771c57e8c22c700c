"""f32 convolutions with constant weights: depthwise, 1x1 as a GEMM, and implicit GEMM."""

from __future__ import annotations

from dataclasses import astuple, replace

from whet.emit.lowered import Argument, Call, In, Lowered, Name, Out, Pitch, Weight
from whet.ir.dim import Size, static_shape
from whet.ir.element import F32
from whet.ir.leaf import known
from whet.ir.node import Array, Node
from whet.kernels.epilogue import far, out_bytes, vector_epilogue
from whet.kernels.kernel import Numbers, kernel_of_choices
from whet.kernels.packing import pack_conv, pack_depthwise, pack_panels
from whet.kernels.share import balanced, balanced_gemm, panel_vectors
from whet.kernels.tiling import Tile, tile_choices_f32, tile_f32, with_blocks
from whet.ops.convolution import conv
from whet.targets.target import Target


def image(shape: tuple[Size, ...]) -> tuple[int, int, int, int]:
    """[N, *S, C] of one or two spatial axes as (N, H, W, C)."""
    n, *spatial, c = static_shape(shape)
    h, w = spatial if len(spatial) == 2 else (1, *spatial)
    return n, h, w, c


def pair(values: tuple[int, ...], missing: int) -> tuple[int, int]:
    """A per-axis attribute for two axes."""
    return (values[0], values[1]) if len(values) == 2 else (missing, values[0])


def weights_of(node: Node) -> Array | None:
    """The constant f32 weights [O, KH, KW, C/groups] of a convolution the kernels can do."""
    x, w = node.inputs[0], known(node.inputs[1])
    if w is None or x is None or x.tensor.element != F32 or not x.tensor.static or w.ndim > 4:
        return None
    return w if w.ndim == 4 else w.reshape(w.shape[0], 1, *w.shape[1:])


def _pointwise(node: Node, w: Array) -> bool:
    """Whether the convolution is a matrix product."""
    x = node.input(0)
    plain = pair(node.integers("stride"), 1) == (1, 1) and node.integer("groups", 1) == 1
    same = image(x.shape)[1:3] == image(node.outputs[0].shape)[1:3]
    return w.shape[1:3] == (1, 1) and plain and same


def space(node: Node, target: Target) -> list[Numbers]:
    """Depthwise: pixels at once. Else rows and vectors of a tile, and the rows of a block."""
    w, x = weights_of(node), node.inputs[0]
    if w is None or x is None or len(x.shape) > 4 or vector_epilogue(node, 3) is None:
        return []
    c, groups = image(x.shape)[3], node.integer("groups", 1)
    b, oh, ow, o = image(node.outputs[0].shape)
    if w.shape[-1] == 1 and groups == c:
        first = _pixels(ow, target)
        near = sorted(range(1, min(ow, target.registers // 2) + 1), key=lambda p: abs(p - first))
        return [(p,) for p in near]
    if _pointwise(node, w):
        m = b * oh * ow
        tiles = tile_choices_f32(m, o, c, target)
        return [astuple(t) for t in with_blocks(tiles, m, of_tiles=True)]
    return [astuple(t) for t in with_blocks(windowed(node, w, target), oh, of_tiles=False)]


def _pixels(ow: int, target: Target) -> int:
    """How many pixels of a row a depthwise tile has."""
    return min(ow, 8 if target.registers == 32 else 7 if target.lanes == 8 else 4)


def windowed(node: Node, w: Array, target: Target) -> list[Tile]:
    """Tiles for a convolution that conv_f32 does, the likely fastest first."""
    _, _, width, c = image(node.input(0).shape)
    b, oh, ow, o = image(node.outputs[0].shape)
    (down, right), groups = pair(node.integers("stride"), 1), node.integer("groups", 1)
    return tile_choices_f32(
        ow, o // groups, w.shape[1] * w.shape[2] * w.shape[3], target,
        stride=right * c, rows=b * oh, row=min(down, w.shape[1]) * width * c,
    )  # fmt: skip


def rows(node: Node, target: Target, numbers: Numbers | None = None) -> Lowered | None:
    """Blocks of one row of the image, and a tile for that."""
    return _lowered(node, target, numbers, by_rows=True)


@kernel_of_choices("conv_f32", space, conv, by_rows=rows)
def lower(node: Node, target: Target, numbers: Numbers | None = None) -> Lowered | None:
    return _lowered(node, target, numbers, by_rows=False)


def _lowered(
    node: Node, target: Target, numbers: Numbers | None, *, by_rows: bool
) -> Lowered | None:
    w, x = weights_of(node), node.inputs[0]
    epilogue, out = vector_epilogue(node, 3), out_bytes(node)
    if w is None or x is None or epilogue is None or out is None or len(x.shape) > 4:
        return None
    b, h, width, c = image(x.shape)
    _, oh, ow, o = image(node.outputs[0].shape)
    stride, dilation = pair(node.integers("stride"), 1), pair(node.integers("dilation"), 1)
    low, groups = pair(node.integers("low"), 0), node.integer("groups", 1)
    bias: Argument = In(2) if node.operand(2) is not None else 0
    kh, kw, per = w.shape[1:]
    windows: tuple[Argument, ...] = (kh, kw, *stride, *dilation, *low)
    apart = (Pitch(In(0), c), Pitch(Out(), o))
    span = (Name("begin"), Name("end"))
    pointers: tuple[Argument, ...] = (*span, In(0), Weight(0), bias, Out())
    near: tuple[Argument, ...] = (0, 0, 0)
    afar = near if by_rows else far(epilogue, node, target)
    ends = (*pointers, *afar, epilogue)
    if per == 1 and groups == c:
        packed = pack_depthwise(w.transpose(0, 3, 1, 2))
        (tile,) = numbers or (_pixels(ow, target),)
        units = b * oh * -(-o // target.lanes)
        sizes = (out, h, width, c, c, oh, ow, o, o // c, *windows, tile)
        call = Call("depthwise_f32", (*sizes, *pointers, epilogue))
        return Lowered((call,), ("depthwise_f32.h",), (packed,), 0, units, "depthwise_f32", grain=1)
    if _pointwise(node, w):
        m = b * oh * ow
        t = Tile(*numbers) if numbers else tile_f32(ow if by_rows else m, o, c, target)
        t = replace(t, block=ow) if by_rows else balanced_gemm(t, m, o, c, target, 4)
        packed = pack_panels(w.reshape(o, c).T, target.lanes, t.vectors)
        sizes = (out, m, o, c, *apart[:1], 0, *apart[1:])
        arguments: tuple[Argument, ...] = (*sizes, t.rows, t.vectors, t.block, *ends)
        units = -(-m // t.block) * -(-o // (t.vectors * target.lanes))
        return Lowered(
            (Call("gemm_f32", arguments),), ("gemm_f32.h",), (packed,), 0, units, "gemm_f32",
            grain=t.block // ow if t.block % ow == 0 else 0,
        )  # fmt: skip
    n = o // groups
    t = Tile(*numbers) if numbers else windowed(node, w, target)[0]
    panels = panel_vectors(n, t, target) * groups
    light = w.size < b * (h * width * c + oh * ow * o)
    block = balanced(t.block, b * oh, panels, target.threads, by_rows=light, weight_bytes=w.nbytes)
    t = replace(t, block=1 if by_rows else block)
    packed = pack_conv(w.transpose(0, 3, 1, 2), groups, target.lanes, t.vectors)
    shape = (out, b, h, width, per, apart[0], oh, ow, n, apart[1], groups)
    call = Call("conv_f32", (*shape, *windows, t.rows, t.vectors, t.block, *ends))
    units = -(-b * oh // t.block) * len(panels)
    return Lowered((call,), ("conv_f32.h",), (packed,), 0, units, "conv_f32", grain=int(by_rows))
