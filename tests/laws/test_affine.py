"""Normalization after any contraction becomes weights and bias."""

from __future__ import annotations

import numpy as np
import pytest

from tests.laws.agreement import agree, random_inputs
from whet.ir.element import F32
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.node import Value
from whet.ir.type import Type
from whet.ops.convolution import conv
from whet.ops.convolution_transpose import conv_transpose
from whet.ops.elementwise import add, mul
from whet.ops.matmul import matmul
from whet.passes.pipeline import optimize

NUMBERS = np.random.default_rng(2)
ONE = {"stride": (1, 1), "dilation": (1, 1), "low": (0, 0)}


def data(*shape: int) -> Value:
    return constant(NUMBERS.normal(0, 1, shape).astype(np.float32))


CASES = {
    "conv": lambda x: conv(x, data(6, 3, 3, 2), groups=2, high=(1, 1), **ONE),
    "depthwise": lambda x: conv(x, data(4, 3, 3, 1), groups=4, high=(0, 0), **ONE),
    "spread": lambda x: conv_transpose(x, data(6, 2, 2, 4), data(6), size=(6, 6), **ONE),
    "product": lambda x: matmul(x, data(4, 6)),
}


@pytest.mark.parametrize("name", CASES)
def test_scale_and_offset_around_a_contraction_vanish(name: str) -> None:
    x = parameter("x", Type((1, 5, 5, 4), F32))
    y = CASES[name](mul(x, data(4)))
    channels = int(str(y.shape[-1]))
    y = add(mul(y, data(1, 1, channels)), data(channels))
    graph = Graph((x,), (y,), ("y",))
    changed = optimize(graph)
    found = [n.op.name for n in changed.nodes if n.op.family != "leaf"]
    assert len(found) == (2 if name == "spread" else 1), found
    agree(graph, changed, random_inputs(graph, NUMBERS))
