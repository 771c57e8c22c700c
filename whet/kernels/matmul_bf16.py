"""bf16 matrix products with constant weights: sums in f32, results in bf16 or f32."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np

from whet.emit.lowered import Argument, Call, In, Lowered, Name, Out, Scratch, Weight
from whet.ir.dim import static_size
from whet.ir.element import BF16, F32
from whet.ir.leaf import known
from whet.ir.node import Array, Node
from whet.kernels.epilogue import out_bytes, vector_epilogue
from whet.kernels.kernel import Numbers, kernel_of_choices
from whet.kernels.packing_bf16 import pack_pairs
from whet.kernels.share import balanced_gemm
from whet.kernels.tiling import Tile, tile_choices_f32
from whet.kernels.tiling_bf16 import gemm_scratch, laid_stride
from whet.ops.matmul import matmul
from whet.targets.target import Target


def bias_of(node: Node) -> tuple[Argument, tuple[Array, ...]] | None:
    """The bias of a contraction as its kernel reads it, and what has to be kept for that after the
    weights; None where it cannot be read."""
    bias = node.operand(2)
    if bias is None:
        return 0, ()
    if bias.tensor.element == F32:
        return In(2), ()
    values = known(bias)
    return None if values is None else (Weight(1), (values.astype(np.float32),))


def gemm_space(m: int, n: int, k: int, target: Target) -> list[Numbers]:
    """Rows and vectors of a tile, and the rows of a block."""
    tiles = tile_choices_f32(m, n, k, target, stride=laid_stride(k))
    return list(dict.fromkeys(astuple(t) for t in tiles))


def gemm_bf16(
    node: Node,
    m: int,
    w: Array,
    target: Target,
    numbers: Numbers | None,
    rows: tuple[int, int, int] | None = None,
) -> Lowered | None:
    """x[m, K] * w[K, N] with the node's bias and epilogue.

    rows: how many rows lie evenly, the elements from so many to the next, and from one to the next.
    """
    epilogue, bias, out = vector_epilogue(node, 3), bias_of(node), out_bytes(node)
    if epilogue is None or bias is None or out is None:
        return None
    k, n = w.shape
    t = balanced_gemm(Tile(*(numbers or gemm_space(m, n, k, target)[0])), m, n, k, target, 2)
    stride = laid_stride(k)
    offset, kept = bias
    sizes = (
        int(target.dot_bf16),
        out,
        m,
        n,
        k,
        *(rows or (m, 0, k)),
        stride,
        n,
        t.rows,
        t.vectors,
        t.block,
    )
    ends = (Name("begin"), Name("end"), In(0), Weight(0), offset, Out(), Scratch(), epilogue)
    units = -(-m // t.block) * -(-n // (t.vectors * target.lanes))
    return Lowered(
        (Call("gemm_bf16", (*sizes, *ends)),), ("gemm_bf16.h",),
        (pack_pairs(w, target.lanes, t.vectors), *kept), 0, units, "gemm_bf16",
        gemm_scratch(m, k, t, target.lanes),
    )  # fmt: skip


def _product(node: Node) -> tuple[int, Array] | None:
    """M and the weights [K, N] where they are one known matrix."""
    a, w = node.input(0), known(node.input(1))
    if w is None or a.tensor.element != BF16 or not a.tensor.static or w.ndim != 2:
        return None
    return (static_size(a.tensor.elements) // w.shape[0], w) if w.shape[0] else None


def space(node: Node, target: Target) -> list[Numbers]:
    """As `gemm_space`."""
    found = _product(node)
    if found is None:
        return []
    m, w = found
    return gemm_space(m, w.shape[1], w.shape[0], target)


@kernel_of_choices("gemm_bf16", space, matmul)
def lower(node: Node, target: Target, numbers: Numbers | None = None) -> Lowered | None:
    found = _product(node)
    return None if found is None else gemm_bf16(node, *found, target, numbers)
