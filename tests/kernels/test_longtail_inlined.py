"""Kernels as an emitted model uses them: inlined, literal shapes, full optimisation.

The other tests call unoptimised functions with run-time shapes; here clang folds, unrolls and
vectorises them, and the answers must agree.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest

from tests.kernels.longtail_library import TARGETS, call, compile_c, library

RNG = np.random.default_rng(37)
WINDOW = (
    "&(const window_shape){.batch = 1, .channels = 20, .in = {1, 9, 8}, .out = {1, 4, 4},"
    " .kernel = {1, 3, 2}, .stride = {1, 2, 2}, .dilation = {1, 1, 1},"
    " .before = {0, 0, 0}, .after = {0, 0, 0}}"
)
RULE = "&(const resize_rule){.filter = RESIZE_CUBIC, .scale = 1.5, .cubic_a = -0.75}"
LSTM = (
    "&(const rnn_shape){.steps = 4, .batch = 2, .input = 5, .hidden = 33, .directions = 1,"
    " .activations = {{{RNN_SIGMOID, 0, 0}, {RNN_TANH, 0, 0}, {RNN_TANH, 0, 0}}}}"
)
# name: (header, the call, the sizes of the float arrays p[0], p[1], ..., inputs first)
CALLS = {
    "reduce_sum": ("reduce.h", "reduce_sum_f32(p[0], p[1], 7, 131, 1)", (917, 7)),
    "reduce_max": ("reduce.h", "reduce_max_f32(p[0], p[1], 7, 131, 1)", (917, 7)),
    "reduce_mean": ("reduce.h", "reduce_mean_f32(p[0], p[1], 3, 49, 70)", (10290, 210)),
    "softmax_rows": ("softmax.h", "softmax_f32(p[0], p[1], 5, 77, 1)", (385, 385)),
    "softmax_columns": ("softmax.h", "softmax_f32(p[0], p[1], 2, 7, 80)", (1120, 1120)),
    "layer_norm": (
        "norm.h",
        "layer_norm_f32(p[0], p[1], p[2], p[3], 0, 0, 4, 96, 1e-5f)",
        (384, 96, 96, 384),
    ),
    "group_norm": (
        "norm.h",
        "group_norm_f32(p[0], p[1], p[2], p[3], 2, 15, 24, 4, 1e-5f)",
        (720, 24, 24, 720),
    ),
    "max_pool": ("pool.h", f"max_pool_f32(p[0], p[1], {WINDOW})", (1440, 320)),
    "average_pool": ("pool.h", f"average_pool_f32(p[0], p[1], {WINDOW}, 0)", (1440, 320)),
    "conv": (
        "conv_generic.h",
        f"conv_plain_f32(p[0], p[1], p[2], p[3], {WINDOW}, 6, 2)",
        (1440, 360, 6, 96),
    ),
    "matmul": (
        "matmul_generic.h",
        "matmul_f32(p[0], p[1], p[2], 5, 9, 40,"
        " (const long[]){3}, (const long[]){45}, (const long[]){0}, 1)",
        (135, 360, 600),
    ),
    "resize": ("resize.h", f"resize_f32(p[0], p[1], 3, 8, 12, 0, 12, 10, {RULE})", (240, 360)),
    "topk": ("sort.h", "topk_f32(p[0], p[1], (i64 *)p[2], 3, 50, 2, 7, 1)", (300, 42, 84)),
    "lstm": (
        "rnn.h",
        f"lstm_f32(p[0], p[1], p[2], p[3], 0, 0, 0, 0, p[4], 0, 0, p[5], {LSTM})",
        (40, 660, 4356, 264, 264, 231),
    ),
    "dft": ("spectrum.h", "dft_f32(p[0], p[1], p[2], 2, 60, 3, 60, 1, 2, 31, 0)", (360, 372, 360)),
}
INPUTS = {"layer_norm": 3, "group_norm": 3, "conv": 3, "matmul": 2, "lstm": 4}
SCRATCH = {"lstm": 1, "dft": 1}


def _source() -> str:
    headers = "".join(f'#include "{h}"\n' for h in sorted({c[0] for c in CALLS.values()}))
    return headers + "\n".join(
        f"void run_{name}(void *const *p) {{ {text}; }}" for name, (_, text, _) in CALLS.items()
    )


@pytest.fixture(scope="module", params=["x86_64", "native"])
def optimised(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> ctypes.CDLL:
    path: Path = tmp_path_factory.mktemp("inlined") / f"{request.param}.so"
    target = (
        TARGETS["x86_64"] if request.param == "x86_64" else [*TARGETS["x86_64"][:2], "-mcpu=native"]
    )
    compile_c(_source(), path, "-O3", "-shared", "-fPIC", *target)
    return ctypes.CDLL(str(path))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    path = tmp_path_factory.mktemp("inlined") / "plain.so"
    compile_c(_source(), path, "-O0", "-shared", "-fPIC", *TARGETS["x86_64"])
    return ctypes.CDLL(str(path))


def _run(built: ctypes.CDLL, name: str, inputs: list[np.ndarray]) -> list[np.ndarray]:
    sizes = CALLS[name][2]
    outputs = [np.zeros(size, np.float32) for size in sizes[len(inputs) :]]
    arrays = [*inputs, *outputs]
    pointers = (ctypes.c_void_p * len(arrays))(*[a.ctypes.data for a in arrays])
    getattr(built, f"run_{name}")(pointers)
    return outputs[: len(outputs) - SCRATCH.get(name, 0)]


@pytest.mark.parametrize("name", CALLS)
def test_optimised_code_agrees(optimised: ctypes.CDLL, plain: ctypes.CDLL, name: str) -> None:
    sizes = CALLS[name][2]
    inputs = [RNG.standard_normal(size).astype(np.float32) for size in sizes[: INPUTS.get(name, 1)]]
    for got, want in zip(_run(optimised, name, inputs), _run(plain, name, inputs), strict=True):
        np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-6)
        assert np.abs(want).max() > 0


def test_optimised_code_is_the_library(optimised: ctypes.CDLL) -> None:
    x, y = RNG.standard_normal((7, 131)).astype(np.float32), np.empty(7, np.float32)
    call(library("reduce.h").reduce_sum_f32, x, y, 7, 131, 1)
    np.testing.assert_array_equal(_run(optimised, "reduce_sum", [x])[0], y)
