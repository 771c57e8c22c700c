"""Products of int8 codes that are both known only at run time: gemm_batch_s8.h."""

from __future__ import annotations

from math import prod

import numpy as np

from whet.emit.lowered import Argument, Call, In, Longs, Lowered, Name, Out, Scratch, Weight
from whet.ir.dim import static_shape, static_size
from whet.ir.element import I8, Quant
from whet.ir.leaf import known
from whet.ir.node import Node
from whet.kernels.kernel import kernel
from whet.kernels.matmul_batch import batch_strides
from whet.kernels.scratch import whole_lines
from whet.kernels.tiling_s8 import tile_s8
from whet.ops.convolution import contraction_of
from whet.ops.integer.narrow import narrow
from whet.ops.matmul import matmul
from whet.targets.target import Target

ROWS = 64
"""Rows of a block, about: many threads share the rows of one matrix."""


def _coded(node: Node) -> bool:
    values = [*node.inputs, node.outputs[0]]
    elements = [v.tensor.element for v in values if v is not None]
    whole = all(isinstance(e, Quant) and e.store == I8 and len(e.scale) == 1 for e in elements)
    return whole and len(elements) == 3 and node["epilogue"] is None


@kernel("gemm_batch_s8", matmul)
def batched(node: Node, target: Target) -> Lowered | None:
    a, b, y = node.inputs[0], node.inputs[1], node.outputs[0]
    if a is None or b is None or not _coded(node) or known(b) is not None:
        return None
    if not (a.tensor.static and b.tensor.static):
        return None
    *batch, m, n = static_shape(y.shape)
    k = static_size(a.shape[-1])
    c = contraction_of(node)
    form = narrow(c, k)
    if form is None or not prod((*batch, m, n, k)):
        return None
    block = -(-m // -(-m // ROWS))
    units, t = -(-m // block), tile_s8(block, n, k, target.lanes, target.registers)
    columns = -(-n // target.lanes) * target.lanes
    ready = 2 * block * k if target.dot8_pairs else 0
    lengths = (columns * 4 * -(-k // 4), columns * 4, block * 4, ready)
    numbers = np.array([c.x_zero, c.w_zero, form.m, form.shift, form.round, 0, 0, 0], np.int32)
    strides = [Longs(batch_strides(node, i)) for i in range(2)]
    shape: tuple[Argument, ...] = (Longs(tuple(batch)), *strides, len(batch))
    sizes = (m, n, k, t.rows, t.vectors, block, form.left, Name("begin"), Name("end"))
    call = Call("gemm_batch_s8", (*shape, *sizes, Weight(0), In(0), In(1), Out(), Scratch()))
    each = sum(whole_lines(length) for length in lengths)
    return Lowered(
        (call,), ("gemm_batch_s8.h",), (numbers,), parallel=prod(batch) * units, scratch_each=each
    )
