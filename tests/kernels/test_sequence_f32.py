"""sequence_f32.h against the op: LSTM layers with a largest cell state and constant weights."""

from __future__ import annotations

import numpy as np
import pytest

import whet
from tests.kernels.native import LEVELS
from whet.emit.lowered import Call
from whet.emit.program import Step
from whet.ir.element import F32
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.type import Type
from whet.ops.evaluate import evaluate
from whet.ops.sequence_lstm import sequence_lstm

RNG = np.random.default_rng(29)


def _check(shape: tuple[int, int, int, int], clip: float, cpu: str, spread: float = 1.0) -> None:
    """A layer of (batch, steps, input, hidden); spread: of what it is given."""
    batch, steps, size, hidden = shape
    sizes = [(hidden, size)] * 4 + [(hidden, hidden)] * 4 + [(hidden,)] * 4
    weights = [constant((RNG.standard_normal(s) / s[-1] ** 0.5).astype(np.float32)) for s in sizes]
    given = {
        "x": spread * RNG.standard_normal((batch, steps, size)),
        "h": RNG.standard_normal((batch, hidden)),
        "c": spread * RNG.standard_normal((batch, hidden)),
    }
    feeds = {name: a.astype(np.float32) for name, a in given.items()}
    ports = [parameter(name, Type(a.shape, F32)) for name, a in feeds.items()]
    made = sequence_lstm.many(*ports, *weights, clip=clip)
    graph = Graph(tuple(ports), made, ("y", "next h", "next c"))
    compiled = whet.compile(graph, cpu=cpu)
    calls = [
        call.function
        for step in compiled.program.main.steps
        if isinstance(step, Step)
        for call in step.stage.lowered.statements
        if isinstance(call, Call)
    ]
    assert "sequence_lstm_f32" in calls
    found, want = compiled.session()(feeds), evaluate(graph, feeds)
    for name in want:
        expected = np.asarray(want[name], np.float32)
        np.testing.assert_allclose(found[name], expected, rtol=2e-5, atol=2e-6)
    if clip and spread == 1:
        assert np.abs(found["next c"]).max() == np.float32(clip)


@pytest.mark.parametrize("cpu", LEVELS)
@pytest.mark.parametrize(("hidden", "clip"), [(1, 0.0), (20, 0.25), (70, 0.0)])
def test_widths(hidden: int, clip: float, cpu: str) -> None:
    _check((2, 7, 5, hidden), clip, cpu)


def test_more_steps_than_a_chunk() -> None:
    _check((2, 141, 3, 18), 0.5, "native")


def test_large_cells() -> None:
    _check((1, 9, 4, 16), 10.0, "native", spread=30.0)
