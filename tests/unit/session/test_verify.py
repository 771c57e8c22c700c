"""verify must fail where the built model and the meaning part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.unit.cli.small_models import dense
from whet.compiler.pipeline import compile_graph
from whet.emit.port import Port
from whet.importers.onnx import load_graph
from whet.ir.dim import Symbol, of
from whet.ir.element import SCALARS
from whet.session.samples import random_inputs
from whet.session.session import Session
from whet.session.verify import verify


@pytest.mark.parametrize("error", [0.0, 1e-6, 1e-2, float("nan"), float("inf")])
def test_a_wrong_weight_is_seen(tmp_path: Path, error: float) -> None:
    graph = load_graph(str(dense(tmp_path / "net.onnx")))
    artifact = compile_graph(graph).artifact()
    weights = np.frombuffer(bytes(artifact.weights), np.float32).copy()
    weights[weights != 0] += error
    session = Session(artifact.interface, artifact.code, weights.tobytes())
    trials = [{"x": random_inputs(artifact.interface.inputs, seed)[0]} for seed in range(2)]
    (check,) = verify(graph, session, trials)
    assert check.passed == (error < 1e-5)
    assert check.elements == 48


def test_random_inputs_have_the_ports_types_and_sizes() -> None:
    n = of(Symbol("N", 2, 5))
    ports = (
        Port("a", SCALARS["f32"], (n, 3), 60),
        Port("b", SCALARS["i8"], (1000, n), 5000, 0.1, 3),
        Port("c", SCALARS["i64"], (50,), 400),
        Port("d", SCALARS["bool"], (), 1),
    )
    a, b, c, d = random_inputs(ports, 7)
    assert a.dtype == np.float32
    assert 2 <= a.shape[0] <= 5
    assert b.shape == (1000, a.shape[0])
    assert b.min() == -128
    assert b.max() == 127
    assert set(c.tolist()) == {0, 1}
    assert d.shape == ()
    again = random_inputs(ports, 7)
    assert all(np.array_equal(x, y) for x, y in zip((a, b, c, d), again, strict=True))
