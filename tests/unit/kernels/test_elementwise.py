"""Which maps go by vectors: those of costly functions whose vector forms hold for all floats."""

from __future__ import annotations

import numpy as np

from whet.ir.element import F32, F64
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.node import Value
from whet.ir.type import Type
from whet.kernels.kernel import load_all, lower
from whet.ops import elementwise as e
from whet.passes.pipeline import optimize
from whet.targets.host import host

X, Y = (parameter(name, Type((3, 5), F32)) for name in "xy")
ROW, WIDE = parameter("row", Type((5,), F32)), parameter("wide", Type((3, 5), F64))
SIX = constant(np.float32(6))


def kernel(value: Value) -> str:
    """The kernel of a value made of X, Y, ROW and WIDE by one map."""
    load_all()
    graph = optimize(Graph((X, Y, ROW, WIDE), (value,), ("y",)))
    return lower(graph.outputs[0].node, host()).kernel


def test_costly_functions_go_by_vectors() -> None:
    for op in (e.exp, e.log, e.tanh, e.sigmoid, e.erf):
        assert kernel(op(X)) == "map_f32"
        assert kernel(op(WIDE)) == "map"
    assert kernel(e.mul(e.minimum(X, SIX), e.sigmoid(Y))) == "map_f32"


def test_what_is_cheap_or_broadcast_or_has_no_such_vectors_does_not() -> None:
    for value in (
        e.mul(X, Y),
        e.add(e.exp(X), ROW),
        e.exp(e.maximum(X, Y)),
        e.exp(e.sin(X)),
        e.exp(e.tan(X)),
    ):
        assert kernel(value) == "map"
