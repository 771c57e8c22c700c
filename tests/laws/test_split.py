"""Contractions read in slices are computed in parts."""

from __future__ import annotations

from collections import Counter

import numpy as np

from tests.laws.agreement import agree, random_inputs
from whet.emit.epilogue import VECTOR_OPS
from whet.ir.element import F32, I8, Quant
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.node import Value
from whet.ir.type import Type
from whet.ops.convert import convert
from whet.ops.convolution import conv
from whet.ops.elementwise import add, mul, sigmoid
from whet.ops.epilogue import FUSABLE
from whet.ops.matmul import matmul
from whet.ops.movement import reshape, slice_op
from whet.passes.pipeline import optimize
from whet.passes.split import split_contractions

NUMBERS = np.random.default_rng(5)


def half(x: Value, which: int) -> Value:
    n = int(str(x.shape[-1])) // 2
    begin = (0,) * (len(x.shape) - 1) + (which * n,)
    return slice_op(x, begin=begin, size=(*x.shape[:-1], n), step=(1,) * len(x.shape))


def halves(y: Value) -> Value:
    return mul(half(y, 0), sigmoid(half(y, 1)))


def names(graph: Graph) -> list[str]:
    return sorted(n.op.name for n in graph.nodes if n.op.family != "leaf")


def test_a_gated_convolution_becomes_two_with_the_gate_in_their_epilogues() -> None:
    x = parameter("x", Type((1, 5, 5, 3), F32))
    w = constant(NUMBERS.normal(0, 1, (8, 3, 3, 3)).astype(np.float32))
    y = conv(x, w, stride=(1, 1), dilation=(1, 1), low=(1, 1), high=(1, 1))
    graph = Graph((x,), (halves(y),), ("y",))
    changed = optimize(graph)
    assert names(changed) == ["conv", "conv"]
    agree(graph, changed, random_inputs(graph, NUMBERS))


def test_channels_of_codes_keep_their_own_scales() -> None:
    x = parameter("x", Type((4, 6), F32))
    q = convert(x, to=Quant(I8, (0.05,), (3,)))
    scales = tuple(0.01 * (i + 1) for i in range(6))
    w = constant(
        NUMBERS.integers(-127, 127, (6, 6)).astype(np.int8), Quant(I8, scales, (0,) * 6, 1)
    )
    to = Quant(I8, (0.5,), (1,))
    y = reshape(matmul(q, w, element=to), shape=(4, 2, 3))
    parts = (slice_op(y, begin=(0, i, 0), size=(4, 1, 3), step=(1, 1, 1)) for i in (0, 1))
    graph = Graph((x,), tuple(convert(part, to=F32) for part in parts), ("a", "b"))
    fired: Counter[str] = Counter()
    changed = split_contractions(graph, fired)
    assert fired["split_contractions"] == 1
    assert "slice" not in names(changed)
    agree(graph, changed, random_inputs(graph, NUMBERS))


def test_a_contraction_that_something_else_reads_stays_whole() -> None:
    x = parameter("x", Type((4, 6), F32))
    y = matmul(x, constant(NUMBERS.normal(0, 1, (6, 8)).astype(np.float32)))
    graph = Graph((x,), (halves(y), add(y, y)), ("a", "b"))
    fired: Counter[str] = Counter()
    assert split_contractions(graph, fired) is graph
    assert not fired


def test_what_joins_an_epilogue_has_a_vector_form() -> None:
    assert FUSABLE <= VECTOR_OPS
