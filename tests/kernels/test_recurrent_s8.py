"""recurrent_s8.h: its sums against NumPy's integers, and quantised layers against ONNX Runtime."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

import whet
from tests.kernels.native import LEVELS
from tests.kernels.native_s8 import PATHS, library
from whet.emit.program import Step
from whet.ir.element import I8, Quant
from whet.kernels.packing_recurrent import Layout
from whet.plan import program

RNG = np.random.default_rng(29)
GATES = {"GRU": 3, "LSTM": 4}
HIDDEN = 37
SUMS = """
#include "recurrent_s8.h"
INLINE void sums(const int PLACES, ARGS) {
    vf acc[4];
    for (int j = 0; j < 4; j++) acc[j] = vset(0.f);
    for (int k = 0; k < 48; k += VL)
        recurrent_digits(vload((const float *)x + k), scratch + k * DOT8_BYTES, 48);
    vi sum[RECURRENT_DIGITS * 4];
    recurrent_start_s8(4, PLACES, sum, bias);
    recurrent_add_s8(4, PLACES, 3, 10, sum, scratch, 48, w);
    recurrent_add_s8(4, PLACES, 0, 3, sum, scratch, 48, w);
    recurrent_join_s8(4, acc, sum, (const float *)extra[0]);
    for (int j = 0; j < 4; j++) vstore((float *)y + j * VL, acc[j]);
}
void case0(ARGS) { sums(1, begin, end, x, w, bias, y, scratch, extra); }
void case1(ARGS) { sums(3, begin, end, x, w, bias, y, scratch, extra); }
"""


@pytest.fixture(autouse=True)
def short_runs_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "SHORTEST_NANOSECONDS", 0)


def _given() -> tuple[np.ndarray, np.ndarray]:
    """h, and whole numbers of 2^-22 that it is read as."""
    h = np.zeros(48, np.float32)
    h[:HIDDEN] = RNG.uniform(-1, 1, HIDDEN)
    h[:4] = [1, -1, 2.0**-22, -(2.0**-24)]
    return h, np.rint(h[:HIDDEN].astype(np.float64) * 2**22).astype(np.int64)


@pytest.mark.parametrize("path", PATHS)
def test_sums_are_exact_but_for_rounding_h(path: tuple[str, bool]) -> None:
    made = library(SUMS, path)
    layout = Layout(4, made.lanes, 1, made.lanes, made.shift, made.pairs)
    codes = RNG.integers(-127, 128, (1, 4 * made.lanes, HIDDEN)).astype(np.int8)
    element = Quant(I8, (1.0,), (0,))
    columns = np.zeros((1, 4 * HIDDEN, HIDDEN), np.int8)
    rows = columns.reshape(4, HIDDEN, HIDDEN)
    rows[:, : made.lanes] = codes.reshape(4, made.lanes, HIDDEN)
    packed, start, scale = layout.coded_recurrent(columns, element)
    h, whole = _given()
    y = np.zeros(4 * made.lanes, np.float32)
    digits = np.zeros(512, np.int8)
    made.call(0, 0, 0, h, packed, start, y.view(np.int8), digits, scale)
    sums = codes[0].astype(np.int64) @ whole
    np.testing.assert_allclose(y, sums * 2.0**-22, rtol=2**-22, atol=2**-24 * 127 * 2**-8 * HIDDEN)
    exact = codes[0].astype(np.float64) @ h[:HIDDEN]
    bound = 2.0**-23 * np.abs(codes[0]).sum(axis=1) + 2.0**-22 * np.abs(exact)
    assert (np.abs(y - exact) <= bound).all()


def _balanced(whole: np.ndarray) -> list[np.ndarray]:
    """Three digits of base 256, the lowest first."""
    low = (whole + 128) % 256 - 128
    middle = ((whole - low) // 256 + 128) % 256 - 128
    return [low, middle, ((whole - low) // 256 - middle) // 256]


@pytest.mark.parametrize("path", PATHS)
def test_digits_of_weights_count_by_their_highest_three_powers(path: tuple[str, bool]) -> None:
    made = library(SUMS, path)
    layout = Layout(4, made.lanes, 1, made.lanes, made.shift, made.pairs)
    r = np.zeros((1, 4 * made.lanes, HIDDEN), np.float32)
    r[0, 1:] = RNG.uniform(-0.2, 0.2, (4 * made.lanes - 1, HIDDEN))
    r[0, 1:, 5] = -0.2  # the largest; column 0 is zero
    columns = np.zeros((1, 4 * HIDDEN, HIDDEN), np.float32)
    columns.reshape(4, HIDDEN, HIDDEN)[:, : made.lanes] = r.reshape(4, made.lanes, HIDDEN)
    h, whole = _given()
    y = np.zeros(4 * made.lanes, np.float32)
    packed, start, scale = layout.digits_recurrent(columns)
    made.call(1, 0, 0, h, packed, start, y.view(np.int8), np.zeros(512, np.int8), scale)
    unit = np.float32(np.float64(np.float32(0.2)) / (127 * (1 + 256 + 256**2)))
    weights = np.rint(r[0] / np.float64(unit)).astype(np.int64)
    found = [
        256 ** (d + e) * (b @ a)
        for d, a in enumerate(_balanced(whole))
        for e, b in enumerate(_balanced(weights))
        if d + e >= 2
    ]
    sums = np.sum(found, axis=0) * np.float64(unit) * 2.0**-22
    np.testing.assert_allclose(y, sums, rtol=2**-22, atol=2**-24)
    size = np.abs(r[0].astype(np.float64))
    bound = 2.0**-23 * size.sum(axis=1) + 1.26 * 2.0**-22 * HIDDEN * size.max(axis=1)
    exact = r[0].astype(np.float64) @ h[:HIDDEN]
    assert (np.abs(y - exact) <= bound + 2.0**-22 * np.abs(exact)).all()


def _codes(shape: tuple[int, ...], size: float, per_row: bool) -> tuple[np.ndarray, np.ndarray]:
    real = RNG.standard_normal(shape) * size
    scale = np.abs(real).max(axis=(0, 2) if per_row else None) / 127
    codes = np.rint(real / np.reshape(scale, (-1, 1)))
    return codes.astype(np.int8), np.asarray(scale, np.float32)


def _model(
    op: str, direction: str, shape: tuple[int, int, int, int], *, coded: bool, per_row: bool,
    first: float | None = None,
) -> onnx.ModelProto:  # fmt: skip
    """A layer of (steps, batch, input, hidden) over codes; coded: its input goes through codes,
    too. first: the size of the constant initial state."""
    steps, batch, size, hidden = shape
    d, g = 1 + (direction == "bidirectional"), GATES[op]
    make, held, nodes = onnx.helper.make_node, {}, []
    for name, columns in (("w", size), ("r", hidden)):
        codes, scale = _codes((d, g * hidden, columns), columns**-0.5, per_row)
        held |= {f"{name}_codes": codes, f"{name}_scale": scale}
        nodes.append(make("DequantizeLinear", [f"{name}_codes", f"{name}_scale"], [name],
                          **({"axis": 1} if per_row else {})))  # fmt: skip
    held |= {"b_codes": RNG.integers(-300, 300, (d, 2 * g * hidden), np.int32)}
    held |= {"b_scale": np.float32(0.001)}
    nodes.append(make("DequantizeLinear", ["b_codes", "b_scale"], ["b"]))
    names = ["x", "w", "r", "b", ""]
    if coded:
        held |= {"scale": np.float32(0.03), "zero": np.uint8(121)}
        nodes += [
            make("QuantizeLinear", ["x", "scale", "zero"], ["codes"]),
            make("DequantizeLinear", ["codes", "scale", "zero"], ["given"]),
        ]
        names[0] = "given"
    if first is not None:
        kinds = ("h", "c") if op == "LSTM" else ("h",)
        states = RNG.uniform(-first, first, (len(kinds), d, batch, hidden)).astype(np.float32)
        held |= dict(zip(kinds, states, strict=True))
        names += kinds
    outputs = ["y", "yh", "yc"][: g - 1]
    attributes = {"linear_before_reset": 1} if op == "GRU" else {}
    nodes.append(make(op, names, outputs, hidden_size=hidden, direction=direction, **attributes))
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes, "layer",
        [info("x", onnx.TensorProto.FLOAT, (steps, batch, size))],
        [info(k, onnx.TensorProto.FLOAT, None) for k in outputs],
        [onnx.numpy_helper.from_array(np.asarray(v), k) for k, v in held.items()],
    )  # fmt: skip
    opset = [onnx.helper.make_opsetid("", 17)]
    return onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)


def _check(
    model: onnx.ModelProto, shape: tuple[int, ...], cpu: str = "native", codes: int = 1
) -> None:
    """Beside ONNX Runtime; `codes`: whether the recurrent weights stay codes."""
    feeds = {"x": RNG.standard_normal(shape[:3]).astype(np.float32)}
    compiled = whet.compile(model.SerializeToString(), cpu=cpu)
    steps = [s for s in compiled.program.main.steps if isinstance(s, Step)]
    (layer,) = [s.stage.lowered for s in steps if s.stage.lowered.kernel == "recurrent_f32"]
    assert layer.statements[0].arguments[2] == codes
    want = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)
    assert compiled.program.shared
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
    shape = (7, 1, 5, hidden)
    _check(_model(op, "forward", shape, coded=True, per_row=True), shape, cpu)


@pytest.mark.parametrize("coded", [False, True])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("op", GATES)
def test_directions_batches_and_states(op: str, direction: str, coded: bool) -> None:
    shape = (6, 3, 9, 21)
    model = _model(op, direction, shape, coded=coded, per_row=not coded, first=1.0)
    _check(model, shape)


@pytest.mark.parametrize("op", GATES)
def test_a_state_outside_one_keeps_the_layer_in_floats(op: str) -> None:
    shape = (6, 1, 8, 20)
    _check(_model(op, "forward", shape, coded=True, per_row=True, first=3.0), shape, codes=0)


def test_more_steps_than_a_chunk() -> None:
    shape = (141, 1, 6, 18)
    _check(_model("LSTM", "bidirectional", shape, coded=True, per_row=True), shape)


@pytest.mark.parametrize("inputs", [1 << 16, (1 << 16) + 4])
def test_more_inputs_than_sums_hold_keep_the_layer_in_floats(inputs: int) -> None:
    shape = (1, 1, inputs, 1)
    model = _model("LSTM", "forward", shape, coded=True, per_row=True)
    _check(model, shape, codes=int(inputs <= 1 << 16))
