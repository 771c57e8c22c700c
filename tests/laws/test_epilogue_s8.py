"""Residual sums and tables in the epilogue of an int8 contraction: the bits of the ops alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from tests.laws.agreement import agree, random_inputs
from whet.compiler.pipeline import compile_graph
from whet.ir.element import I8, I32, Quant
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.node import Value
from whet.ir.type import Type
from whet.ops.convert import convert
from whet.ops.convolution import conv
from whet.ops.elementwise import add
from whet.ops.evaluate import evaluate
from whet.ops.lookup import lookup
from whet.ops.matmul import matmul
from whet.passes.epilogue_s8 import INTEGER_EPILOGUE
from whet.rewrite.driver import rewrite

C = 21
X, SUMS = Quant(I8, (0.05,), (3,)), Quant(I8, (0.21,), (-3,))
RESIDUAL, OUT = Quant(I8, (0.04,), (17,)), Quant(I8, (0.19,), (5,))


def contraction(kind: str, x: Value, rng: np.random.Generator, sums: Quant) -> Value:
    """A quantised contraction of x [1, 6, 6, C] with C results a pixel."""
    shape = {"gemm": (C, 1, 1, C), "conv": (C, 3, 3, C), "depthwise": (C, 3, 3, 1)}.get(
        kind, (C, C)
    )
    scale = tuple(float(s) for s in rng.uniform(0.001, 0.01, C))
    axis = 1 if kind == "matmul" else 0
    w = constant(rng.integers(-127, 128, shape, np.int8), Quant(I8, scale, (0,) * C, axis))
    wide = Quant(I32, tuple(0.05 * s for s in scale), (0,) * C, 0)
    bias = constant(rng.integers(-3000, 3000, C, np.int32), wide)
    if kind == "matmul":
        return matmul(x, w, bias, element=sums, clamp=(-90, 100))
    pad = (1, 1) if shape[1] == 3 else (0, 0)
    return conv(
        x, w, bias, stride=(1, 1), dilation=(1, 1), low=pad, high=pad, element=sums,
        groups=C if kind == "depthwise" else 1, clamp=(-90, 100),
    )  # fmt: skip


def case(kind: str, rounding: str, order: str, rng: np.random.Generator) -> Graph:
    """A contraction and what follows it, in int8 codes throughout; r: residual, t: table. Names of
    inputs and of the output begin with the order."""
    sums, out = (replace(q, rounding=rounding) for q in (SUMS, OUT))
    x = parameter(f"{order}_x", Type((1, 6, 6, C), X))
    inputs, y = [x], contraction(kind, x, rng, sums)
    for step in order:
        if step == "t":
            y = lookup(y, constant(rng.integers(-128, 128, 256, np.int8)), to=out)
            continue
        r = parameter(f"{order}_r{len(inputs)}", Type((1, 6, 6, C), RESIDUAL))
        inputs.append(r)
        pair = (r, y) if len(inputs) % 2 else (y, r)
        y = add(*pair, element=out, clamp=(-70, 127))
    return Graph(tuple(inputs), (y,), (f"{order}_y",))


def together(graphs: Sequence[Graph]) -> Graph:
    """One graph that computes all of them: one compilation."""
    inputs = tuple(v for graph in graphs for v in graph.inputs)
    outputs = tuple(v for graph in graphs for v in graph.outputs)
    return Graph(inputs, outputs, tuple(n for graph in graphs for n in graph.output_names))


@pytest.mark.parametrize("rounding", ["single", "double"])
@pytest.mark.parametrize("kind", ["gemm", "conv", "depthwise", "matmul"])
def test_fused_and_alone_give_the_same_bits(kind: str, rounding: str) -> None:
    rng = np.random.default_rng(5)
    graphs, given = [], {}
    for order in ("r", "t", "rt", "tr", "rr"):
        graph = case(kind, rounding, order, rng)
        fired: Counter[str] = Counter()
        fused = rewrite(graph, INTEGER_EPILOGUE, fired)
        assert fired["fuse_integer_epilogue"] == len(order)
        inputs = random_inputs(graph, rng)
        agree(graph, fused, inputs)
        graphs.append(graph)
        given.update(inputs)
    built, expected = compile_graph(together(graphs)).session()(given), {}
    for graph in graphs:
        expected.update(evaluate(graph, given))
    for name, y in expected.items():
        np.testing.assert_array_equal(built[name], y, err_msg=name)


def test_a_contraction_that_is_read_twice_stays() -> None:
    rng = np.random.default_rng(5)
    x = parameter("x", Type((1, 6, 6, C), X))
    y = contraction("conv", x, rng, SUMS)
    graph = Graph((x,), (add(y, convert(x, to=RESIDUAL), element=OUT), y), ("z", "y"))
    fired: Counter[str] = Counter()
    rewrite(graph, INTEGER_EPILOGUE, fired)
    assert not fired


@pytest.mark.parametrize("count", [1, 63, 64, 1000])
def test_a_table_alone(count: int) -> None:
    rng = np.random.default_rng(6)
    x = parameter("x", Type((count,), X))
    table = constant(rng.integers(-128, 128, 256, np.int8))
    graph = Graph((x,), (lookup(x, table, to=OUT),), ("y",))
    inputs = {"x": rng.integers(-128, 128, count, np.int8)}
    built = compile_graph(graph).session()(inputs)["y"]
    np.testing.assert_array_equal(built, evaluate(graph, inputs)["y"])
