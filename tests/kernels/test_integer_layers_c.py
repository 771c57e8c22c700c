"""Recurrent, spatial, normalising and audio kernels in C against their NumPy definitions."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from tests.kernels.longtail_library import call, library
from whet.ops.integer import (
    audio,
    boundary,
    fft,
    lstm,
    normalization,
    resize,
    sigmoid,
    softmax16,
    svdf,
    tables,
    unary,
)
from whet.ops.integer.quantization import Affine, Rounding

ROUNDINGS: list[Rounding] = ["single", "double"]
TYPES = {"int8": 0, "uint8": 1, "int16": 2, "int32": 3}
HEADERS = ("elementwise", "lstm", "resize", "normalization", "boundary", "svdf", "audio",
           "interpolation")  # fmt: skip
both = pytest.mark.parametrize("rounding", ROUNDINGS)


def lib() -> ctypes.CDLL:
    return library(*(f"integer_{name}.h" for name in HEADERS))


def code(rounding: Rounding) -> int:
    return ROUNDINGS.index(rounding)


def draw(seed: int, shape: tuple[int, ...], store: str = "int8") -> np.ndarray:
    info = np.iinfo(store)
    return np.random.default_rng(seed).integers(
        info.min, info.max, shape, dtype=store, endpoint=True
    )


@both
def test_table(rounding: Rounding) -> None:
    table = tables.tanh_table(Affine(0.05, 3), Affine(1 / 128, 0), rounding)
    x = draw(0, (999,))
    y = np.zeros_like(x)
    call(lib().integer_table, 999, x, table, y)
    np.testing.assert_array_equal(unary.lookup(x, table), y)


@both
@pytest.mark.parametrize(("source", "target"), [("int8", "int16"), ("int16", "uint8"),
                                                ("int32", "int8"), ("uint8", "int8")])  # fmt: skip
def test_rescale(source: str, target: str, rounding: Rounding) -> None:
    x = Affine(0.02 if source != "int32" else 1e-9, 0 if source == "int32" else 7, source)
    y = Affine(0.0003 if target == "int16" else 0.03, 5, target)
    c = unary.rescale_constants(x, y, rounding)
    data = draw(1, (999,), source)
    out = np.zeros(999, target)
    call(lib().integer_rescale, 999, TYPES[source], TYPES[target], data, c.x_zero, int(c.by.m),
         int(c.by.t), c.y_zero, c.low, c.high, code(rounding), out)  # fmt: skip
    np.testing.assert_array_equal(unary.rescale(data, c), out)


@pytest.mark.parametrize("minimum", [0, 1])
def test_maximum_and_minimum(minimum: int) -> None:
    a, b = draw(2, (999,)), draw(3, (999,))
    y = np.zeros_like(a)
    call(lib().integer_maximum, 999, 1, 1, 0, minimum, a, b, y)
    np.testing.assert_array_equal(np.minimum(a, b) if minimum else np.maximum(a, b), y)


@pytest.mark.parametrize("name", ["logistic16", "tanh16"])
@pytest.mark.parametrize("scale", [2.0**-12, 2.0**-11, 0.0003, 0.01])
def test_sigmoid16_everywhere(name: str, scale: float) -> None:
    x = np.arange(-32768, 32768).astype(np.int16)
    powers = (0,) if name == "logistic16" else (0, 1)
    c = sigmoid.input_scaling(Affine(scale, 0, "int16"), powers)
    y = np.zeros_like(x)
    call(getattr(lib(), f"integer_{name}"), len(x), x, c.m, c.shift, sigmoid.sigmoid_table(), y)
    np.testing.assert_array_equal(getattr(sigmoid, name)(x, c), y)


class LstmConstants(ctypes.Structure):
    _fields_ = (
        *((n, ctypes.c_int32) for n in ("x_zero", "hidden_zero")),
        *((n, ctypes.c_int32 * 4) for n in ("input_m", "input_t", "recurrent_m", "recurrent_t")),
        *((n, ctypes.c_int32) for n in ("forget_m", "forget_t", "update_m", "update_t",
                                        "hidden_m", "hidden_t", "cell_m", "cell_shift",
                                        "cell_clip")),
    )  # fmt: skip


def lstm_struct(c: lstm.Lstm) -> LstmConstants:
    four = ctypes.c_int32 * 4
    return LstmConstants(
        c.inputs[0].x_zero, c.hidden.zero,
        *(four(*(int(getattr(g.by, part)) for g in gates))
          for gates in (c.inputs, c.recurrent) for part in ("m", "t")),
        *(int(v) for by in (c.forget_by, c.update_by, c.hidden_by) for v in (by.m, by.t)),
        c.cell_tanh.m, c.cell_tanh.shift, c.cell_clip,
    )  # fmt: skip


@both
@pytest.mark.parametrize("store", ["int8", "int16"])
def test_lstm_step(store: str, rounding: Rounding) -> None:
    n_in, state, wide = 5, 9, store == "int16"
    x = Affine(0.03 if not wide else 1e-4, 0 if wide else -4, store)
    hidden = Affine(1 / 128 if not wide else 2.0**-15, 0 if wide else 3, store)
    c = lstm.lstm_constants(x, hidden, 2.0**-11, (0.01, 0.02, 0.03, 0.01), (0.01,) * 4, 6.0,
                            rounding)  # fmt: skip
    rng = np.random.default_rng(4)
    kind = np.int64 if wide else np.int32
    w = lstm.LstmWeights(
        tuple(draw(10 + g, (state, n_in)) for g in range(4)),
        tuple(draw(20 + g, (state, state)) for g in range(4)),
        tuple(rng.integers(-9000, 9000, state).astype(kind) for _ in range(4)),
    )
    h, cell = draw(5, (1, state), store), draw(6, (1, state), "int16")
    data = draw(7, (1, n_in), store)
    expected, next_cell = lstm.lstm_step(data, h, cell, w, c)
    got, got_cell = np.zeros_like(h), cell.copy()
    arrays = [
        (ctypes.c_void_p * 4)(*(a.ctypes.data for a in part))
        for part in (w.inputs, w.recurrent, w.biases)
    ]
    pointer = [ctypes.c_void_p(a.ctypes.data) for a in (data, h, got_cell, got)]
    table = ctypes.c_void_p(sigmoid.sigmoid_table().ctypes.data)
    lib().integer_lstm_step(n_in, state, TYPES[store], lstm_struct(c), pointer[0], pointer[1],
                            *arrays, table, code(rounding), pointer[2], pointer[3])  # fmt: skip
    np.testing.assert_array_equal(expected, got)
    np.testing.assert_array_equal(next_cell, got_cell)


@both
def test_resize(rounding: Rounding) -> None:
    x = draw(8, (2, 5, 7, 3))
    for align, half in [(False, False), (True, False), (False, True)]:
        options = {"align_corners": align, "half_pixel_centers": half}
        ours = resize.resize_bilinear(x, (9, 4), rounding, **options)
        y = np.zeros_like(ours, order="C")
        rows = [np.int32(v) for v in resize.bilinear_positions(5, 9, align, half)]
        columns = [np.int32(v) for v in resize.bilinear_positions(7, 4, align, half)]
        call(lib().integer_resize_bilinear, 2, 5, 7, 3, 9, 4, 0, x, *rows, *columns,
             code(rounding), y)  # fmt: skip
        np.testing.assert_array_equal(ours, y)
        ours = resize.resize_nearest(x, (9, 4), **options)
        rows = resize.nearest_positions(5, 9, align, half).astype(np.int32)
        columns = resize.nearest_positions(7, 4, align, half).astype(np.int32)
        call(lib().integer_resize_nearest, 2, 5, 7, 3, 9, 4, 0, x, rows, columns, y)
        np.testing.assert_array_equal(ours, y)


@both
@pytest.mark.parametrize("depth", [1, 5, 64, 1000])
def test_l2_normalize(depth: int, rounding: Rounding) -> None:
    x = draw(9, (30, depth))
    x[0] = -128
    y = np.zeros_like(x)
    call(lib().integer_l2_normalize, 30, depth, x, -128, code(rounding), y)
    np.testing.assert_array_equal(normalization.l2_normalize(x, -128, rounding), y)


@pytest.mark.parametrize("store", ["int8", "uint8", "int16"])
def test_float_boundary(store: str) -> None:
    rng = np.random.default_rng(11)
    x = (rng.normal(size=2000) * 30).astype(np.float32)
    x[:7] = np.nan, np.inf, -np.inf, 0.0, -0.0, 1e30, np.float32(0.49999997) * np.float32(0.25)
    x[7:99] = (np.arange(92, dtype=np.float32) - 45.5) * np.float32(0.25)
    q = Affine(0.25, 9, store)
    y = np.zeros(len(x), store)
    function = lib().integer_quantize
    call(function, len(x), TYPES[store], x, np.float32(q.scale), q.zero, q.low, q.high, y)
    np.testing.assert_array_equal(boundary.quantize(x, q), y)
    back = np.zeros_like(x)
    call(lib().integer_dequantize, len(x), TYPES[store], y, q.scale, q.zero, back)
    np.testing.assert_array_equal(boundary.dequantize(y, q), back)


@both
@pytest.mark.parametrize("store", ["int8", "int16"])
def test_svdf(store: str, rounding: Rounding) -> None:
    batch, inputs, units, rank, memory = 2, 7, 4, 2, 5
    wide = store == "int16"
    state = Affine(1e-4 if wide else 0.05, 0 if wide else 5, store)
    y = Affine(float(np.float32(state.scale * (60 if wide else 1))), -3)
    c = svdf.svdf_constants(Affine(0.05, 2), 0.01, 0.02, state, y, rank, rounding)
    x, start = draw(12, (batch, inputs)), draw(13, (batch, units * rank, memory), store)
    feature, time = draw(14, (units * rank, inputs)), draw(15, (units * rank, memory), store)
    bias = np.random.default_rng(16).integers(-2000, 2000, units).astype(np.int32)
    ours, after = svdf.svdf(x, start, feature, time, bias, c)
    got_state, got = start.copy(), np.zeros_like(ours)
    call(lib().integer_svdf, batch, inputs, units, rank, memory, TYPES[store], x, c.x_zero,
         feature, int(c.feature_by.m), int(c.feature_by.t), time, state.zero, bias,
         int(c.time_by.m), int(c.time_by.t), y.zero, code(rounding), got_state, got)  # fmt: skip
    np.testing.assert_array_equal(ours, got)
    np.testing.assert_array_equal(after, got_state)


@pytest.mark.parametrize("length", [8, 16, 64, 128, 512, 2048])
def test_real_fft(length: int) -> None:
    c = fft.real_fft_constants(length)
    x = draw(17, (length - 3,), "int16")
    work, y = np.zeros((length // 2, 2), np.int16), np.zeros((length // 2 + 1, 2), np.int16)
    call(lib().integer_real_fft, len(x), length, x, c.order, c.twiddles, c.super_twiddles, work, y)
    np.testing.assert_array_equal(fft.real_fft(x, c), y)


def test_audio_front() -> None:
    x, weights = draw(18, (480,), "int16") >> 3, draw(19, (480,), "int16") >> 3
    windowed, scaled, bits = np.zeros_like(x), np.zeros_like(x), np.zeros(1, np.int32)
    call(lib().integer_window, 480, x, weights, 12, windowed)
    np.testing.assert_array_equal(audio.window(x, weights, 12), windowed)
    for frame in (windowed, windowed >> 6, windowed * 0):
        call(lib().integer_auto_scale, 480, frame, scaled, bits)
        expected, spare = audio.auto_scale(frame)
        np.testing.assert_array_equal(expected, scaled)
        assert spare == bits[0]
    spectrum, y = draw(20, (257, 2), "int16"), np.zeros(257, np.uint32)
    call(lib().integer_energy, 257, 5, 241, spectrum, y)
    np.testing.assert_array_equal(audio.energy(spectrum, 5, 241), y)


def test_audio_filter_bank() -> None:
    rng = np.random.default_rng(21)
    widths = rng.integers(1, 9, 41).astype(np.int16)
    starts = np.concatenate([[0], np.cumsum(widths)[:-1]]).astype(np.int16)
    weights = rng.integers(0, 4096, widths.sum()).astype(np.int16)
    x, y = draw(22, (400,), "uint32"), np.zeros(40, np.uint64)
    ours = audio.filter_bank(x, weights, 4096 - weights, starts, starts, widths)
    call(lib().integer_filter_bank, 40, x, weights, 4096 - weights, starts, starts, widths, y)
    np.testing.assert_array_equal(ours, y)
    edges = np.array([0, 1, 2, 3, 2**32 - 1, 2**32, 2**64 - 1, 2**33 + 7], np.uint64)
    roots = np.zeros(48, np.uint32)
    call(lib().integer_filter_bank_sqrt, 48, np.concatenate([ours, edges]), 1, roots)
    np.testing.assert_array_equal(audio.square_root(np.concatenate([ours, edges]), 1), roots)


@pytest.mark.parametrize("clamping", [False, True])
def test_audio_noise_and_gain(clamping: bool) -> None:
    c = audio.SpectralSubtraction(409, 15975, 983, 15401, 819, 10, 14, clamping)
    x, noise = draw(23, (40,), "uint32") >> 12, draw(24, (40,), "uint32")
    ours, after = audio.spectral_subtraction(x, noise, c)
    got_noise, got = noise.copy(), np.zeros_like(ours)
    call(lib().integer_spectral_subtraction, 40, 409, 15975, 983, 15401, 819, 10, 14,
         int(clamping), x, got_noise, got)  # fmt: skip
    np.testing.assert_array_equal(ours, got)
    np.testing.assert_array_equal(after, got_noise)
    gains = draw(25, (125,), "int16")
    estimate = (draw(26, (40,), "uint32") >> np.arange(40, dtype=np.uint32) % 32).astype(np.uint32)
    call(lib().integer_pcan, 40, 6, x, estimate, gains, got)
    np.testing.assert_array_equal(audio.pcan(x, estimate, gains, 6), got)
    values = (draw(27, (40,), "uint32") >> np.arange(40, dtype=np.uint32) % 32).astype(np.uint32)
    logs = np.zeros(40, np.int16)
    call(lib().integer_filter_bank_log, 40, 1600, 3, values, audio.log_table(), logs)
    np.testing.assert_array_equal(audio.filter_bank_log(values, 1600, 3), logs)


@both
@pytest.mark.parametrize("depth", [1, 2, 50, 700])
def test_softmax_of_int16(depth: int, rounding: Rounding) -> None:
    c = softmax16.softmax16_constants(Affine(0.0007, 0, "int16"), 1.0, rounding)
    x = draw(28, (9, depth), "int16")
    y = np.zeros_like(x)
    call(lib().integer_softmax16, 9, depth, x, int(c.by.m), int(c.by.t), c.exp_table,
         c.reciprocal_table, code(rounding), y)  # fmt: skip
    np.testing.assert_array_equal(softmax16.softmax16(x, c), y)
