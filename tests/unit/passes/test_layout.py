"""Transposes move through ops towards the outputs."""

from __future__ import annotations

import numpy as np

from whet.ir.element import F32
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.type import Type
from whet.ops.evaluate import evaluate
from whet.ops.movement import transpose
from whet.ops.resize import resize
from whet.passes.layout import LAYOUT
from whet.rewrite.driver import rewrite


def test_a_transpose_moves_through_a_resized_axis() -> None:
    x = parameter("x", Type((1, 2, 3, 4), F32))
    planes = transpose(x, perm=(0, 3, 1, 2))
    tall = resize(
        planes, constant(np.float64(2)), axis=2, size=4, mode="nearest", transform="asymmetric",
        nearest="floor", cubic_a=-0.75, extrapolation=0.0,
    )  # fmt: skip
    graph = Graph((x,), (tall,), ("y",))
    moved = rewrite(graph, LAYOUT)
    last = moved.outputs[0].node
    assert last.op is transpose
    assert last.input(0).op is resize
    assert last.input(0).node.integer("axis") == 1
    data = {"x": np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)}
    np.testing.assert_array_equal(evaluate(moved, data)["y"], evaluate(graph, data)["y"])
