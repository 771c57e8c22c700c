"""Slices and parts of concats that lie within a wider value: which do, and what they compute."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import whet
from whet.emit.program import Step as RunStep
from whet.emit.program import Strips
from whet.errors import CompileError
from whet.ir.element import F32
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.node import Value
from whet.ir.type import Type
from whet.ops.convolution import conv
from whet.ops.elementwise import add, maximum
from whet.ops.matmul import matmul
from whet.ops.movement import concat, reshape, slice_op
from whet.ops.pooling import max_pool
from whet.passes.pipeline import optimize
from whet.plan import Step, plan_memory, validate_plan
from whet.plan.program import plan_program
from whet.targets.registry import targets

RNG = np.random.default_rng(7)
RELU = constant(np.float32(0))


def layer(x: Value, outputs: int, k: int = 1, stride: int = 1) -> Value:
    """A convolution that keeps the size, and what follows it."""
    channels, pad = int(str(x.shape[-1])), (k // 2, k // 2)
    w = RNG.standard_normal((outputs, k, k, channels), np.float32) / (k * channels**0.5)
    bias = constant(RNG.standard_normal(outputs, np.float32))
    steps = {"stride": (stride, stride), "dilation": (1, 1), "low": pad, "high": pad}
    return maximum(conv(x, constant(w.astype(np.float32)), bias, **steps), RELU)


def part(x: Value, begin: int, width: int) -> Value:
    """Some of the last axis."""
    rows = x.shape[:-1]
    zeros, ones = (0,) * len(rows), (1,) * len(x.shape)
    return slice_op(x, begin=(*zeros, begin), size=(*rows, width), step=ones)


def cross_stage(side: int, half: int, taps: int = 3) -> Graph:
    """Half of the channels pass residual blocks; every result is kept and joined."""
    x = parameter("x", Type((1, side, side, 2 * half), F32))
    wide = layer(x, 2 * half)
    kept = [part(wide, 0, half), part(wide, half, half)]
    for _ in range(2):
        kept.append(add(layer(layer(kept[-1], half, taps), half, taps), kept[-1]))
    return Graph((x,), (layer(concat(*kept, axis=3), half),), ("y",))


def products() -> Graph:
    """Parts of a product go through products of their own."""
    x = parameter("x", Type((2, 9, 21), F32))
    w = [RNG.standard_normal(s, np.float32) for s in ((21, 38), (19, 17), (19, 5), (22, 3))]
    wide = matmul(x, constant(w[0]))
    a = matmul(part(wide, 0, 19), constant(w[1]))
    b = matmul(part(wide, 19, 19), constant(w[2]))
    return Graph((x,), (matmul(concat(b, a, axis=2), constant(w[3])),), ("y",))


def kernels(graph: Graph) -> list[str]:
    made: list[str] = []
    for step in plan_program(optimize(graph), targets()["host"]).program.main.steps:
        links = [k.step for k in step.links] if isinstance(step, Strips) else [step]
        made += [s.stage.lowered.kernel for s in links if isinstance(s, RunStep)]
    return made


def check_meaning(graph: Graph) -> None:
    """Assert that compiled results are what the graph means, whatever the threads."""
    (x,) = graph.inputs
    given = {"x": RNG.standard_normal(x.shape, np.float32)}
    compiled, want = whet.compile(graph), whet.evaluate(graph, given)["y"]
    for threads in (1, 2):
        got = compiled.session(threads)(given)["y"]
        np.testing.assert_allclose(got, want, 1e-4, 1e-4)


@pytest.mark.parametrize(
    "graph", [cross_stage(9, 24), cross_stage(16, 32), cross_stage(5, 7, taps=1), products()]
)
def test_nothing_is_copied_and_the_meaning_is_kept(graph: Graph) -> None:
    assert not {"slice", "concat"} & set(kernels(graph))
    check_meaning(graph)


def test_what_another_kernel_makes_or_reads_is_copied() -> None:
    x = parameter("x", Type((1, 8, 8, 16), F32))
    y = layer(x, 32)
    steps = {"kernel": (3, 3), "stride": (1, 1), "dilation": (1, 1)}
    pooled = max_pool(y, **steps, low=(1, 1), high=(1, 1))
    joined = Graph((x,), (layer(concat(pooled, layer(y, 16), axis=3), 8),), ("y",))
    assert kernels(joined).count("concat") == 1
    check_meaning(joined)
    halves = Graph((x,), (layer(add(part(y, 0, 16), part(y, 16, 16)), 8),), ("y",))
    assert kernels(halves).count("slice") == 2
    check_meaning(halves)


def test_a_reshape_lies_in_a_concat_where_its_operand_is_made() -> None:
    x = parameter("x", Type((1, 4, 4, 8), F32))
    parts = (reshape(layer(x, 12), shape=(1, 16, 12)), reshape(layer(x, 12), shape=(1, 16, 12)))
    w = constant(RNG.standard_normal((12, 5), np.float32))
    graph = Graph((x,), (matmul(concat(*parts, axis=1), w),), ("y",))
    assert not {"reshape", "concat"} & set(kernels(graph))
    check_meaning(graph)


STEPS = [Step("f", (), ("a",)), Step("g", ("a",), ("b",)), Step("c", ("a", "b"), ("c",)),
         Step("h", ("c",), ("d",))]  # fmt: skip
SIZES = {"a": 16 * 7 + 4, "b": 16 * 7 + 12, "c": 128, "d": 64}
VIEWS = {"a": ("c", 0), "b": ("c", 4)}
ROWS = {"a": (4, 16), "b": (12, 16)}


def test_rows_beside_each_other_are_valid() -> None:
    plan = plan_memory(STEPS, SIZES, views=VIEWS, outputs=("d",))
    validate_plan(plan, STEPS, SIZES, views=VIEWS, outputs=("d",), rows=ROWS)


@pytest.mark.parametrize(
    ("rows", "at", "said"),
    [
        ({"a": (8, 16), "b": (12, 16)}, 4, "rows outside of rows: a"),
        ({"a": (4, 16), "b": (12, 12)}, 4, "rows outside of rows: a: 4"),
        ({"a": (4, 16), "b": (12, 16)}, 0, "output overlaps an input: b and a"),
    ],
)
def test_rows_that_meet_are_refused(rows: dict[str, tuple[int, int]], at: int, said: str) -> None:
    views = {"a": ("c", 0), "b": ("c", at)}
    plan = plan_memory(STEPS, SIZES, views=views, outputs=("d",))
    with pytest.raises(CompileError, match=said):
        validate_plan(plan, STEPS, SIZES, views=views, outputs=("d",), rows=rows)


def test_rows_lost_to_another_value_are_named() -> None:
    steps = [STEPS[0], Step("e", (), ("e",)), *STEPS[1:]]
    sizes = {**SIZES, "e": 64}
    plan = plan_memory(steps, sizes, views=VIEWS, outputs=("d",))
    offsets = {**plan.offsets, "e": plan.offsets["c"] + 64}
    moved = replace(plan, offsets=offsets)
    with pytest.raises(CompileError, match="overwritten before it is read: a and e"):
        validate_plan(moved, steps, sizes, views=VIEWS, outputs=("d",), rows=ROWS)
