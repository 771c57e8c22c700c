"""Foreign weights with a zero point: those that exceed int8 without it are multiplied again."""

from __future__ import annotations

import numpy as np
import pytest

import whet
from whet.ir.element import I8, I32, Quant
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.type import Type
from whet.ops.convolution import conv

SHAPES = [
    (1, 1, 256, 1001, 1),
    (56, 56, 8, 24, 1),
    (30, 30, 3, 40, 3),
    (7, 7, 64, 16, 3),
    (9, 30, 3, 8, 3),
]


@pytest.mark.parametrize(("height", "width", "channels", "outputs", "kernel"), SHAPES)
def test_weights_with_a_zero_point_give_the_meanings_bits(
    height: int, width: int, channels: int, outputs: int, kernel: int
) -> None:
    rng = np.random.default_rng(outputs)
    x = parameter("x", Type((1, height, width, channels), Quant(I8, (0.05,), (3,))))
    codes = rng.integers(-128, 128, (outputs, kernel, kernel, channels)).astype(np.int8)
    w = constant(codes, Quant(I8, (0.004,), (-26,)))
    bias = constant(rng.integers(-900, 900, outputs).astype(np.int32), Quant(I32, (0.0002,), (0,)))
    y = conv(
        x, w, bias, stride=(1, 1), dilation=(1, 1), low=(kernel // 2,) * 2,
        high=(kernel // 2,) * 2, element=Quant(I8, (0.7,), (-5,)),
    )  # fmt: skip
    graph = Graph((x,), (y,), ("y",))
    given = {"x": rng.integers(-128, 128, x.shape).astype(np.int8)}
    compiled = whet.compile(graph).session()(given)["y"]
    np.testing.assert_array_equal(compiled, whet.evaluate(graph, given)["y"])
