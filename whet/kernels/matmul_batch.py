"""Matrix products whose operands are both known only at run time, over broadcast batches."""

from __future__ import annotations

from dataclasses import astuple
from math import prod

from whet.emit.lowered import Argument, Call, In, Longs, Lowered, Name, Out
from whet.ir.dim import Size, static_shape, static_size
from whet.ir.element import F32
from whet.ir.node import Node
from whet.kernels.kernel import Numbers, kernel, kernel_of_choices
from whet.kernels.order import number_type
from whet.kernels.share import balanced_gemm, panel_vectors
from whet.kernels.strides import broadcast_strides
from whet.kernels.tiling import Tile, tile_choices_f32, tile_f32, with_blocks
from whet.ops.matmul import matmul
from whet.targets.target import Target

MAX_RANK = 8


def batch_strides(node: Node, index: int) -> tuple[Size, ...]:
    """Elements between the matrices of an operand along each axis of the result's batch."""
    x, batch = node.input(index), node.outputs[0].shape[:-2]
    size = x.shape[-2] * x.shape[-1]
    return tuple(s * size for s in broadcast_strides(x.shape[:-2], batch))


def _batch(node: Node) -> tuple[Argument, ...]:
    shape = node.outputs[0].shape[:-2]
    strides = (Longs(batch_strides(node, i)) for i in range(2))
    return (Longs(shape), *strides, len(shape))


def _plain(node: Node) -> bool:
    return (
        node["epilogue"] is None and node["element"] is None
        and len(node.outputs[0].shape) <= MAX_RANK + 2
    )  # fmt: skip


@kernel("matmul", matmul, fallback=True)
def generic(node: Node, target: Target) -> Lowered | None:
    a, y = node.inputs[0], node.outputs[0]
    s = number_type(y.tensor)
    if not _plain(node) or node.operand(2) is not None or a is None or s is None:
        return None
    sizes = (y.shape[-2], a.shape[-1], y.shape[-1])
    call = Call(f"matmul_{s}", (In(0), In(1), Out(), *sizes, *_batch(node)))
    return Lowered((call,), ("matmul_generic.h",))


def _sizes(node: Node) -> tuple[int, int, int] | None:
    """M, N and K where all are known and there is something to compute."""
    a, b, y = node.input(0), node.input(1), node.outputs[0]
    static = a.tensor.static and b.tensor.static
    if not _plain(node) or not static or y.tensor.element != F32:
        return None
    m, n = static_shape(y.shape)[-2:]
    k = static_size(a.shape[-1])
    return (m, n, k) if y.tensor.elements and k else None


def space(node: Node, target: Target) -> list[Numbers]:
    """Rows and vectors of a tile, and the rows of a block."""
    sizes = _sizes(node)
    if sizes is None:
        return []
    tiles = tile_choices_f32(*sizes, target)
    return [astuple(t) for t in with_blocks(tiles, sizes[0], of_tiles=True)]


@kernel_of_choices("gemm_batch_f32", space, matmul)
def batched(node: Node, target: Target, numbers: Numbers | None = None) -> Lowered | None:
    sizes = _sizes(node)
    if sizes is None:
        return None
    m, n, k = sizes
    batch = static_shape(node.outputs[0].shape)[:-2]
    t = Tile(*numbers) if numbers else tile_f32(m, n, k, target)
    if prod(batch) % target.threads:
        t = balanced_gemm(t, m, n, k, target, 4)
    units = -(-m // t.block) * len(panel_vectors(n, t, target))
    bias: Argument = 0 if node.operand(2) is None else In(2)
    ends = (Name("begin"), Name("end"), In(0), In(1), bias, Out())
    tile = (t.rows, t.vectors, t.block)
    call = Call("gemm_batch_f32", (units, *_batch(node), *sizes, *tile, *ends))
    return Lowered((call,), ("gemm_batch_f32.h",), parallel=prod(batch) * units)
