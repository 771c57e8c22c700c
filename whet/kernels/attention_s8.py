"""Attention on int8 codes: attention_s8.h."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from whet.emit.lowered import Argument, Call, In, Lowered, Name, Out, Scratch, Weight
from whet.ir.dim import static_shape, static_size
from whet.ir.graph import Graph
from whet.ir.node import Node
from whet.kernels.epilogue_s8 import addition_of
from whet.kernels.kernel import kernel
from whet.kernels.rows_s8 import exponentials
from whet.kernels.scratch import whole_lines
from whet.kernels.tiling_s8 import tile_s8
from whet.ops.coded_attention import coded_attention
from whet.ops.convolution import contraction_of
from whet.ops.elementwise import add
from whet.ops.integer.contraction import Contraction
from whet.ops.integer.narrow import Narrow, narrow
from whet.ops.integer.softmax8 import Softmax8
from whet.ops.matmul import matmul
from whet.ops.normalization import softmax, softmax8_of
from whet.targets.target import Target

ROWS = 40
"""Rows of a block, about: their scores stay in the nearest cache."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the body computes: the two products, the softmax, and the sum with a mask if any.

    addend: multiplier of the scores and of the mask, constant, shift and zero point.
    """

    scores: Contraction
    values: Contraction
    narrow: tuple[Narrow, Narrow]
    weights: Softmax8
    addend: tuple[int, int, int, int, int] | None


def _parts(body: Graph, depth: int, keys: int) -> _Parts | None:
    first, second = (n for n in body.nodes if n.op is matmul)
    sums = [n for n in body.nodes if n.op is add]
    weights = softmax8_of(next(n for n in body.nodes if n.op is softmax))
    scores, values = contraction_of(first), contraction_of(second)
    forms = narrow(scores, depth), narrow(values, keys)
    if weights is None or forms[0] is None or forms[1] is None:
        return None
    addend = _addend(sums[0]) if sums else None
    return _Parts(scores, values, (forms[0], forms[1]), weights, addend)


def _addend(node: Node) -> tuple[int, int, int, int, int]:
    c, masked = addition_of(node), node.inputs[0]
    constant = (1 << (c.t - 1)) - c.a_zero * c.a_m - c.b_zero * c.b_m
    swapped = masked is not None and masked.op.name == "broadcast"
    by = (c.b_m, c.a_m) if swapped else (c.a_m, c.b_m)
    return (*by, constant, c.t, c.y_zero)


def _constants(p: _Parts) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """attention_constants of attention_s8.h."""
    by, mask, constant, down, zero = p.addend or (0, 0, 0, 0, 0)
    first, second = p.narrow
    numbers = [
        p.scores.x_zero, p.scores.w_zero, p.values.w_zero, mask, constant,
        first.m, first.shift, first.round, by, down, zero,
        second.m, second.shift, second.round, 0, 0, 0,
    ]  # fmt: skip
    return np.array(numbers, np.int64).astype(np.int32)


def _scratch(n: int, d: int, e: int, block: int, target: Target) -> int:
    """Bytes that attention_split shares out."""
    columns, wide = (-(-v // target.lanes) * target.lanes for v in (n, e))
    quads, depth = -(-n // 4), -(-d // 4)
    row, longest = (whole_lines(v) for v in (n, max(n, d)))
    ready = 2 * block * longest if target.dot8_pairs else 0
    lengths = (
        columns * 4 * depth, wide * 4 * quads, block * row, ready, columns * 4, wide * 4,
        columns * 4, block * 4,
    )  # fmt: skip
    return sum(whole_lines(length) for length in lengths)


@kernel("attention_s8", coded_attention)
def attention(node: Node, target: Target) -> Lowered | None:
    body = node["body"]
    q, k, v = (value.shape for value in node.inputs[:3] if value is not None)
    assert isinstance(body, Graph)
    heads, (batch, m, width), n = node.integer("heads"), static_shape(q), static_size(k[1])
    d, e = width // heads, static_size(v[2]) // heads
    parts = _parts(body, d, n)
    if parts is None or not math.prod((batch, m, n, d, e)):
        return None
    blocks = -(-m // ROWS)
    block = -(-m // blocks)
    blocks = -(-m // block)
    first = tile_s8(block, n, d, target.lanes, target.registers)
    second = tile_s8(block, e, n, target.lanes, target.registers)
    masked = len(node.inputs) > 3
    mask: Argument = In(3) if masked else 0
    one = masked and node.input(3).shape[0] == 1
    tiles = (first.rows, first.vectors, second.rows, second.vectors, block)
    forms = (parts.narrow[0].left, parts.narrow[1].left, int(masked), 0 if one else n)
    call = Call(
        "attention_s8",
        (
            batch, heads, m, n, d, e, *tiles, *forms, parts.weights.factor, Name("begin"),
            Name("end"), Weight(0), Weight(1), In(0), In(1), In(2), mask, Out(), Scratch(),
        ),
    )  # fmt: skip
    constants = (_constants(parts), exponentials(parts.weights))
    each = _scratch(n, d, e, block, target)
    units = batch * heads * blocks
    return Lowered((call,), ("attention_s8.h",), constants, parallel=units, scratch_each=each)
