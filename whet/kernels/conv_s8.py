"""int8 convolutions and matrix products with constant weights."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, replace

import numpy as np

from whet.emit.lowered import (
    Argument,
    Call,
    CodesEpilogue,
    In,
    Lowered,
    Name,
    Out,
    Ready,
    Scratch,
    Weight,
)
from whet.errors import ShapeError
from whet.ir.dim import static_size
from whet.ir.element import I8, Quant
from whet.ir.graph import Graph
from whet.ir.leaf import known
from whet.ir.node import Array, Node
from whet.kernels import packing_s8 as packing
from whet.kernels.ahead import AHEAD, fetching_turns
from whet.kernels.conv_f32 import image, pair
from whet.kernels.epilogue_s8 import low_steps, tail
from whet.kernels.kernel import Numbers, kernel_of_choices
from whet.kernels.scratch import whole_lines
from whet.kernels.share import balanced, balanced_gemm, panel_vectors
from whet.kernels.tiling import Tile, with_blocks
from whet.kernels.tiling_s8 import (
    COLUMN_ROWS,
    copied_rows_s8,
    depthwise_choices_s8,
    tile_choices_s8,
    tile_s8,
    wide_channels,
)
from whet.ops.convolution import contraction_of, conv
from whet.ops.integer.contraction import Contraction
from whet.ops.integer.requantize import Multiplier
from whet.ops.matmul import matmul
from whet.targets.target import Target

SPAN = (Name("begin"), Name("end"))
Pair = tuple[int, int]
# Rows of a block whose input rows are framed together, where blocks are to be small.
GRAIN = 4


@dataclass(frozen=True, slots=True)
class Operands:
    """A quantised contraction the kernels can do: weights, bias and constants known."""

    node: Node
    w: Array
    bias: Array
    constants: Contraction

    def finish(
        self, packed: packing.Packed, columns: Array, target: Target
    ) -> tuple[int, Ready | CodesEpilogue, tuple[Array, ...]]:
        """OUT, the epilogue, and all constants: weights, bias, then what the epilogue reads.

        columns: the stored weights as [K, N], which bound the accumulators.
        """
        c = self.constants
        bounds = packing.accumulator_bounds(columns, self.bias, c.x_zero, c.w_zero)
        n = columns.shape[1]
        by = Multiplier(np.broadcast_to(c.by.m, n), np.broadcast_to(c.by.t, n))
        limits = (c.low, c.high)
        ready = packing.requantization(by, c.y_zero, bounds, c.rounding, limits, target.fused)
        bias = packing.started(packed.bias, ready)
        held: tuple[Array, ...] = (packed.weights, bias, *ready.arrays)
        after = tail(self.node, *limits, len(held), fused=target.fused)
        pointers = tuple(Weight(i) for i in range(2, len(held)))
        first, low = Ready(ready.epilogue, pointers), low_steps(after.steps)
        if not after.steps:
            return ready.out, first, held
        if ready.out == 2 and low:
            return 2, CodesEpilogue(first, low), held
        code = ready.epilogue if ready.out == 1 else ready.codes
        return 1, CodesEpilogue(Ready(code, pointers), after.steps), (*held, *after.tables)

    def in_order(self, order: Array, w: Array) -> tuple[Operands, Array]:
        """The operands and weights [O, ...] with output channels in another order, some of them
        more than once."""
        by = self.constants.by
        m, t = (np.broadcast_to(v, w.shape[:1])[order] for v in (by.m, by.t))
        constants = replace(self.constants, by=Multiplier(m, t))
        return replace(self, bias=self.bias[order], constants=constants), w[order]

    @property
    def limits(self) -> tuple[int, int]:
        """What the results are clamped to."""
        after = tail(self.node, self.constants.low, self.constants.high)
        return after.low, after.high


def operands(node: Node, channels: int) -> Operands | None:
    """The operands, or None where an element is not int8, or something is not constant."""
    elements = [v.tensor.element for v in (*node.inputs[:2], node.outputs[0]) if v is not None]
    if any(not isinstance(e, Quant) or e.store != I8 for e in elements):
        return None
    x, w, bias = node.inputs[0], known(node.inputs[1]), node.operand(2)
    given = known(bias)
    if x is None or not x.tensor.static or w is None or (bias is not None and given is None):
        return None
    try:
        constants = contraction_of(node)
    except ShapeError:
        return None
    zeros = np.zeros(channels, np.int64)
    return Operands(node, w, zeros if given is None else given.astype(np.int64), constants)


def _pointwise(node: Node) -> bool:
    """Whether the convolution is a matrix product."""
    x, w = node.input(0), node.input(1)
    plain = all(v == 1 for v in node.integers("stride")) and node.integer("groups", 1) == 1
    taps = all(d == 1 for d in w.shape[1:-1])
    return taps and plain and x.shape[1:-1] == node.outputs[0].shape[1:-1]


def space(node: Node, target: Target) -> list[Numbers]:
    """Depthwise: rows and columns of a tile. Else its rows and vectors, and the rows of a block."""
    if operands(node, static_size(node.outputs[0].shape[-1])) is None:
        return []
    x, w = node.input(0).shape, known(node.inputs[1])
    if w is None or w.ndim > 4:
        return []
    b, _, _, c = image(x)
    _, oh, ow, o = image(node.outputs[0].shape)
    if _pointwise(node):
        return _tiles(b * oh * ow, o, c, target)
    w = w if w.ndim == 4 else w[:, None]
    groups = node.integer("groups", 1)
    if groups == c > 1:
        return list(_depthwise_tiles(node, w, target))
    joined = _joined(node, w, target)
    _, kh, kw, per = _wider(w, joined, _windows(node, w)[3], 0).shape
    shape = (ow // joined, joined * o // groups, kh * kw * per)
    tiles = tile_choices_s8(*shape, target.lanes, target.registers, rows=oh)
    return [astuple(t) for t in with_blocks(tiles, oh, of_tiles=False)]


def _tiles(m: int, n: int, k: int, target: Target) -> list[Numbers]:
    tiles = tile_choices_s8(m, n, k, target.lanes, target.registers)
    return [astuple(t) for t in with_blocks(tiles, m, of_tiles=True)]


def _depthwise_tiles(node: Node, w: Array, target: Target) -> list[tuple[int, int]]:
    _, out, (kh, kw, sh, sw, dh, *_), _ = _upright(node, w)
    wide = 2 * _wide(node, w, target) > w.shape[0]
    return depthwise_choices_s8(out, (kh, kw), (sh, sw), dh, target.registers, wide=wide)


def _wide(node: Node, w: Array, target: Target) -> int:
    """The channels of the wide form, whose order an epilogue's operands do not have."""
    body, channels = node["epilogue"], node.input(0).shape[-1]
    if w.shape[0] != channels or (isinstance(body, Graph) and len(body.inputs) > 1):
        return 0
    kh, kw, sh, sw, _, dw, *_ = _upright(node, w)[2]
    return wide_channels(w.shape[0], (kh, kw), (sh, sw), dw, target.lanes)


def rows(node: Node, target: Target, numbers: Numbers | None = None) -> Lowered | None:
    """Blocks of a row of the image, or of a few whose frames overlap, and a tile for that."""
    return _lowered(node, target, numbers, by_rows=True)


@kernel_of_choices("conv_s8", space, conv, by_rows=rows)
def lower(node: Node, target: Target, numbers: Numbers | None = None) -> Lowered | None:
    return _lowered(node, target, numbers, by_rows=False)


def _lowered(
    node: Node, target: Target, numbers: Numbers | None, *, by_rows: bool
) -> Lowered | None:
    found = operands(node, static_size(node.outputs[0].shape[-1]))
    if found is None or found.w.ndim > 4:
        return None
    shape = node.input(0).shape
    *_, width, c = image(shape)
    if _pointwise(node):
        m, columns = math.prod(image(shape)) // c, found.w.reshape(-1, c).T
        return gemm(found, m, columns, target, numbers, width, by_rows=by_rows)
    w = found.w if found.w.ndim == 4 else found.w[:, None]
    if node.integer("groups", 1) == c > 1:
        return _depthwise(node, found, w, target, numbers)
    return _convolution(node, found, w, target, numbers, by_rows=by_rows)


def product_space(node: Node, target: Target) -> list[Numbers]:
    """Rows and vectors of a tile, and the rows of a block."""
    out, w = node.outputs[0].tensor, known(node.inputs[1])
    if not out.static or w is None or w.ndim != 2:
        return []
    k, n = w.shape
    fits = operands(node, n) is not None
    return _tiles(static_size(out.elements) // n, n, k, target) if fits else []


@kernel_of_choices("matmul_s8", product_space, matmul)
def product(node: Node, target: Target, numbers: Numbers | None = None) -> Lowered | None:
    out = node.outputs[0].tensor
    found = operands(node, static_size(out.shape[-1])) if out.static else None
    if found is None or found.w.ndim != 2:
        return None
    rows = static_size(node.outputs[0].tensor.elements) // found.w.shape[1]
    return gemm(found, rows, found.w, target, numbers)


def gemm(
    found: Operands, m: int, w: Array, target: Target, numbers: Numbers | None = None,
    width: int = 0, *, by_rows: bool = False,
) -> Lowered:  # fmt: skip
    """[m, K] activations times w[K, N]. width: of the image that the m are the pixels of, if any;
    by_rows: in blocks of a row of it."""
    k, n = w.shape
    c = found.constants
    row = width if by_rows else m
    t = Tile(*numbers) if numbers else tile_s8(row, n, k, target.lanes, target.registers)
    copied, each = target.dot8_shift != 0 or target.dot8_pairs, 2 if target.dot8_pairs else 1
    if copied:
        t = replace(t, block=min(t.block, copied_rows_s8(t.rows, k * each)))
    t = replace(t, block=row) if by_rows else balanced_gemm(t, m, n, k, target, 1)
    packed = packing.pack_gemm_s8(
        w, found.bias, c.x_zero, lanes=target.lanes, vectors=t.vectors, shift=target.dot8_shift,
        pairs=target.dot8_pairs, weight_zero=c.w_zero,
    )  # fmt: skip
    out, epilogue, constants = found.finish(packed, w, target)
    tile = (t.rows, t.vectors, t.block, packed.again, int(copied), out, *found.limits)
    ready = Scratch() if copied else 0
    ends = (In(0), Weight(0), Weight(1), Out(), ready, *AHEAD, epilogue)
    call = Call("gemm_s8", (m, n, k, k, n, *tile, *SPAN, *ends))
    units = -(-m // t.block) * -(-n // (t.vectors * target.lanes))
    room = whole_lines(min(m, t.block) * k * each) if copied else 0
    grain = t.block // width if width and t.block % width == 0 else 0
    turns = fetching_turns(t, m, n, k // 4, target)
    return Lowered(
        (call,), ("gemm_s8.h",), constants, 0, units, "gemm_s8", room, grain=grain, turns=turns
    )


def _windows(node: Node, w: Array) -> tuple[int, ...]:
    """KH, KW, SH, SW, DH, DW, PT, PL."""
    stride, dilation = pair(node.integers("stride"), 1), pair(node.integers("dilation"), 1)
    return (w.shape[1], w.shape[2], *stride, *dilation, *pair(node.integers("low"), 0))


def _upright(node: Node, w: Array) -> tuple[Pair, Pair, tuple[int, ...], Array]:
    """Height and width of the input and of the result, windows and weights of a depthwise
    convolution. An image of one row is taken for one of one column, where a quad is four taps."""
    _, h, width, _ = image(node.input(0).shape)
    _, oh, ow, _ = image(node.outputs[0].shape)
    windows = _windows(node, w)
    if h > 1 or oh > 1 or not 1 < w.shape[2] <= COLUMN_ROWS or w.shape[1] > 1:
        return (h, width), (oh, ow), windows, w
    across = tuple(n for i in range(0, len(windows), 2) for n in (windows[i + 1], windows[i]))
    return (width, 1), (ow, 1), across, w.swapaxes(1, 2)


def _depthwise(
    node: Node, found: Operands, w: Array, target: Target, numbers: Numbers | None
) -> Lowered | None:
    """None for a kernel of more rows than a strip has room for."""
    tiles = _depthwise_tiles(node, w, target)
    if not tiles:
        return None
    b, rows, _, c = image(node.input(0).shape)
    wide, o = _wide(node, w, target), w.shape[0]
    (h, width), (oh, ow), windows, w = _upright(node, w)
    k = found.constants
    _, _, sh, _, dh, *_ = windows
    th, tw = numbers or tiles[0]
    found, w = found.in_order(packing.wide_order(o, wide, target.lanes), w)
    packed = packing.pack_depthwise_s8(
        w[..., 0], found.bias, k.x_zero, stride_h=sh, dilation_h=dh, tile_h=th,
        lanes=target.lanes, shift=target.dot8_shift, pairs=target.dot8_pairs,
        weight_zero=k.w_zero, wide=wide,
    )  # fmt: skip
    out, epilogue, constants = found.finish(packed, w.reshape(w.shape[0], -1).T, target)
    shape: tuple[Argument, ...] = (b, h, width, c, c, oh, ow, o, o // c)
    tile = (th, tw, wide, packed.passes, packed.again, k.x_zero, out, *found.limits)
    ends = (In(0), Weight(0), Weight(1), Out(), epilogue)
    call = Call("depthwise_s8", (*shape, *windows, *tile, *SPAN, *ends))
    units, grain = b * -(-oh // th) * -(-o // target.lanes), th if h == rows else 0
    return Lowered((call,), ("depthwise_s8.h",), constants, 0, units, "depthwise_s8", grain=grain)


def _joined(node: Node, w: Array, target: Target) -> int:
    """How many neighbouring outputs are computed as one of so many times the channels, which fill
    a vector: those for which the fewest quads are read."""
    o, kh, kw, c = w.shape
    body, ow = node["epilogue"], static_size(node.outputs[0].shape[-2])
    alone = node.integer("groups", 1) == 1 and _windows(node, w)[5] == 1
    if not alone or (isinstance(body, Graph) and len(body.inputs) > 1):
        return 1
    sw = _windows(node, w)[3]
    fit = [j for j in (1, 2, 4) if j == 1 or (j * o <= target.lanes and ow % j == 0)]
    return min(fit, key=lambda j: kh * -(-(kw + (j - 1) * sw) * c // 4) / j)


def _wider(w: Array, joined: int, sw: int, zero: int) -> Array:
    """Weights of kernels that make so many neighbouring outputs, `sw` inputs apart."""
    o, kh, kw, c = w.shape
    wider = np.full((joined, o, kh, kw + (joined - 1) * sw, c), zero, w.dtype)
    for i in range(joined):
        wider[i, :, :, i * sw : i * sw + kw] = w
    return wider.reshape(joined * o, *wider.shape[2:])


def _convolution(
    node: Node, found: Operands, w: Array, target: Target, numbers: Numbers | None, *, by_rows: bool
) -> Lowered:
    b, h, width, c = image(node.input(0).shape)
    _, oh, ow, o = image(node.outputs[0].shape)
    groups, k = node.integer("groups", 1), found.constants
    joined, light = _joined(node, w, target), w.size < b * (h * width * c + oh * ow * o)
    kh, kw, sh, sw, dh, dw, pt, pl = _windows(node, w)
    found, w = found.in_order(np.arange(joined * o) % o, w)
    w = _wider(w[:o], joined, sw, k.w_zero)
    ow, o, kw, sw = ow // joined, joined * o, w.shape[2], joined * sw
    n, per = o // groups, w.shape[-1]
    k_size = kh * kw * per
    first = tile_s8(ow, n, k_size, target.lanes, target.registers, rows=oh)
    chosen = Tile(*numbers) if numbers else first
    panels = panel_vectors(n, chosen, target) * groups
    block = balanced(
        chosen.block, oh, panels, target.threads, by_rows=light and b == 1, images=b,
        weight_bytes=w.size,
    )  # fmt: skip
    t = replace(chosen, block=min(oh, GRAIN) if by_rows else block)
    each = packing.conv_scratch(
        (h, width), (oh, ow), c, (kh, kw), (sh, sw), (dh, dw), (pt, pl), t.block, target.dot8_pairs
    )
    packed = packing.pack_conv_s8(
        w.transpose(0, 3, 1, 2), found.bias, k.x_zero, groups=groups,
        dense=packing.conv_is_dense(per, groups, c, dw, each > 0), lanes=target.lanes,
        vectors=t.vectors, shift=target.dot8_shift, pairs=target.dot8_pairs, weight_zero=k.w_zero,
    )  # fmt: skip
    out, epilogue, constants = found.finish(packed, w.reshape(o, -1).T, target)
    shape = (b, h, width, per, c, oh, ow, n, o, groups)
    tile = (t.rows, t.vectors, t.block, k.x_zero, packed.again, out, *found.limits)
    scratch: Argument = Scratch() if each else 0
    ends = (In(0), Weight(0), Weight(1), Out(), scratch, epilogue)
    windows = (kh, kw, sh, sw, dh, dw, pt, pl)
    call = Call("conv_s8", (*shape, *windows, *tile, *SPAN, *ends))
    units = b * -(-oh // t.block) * len(panels)
    rounded = whole_lines(each)
    grain = t.block if by_rows else 0
    return Lowered((call,), ("conv_s8.h",), constants, 0, units, "conv_s8", rounded, grain=grain)
