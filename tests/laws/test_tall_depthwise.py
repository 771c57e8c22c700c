"""int8 depthwise convolutions of many input rows a strip: the bits of the ops, on any kernel."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tests.laws.agreement import random_inputs
from whet.compiler.pipeline import compile_graph
from whet.ir.element import I8, I32, Quant
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.type import Type
from whet.kernels.kernel import choices, load_all, lower
from whet.kernels.tiling_s8 import (
    COLUMN_ROWS,
    DEPTHWISE_ROWS,
    depthwise_choices_s8,
    depthwise_tiles_s8,
)
from whet.ops.convolution import conv
from whet.ops.evaluate import evaluate
from whet.ops.lookup import lookup
from whet.passes.epilogue_s8 import INTEGER_EPILOGUE, TALLEST, TALLEST_COLUMN
from whet.rewrite.driver import rewrite
from whet.targets.host import host

Pair = tuple[int, int]
X, Y, OUT = Quant(I8, (0.05,), (3,)), Quant(I8, (0.9,), (-3,)), Quant(I8, (0.2,), (5,))
TALL = [((25, 25), 32), ((27, 27), 32), ((31, 31), 16), ((25, 1), 1), ((41, 1), 8)]
LOW = [((23, 1), 64), ((24, 3), 5), ((25, 1), 5), ((40, 1), 64)]
LONG = [(31, 1, 20), (40, 1, 64), (41, 1, 8), (5, 2, 64), (3, 3, 6)]  # taps, stride, channels


def layer(kernel: Pair, c: int, stride: Pair = (1, 1), *, table: bool = False) -> Graph:
    """A depthwise convolution of an image somewhat smaller than its kernel, and a table."""
    rng = np.random.default_rng(8)
    x = parameter("x", Type((1, 9, 5, c), X))
    scale = tuple(float(s) for s in rng.uniform(0.001, 0.01, c))
    w = constant(rng.integers(-127, 128, (c, *kernel, 1), np.int8), Quant(I8, scale, (0,) * c, 0))
    wide = Quant(I32, tuple(0.05 * s for s in scale), (0,) * c, 0)
    bias = constant(rng.integers(-3000, 3000, c, np.int32), wide)
    low = (kernel[0] // 2, kernel[1] // 2)
    high = (kernel[0] - 1 - low[0], kernel[1] - 1 - low[1])
    y = conv(x, w, bias, stride=stride, dilation=(1, 1), low=low, high=high, groups=c, element=Y)
    if table:
        y = lookup(y, constant(rng.integers(-128, 128, 256, np.int8)), to=OUT)
    return Graph((x,), (y,), ("y",))


def check(graph: Graph) -> None:
    inputs = random_inputs(graph, np.random.default_rng(9))
    built = compile_graph(graph).session()(inputs)["y"]
    np.testing.assert_array_equal(built, evaluate(graph, inputs)["y"])


@pytest.mark.parametrize(("kernel", "c"), [*TALL, *LOW])
@pytest.mark.parametrize("table", [False, True])
def test_any_height_gives_the_bits_of_the_ops(kernel: Pair, c: int, table: bool) -> None:
    check(layer(kernel, c, table=table))


@pytest.mark.parametrize(("taps", "stride", "c"), LONG)
def test_a_line_gives_the_bits_of_the_ops(taps: int, stride: int, c: int) -> None:
    rng = np.random.default_rng(7)
    x = parameter("x", Type((2, 37, c), X))
    w = constant(rng.integers(-127, 128, (c, taps, 1), np.int8), Quant(I8, (0.004,), (0,)))
    bias = constant(rng.integers(-999, 999, c, np.int32), Quant(I32, (0.0002,), (0,)))
    around: dict[str, tuple[int, ...]] = {"low": (taps // 2,), "high": (taps // 3,)}
    y = conv(x, w, bias, stride=(stride,), dilation=(1,), **around, groups=c, element=Y)
    check(Graph((x,), (y,), ("y",)))


@pytest.mark.parametrize("table", [False, True])
def test_only_what_fits_is_of_the_depthwise_kernel(table: bool) -> None:
    load_all()
    for kernel, c in [*TALL, *LOW]:
        fits, fired = (kernel, c) in LOW, Counter[str]()
        graph = rewrite(layer(kernel, c, table=table), INTEGER_EPILOGUE, fired)
        (node,) = (n for n in graph.nodes if n.op is conv)
        expected = "depthwise_s8" if fits else "integer_conv"
        assert lower(node, host()).kernel == ("conv_s8" if c == 1 else expected)
        assert bool(choices(node, host())) == (fits or c == 1)
        assert fired["fuse_integer_epilogue"] == (table and (fits or c == 1))


def test_epilogues_join_what_the_kernels_have_room_for() -> None:
    assert (TALLEST_COLUMN, TALLEST) == (COLUMN_ROWS, DEPTHWISE_ROWS)


@pytest.mark.parametrize("c", [4, 64])
def test_long_strides_have_short_strips(c: int) -> None:
    check(layer((3, 1), c, (8, 1)))


@pytest.mark.parametrize("registers", [8, 16, 32])
def test_every_choice_fits_the_rows_of_a_strip(registers: int) -> None:
    for kernel, stride, dilation in (
        ((3, 1), (8, 1), 1), ((3, 3), (11, 2), 1), ((22, 1), (1, 1), 1), ((24, 1), (9, 1), 1),
        ((24, 2), (1, 1), 3), ((1, 1), (30, 1), 1), ((31, 1), (2, 1), 1),
    ):  # fmt: skip
        tiles = depthwise_tiles_s8((40, 12), kernel, stride, dilation, registers)
        assert tiles
        most = 40 if kernel[1] == 1 and kernel[0] > 8 else 24
        assert all((th - 1) * stride[0] + kernel[0] <= most for th, _ in tiles)
        for wide in (False, True):
            found = depthwise_choices_s8((40, 12), kernel, stride, dilation, registers, wide=wide)
            assert sorted(found) == tiles
    assert not depthwise_tiles_s8((40, 12), (41, 1), (1, 1), 2, registers)
