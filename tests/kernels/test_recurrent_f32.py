"""recurrent_f32.h against ONNX Runtime: LSTM and GRU layers with constant weights."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest

import whet
from tests.kernels.native import LEVELS
from whet.compiler.pipeline import compile_graph
from whet.emit.program import Step
from whet.importers import import_model
from whet.ir.element import F32
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.type import Type
from whet.ops.evaluate import evaluate
from whet.ops.recurrent import USUAL, gru, lstm
from whet.passes.pipeline import optimize
from whet.plan import program
from whet.targets.host import host

GATES = {"GRU": 3, "LSTM": 4}
RNG = np.random.default_rng(23)


@pytest.fixture(autouse=True)
def short_runs_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "SHORTEST_NANOSECONDS", 0)


def _model(
    op: str, direction: str, shape: tuple[int, int, int, int], layout: int, *, states: bool
) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """A layer of (steps, batch, input, hidden) with weights inside and its inputs at random."""
    steps, batch, size, hidden = shape
    d, g = 1 + (direction == "bidirectional"), GATES[op]
    held = {
        "w": RNG.standard_normal((d, g * hidden, size)) / size**0.5,
        "r": RNG.standard_normal((d, g * hidden, hidden)) / hidden**0.5,
        "b": 0.3 * RNG.standard_normal((d, 2 * g * hidden)),
    }
    feeds = {"x": RNG.standard_normal((batch, steps, size) if layout else (steps, batch, size))}
    names = ["x", "w", "r", "b", ""]
    if states:
        kinds = ("h", "c") if op == "LSTM" else ("h",)
        of = (batch, d, hidden) if layout else (d, batch, hidden)
        feeds |= {kind: 0.5 * RNG.standard_normal(of) for kind in kinds}
        names += kinds
    attributes = {"linear_before_reset": 1} if op == "GRU" else {}
    outputs = ["y", "yh", "yc"][: g - 1]
    node = onnx.helper.make_node(
        op, names, outputs, hidden_size=hidden, direction=direction, layout=layout, **attributes
    )
    info = onnx.helper.make_tensor_value_info
    floats = {k: v.astype(np.float32) for k, v in feeds.items()}
    graph = onnx.helper.make_graph(
        [node],
        "layer",
        [info(k, onnx.TensorProto.FLOAT, v.shape) for k, v in floats.items()],
        [info(k, onnx.TensorProto.FLOAT, None) for k in outputs],
        [onnx.numpy_helper.from_array(v.astype(np.float32), k) for k, v in held.items()],
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    return onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), floats


def _reference(model: onnx.ModelProto, feeds: dict[str, np.ndarray], layout: int) -> list:
    """ONNX Runtime's results; it has layout 0 alone, so axes change places around it."""

    def swap(a: np.ndarray) -> np.ndarray:
        return a.swapaxes(0, 1) if layout else a

    plain = onnx.ModelProto()
    plain.CopyFrom(model)
    for attribute in plain.graph.node[0].attribute:
        if attribute.name == "layout":
            attribute.i = 0
    for value in plain.graph.input:
        dims = value.type.tensor_type.shape.dim
        if layout:
            dims[0].dim_value, dims[1].dim_value = dims[1].dim_value, dims[0].dim_value
    session = onnxruntime.InferenceSession(plain.SerializeToString())
    y, *states = session.run(None, {k: swap(v) for k, v in feeds.items()})
    return [y.transpose(2, 0, 1, 3) if layout else y, *(swap(s) for s in states)]


def _check(
    model: onnx.ModelProto, feeds: dict[str, np.ndarray], layout: int, cpu: str,
    places: int | None = None,
) -> None:  # fmt: skip
    """Beside ONNX Runtime; `places`: bytes of a recurrent weight, 0 of floats."""
    compiled = whet.compile(model.SerializeToString(), cpu=cpu)
    steps = [s for s in compiled.program.main.steps if isinstance(s, Step)]
    (layer,) = [s.stage.lowered for s in steps if s.stage.lowered.kernel == "recurrent_f32"]
    assert places is None or layer.statements[0].arguments[2] == places
    assert compiled.program.shared
    want = _reference(model, feeds, layout)
    alone = compiled.session()(feeds)
    for got, expected in zip(alone.values(), want, strict=True):
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-6)
    together = compiled.session(threads=2)(feeds)
    for name, got in alone.items():
        np.testing.assert_array_equal(got, together[name])


@pytest.mark.parametrize("cpu", LEVELS)
@pytest.mark.parametrize("hidden", [1, 16, 37, 80])
@pytest.mark.parametrize("op", GATES)
def test_widths(op: str, hidden: int, cpu: str) -> None:
    model, feeds = _model(op, "forward", (7, 1, 5, hidden), 0, states=False)
    _check(model, feeds, 0, cpu)


@pytest.mark.parametrize("layout", [0, 1])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("op", GATES)
def test_directions_batches_and_states(op: str, direction: str, layout: int) -> None:
    model, feeds = _model(op, direction, (6, 3, 9, 21), layout, states=True)
    _check(model, feeds, layout, "native")


@pytest.mark.parametrize("op", GATES)
def test_more_steps_than_a_chunk(op: str) -> None:
    model, feeds = _model(op, "bidirectional", (141, 1, 3, 18), 0, states=True)
    _check(model, feeds, 0, "native")


DIGITS = 3 if host().dot8_shift and host().registers >= 32 else 0


@pytest.mark.parametrize("op", GATES)
def test_heavy_weights_are_digits(op: str) -> None:
    model, feeds = _model(op, "bidirectional", (5, 2, 3, 110), 0, states=False)
    _check(model, feeds, 0, "native", DIGITS)


def test_a_state_that_may_be_large_keeps_weights_floats() -> None:
    model, feeds = _model("LSTM", "forward", (5, 1, 3, 110), 0, states=True)
    _check(model, feeds, 0, "native", 0)


def test_a_column_with_one_large_weight_keeps_weights_floats() -> None:
    model, feeds = _model("LSTM", "forward", (5, 1, 3, 110), 0, states=False)
    (r,) = [t for t in model.graph.initializer if t.name == "r"]
    weights = onnx.numpy_helper.to_array(r).copy()
    weights[0, 20, 30] = 100
    r.CopyFrom(onnx.numpy_helper.from_array(weights, "r"))
    _check(model, feeds, 0, "native", 0)


@pytest.mark.parametrize("hidden", [21, 110])
@pytest.mark.parametrize("op", GATES)
def test_three_threads(op: str, hidden: int) -> None:
    model, feeds = _model(op, "bidirectional", (9, 2, 3, hidden), 0, states=False)
    graph = optimize(import_model(model.SerializeToString()))
    compiled = compile_graph(graph, replace(host(), threads=3))
    assert compiled.program.shared
    alone = compiled.session()(feeds)
    for threads in (2, 3):
        together = compiled.session(threads=threads)(feeds)
        for name, got in alone.items():
            np.testing.assert_array_equal(got, together[name])


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_threads_that_give_up_looking_for_each_other_agree() -> None:
    model, feeds = _model("LSTM", "forward", (40, 1, 3, 110), 0, states=False)
    compiled = whet.compile(model.SerializeToString())
    assert compiled.program.shared
    alone, allowed = compiled.session()(feeds), os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        together = compiled.session(threads=2)
        found = [together(feeds) for _ in range(5)]
    finally:
        os.sched_setaffinity(0, allowed)
    for results in found:
        for name, got in alone.items():
            np.testing.assert_array_equal(got, results[name])


@pytest.mark.parametrize("op", GATES)
def test_attributes_may_be_absent(op: str) -> None:
    sizes, hidden = (4, 1, 3), 5
    x = parameter("x", Type(sizes, F32))
    w, r = (
        constant(RNG.standard_normal((1, GATES[op] * hidden, n)).astype(np.float32) / 3)
        for n in (sizes[2], hidden)
    )
    usual = tuple((name, 0.0, 0.0) for name in USUAL[op.lower()])
    attributes = {"linear_before_reset": True} if op == "GRU" else {}
    layer = gru if op == "GRU" else lstm
    y = layer(x, w, r, activations=(usual,), **attributes).node.outputs
    graph = Graph((x,), y, ("y", "h", "c")[: len(y)])
    given = RNG.standard_normal(sizes).astype(np.float32)
    got = whet.compile(graph).session()({"x": given})
    for found, want in zip(got.values(), evaluate(graph, {"x": given}).values(), strict=True):
        np.testing.assert_allclose(found, want, rtol=2e-5, atol=2e-6)
