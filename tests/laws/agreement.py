"""When two graphs mean the same: bits for integers, a tolerance for reassociated floats."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from whet.ir.graph import Graph
from whet.ir.type import Type
from whet.ops.evaluate import evaluate

Arrays = dict[str, npt.NDArray[np.generic]]


def random_inputs(graph: Graph, random: np.random.Generator) -> Arrays:
    """An array for each input, small numbers of both signs."""
    made: Arrays = {}
    for name, value in zip(graph.input_names, graph.inputs, strict=True):
        t = value.type
        assert isinstance(t, Type)
        shape = tuple(int(str(d)) for d in t.shape)
        dtype = t.element.dtype
        if dtype.kind == "f":
            made[name] = random.normal(0, 2, shape).astype(dtype)
        else:
            low = 0 if dtype.kind in "ub" else -100
            made[name] = random.integers(low, 2 if dtype.kind == "b" else 100, shape).astype(dtype)
    return made


def agree(
    left: Graph, right: Graph, inputs: Arrays, relative: float = 1e-5, absolute: float = 0.0
) -> None:
    """Assert that two graphs give the same results for these inputs.

    absolute: how far floats may be apart, where more than `relative` of the largest.
    """
    a, b = evaluate(left, inputs), evaluate(right, inputs)
    assert a.keys() == b.keys()
    for name, expected in a.items():
        want, got = np.asarray(expected), np.asarray(b[name])
        assert (want.shape, want.dtype) == (got.shape, got.dtype), name
        if want.dtype.kind in "fV":
            wide = want.astype(np.float64)
            scale = np.max(np.abs(wide[np.isfinite(wide)]), initial=1.0)
            np.testing.assert_allclose(
                got.astype(np.float64),
                wide,
                rtol=relative,
                atol=max(relative * scale, absolute),
                err_msg=name,
            )
        else:
            np.testing.assert_array_equal(got, want, err_msg=name)
