"""The C interface: the example builds with the system's compiler, sanitizers find nothing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import whet

ROOT = Path(__file__).parents[2]
BUNDLED = ("digits_int8.onnx", "digits_f32.onnx")
SHARED = ("mlperf_kws_int8.tflite", "mlperf_ad_fp32.tflite", "micro_speech_quantized.tflite")
SANITIZERS = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover", "-w")


def _run_example(model: Path, folder: Path) -> None:
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("install gcc or clang to build the example with sanitizers")
    compiled = whet.compile(model)
    (folder / "model.c").write_text(compiled.source)
    (folder / "model.h").write_text(compiled.header)
    (folder / "weights.bin").write_bytes(compiled.program.weights)
    sources = [str(ROOT / "examples/run_model.c"), "model.c"]
    command = [compiler, *SANITIZERS, "-march=native", "-I.", *sources, "-o", "run_model"]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr[-2000:]
    session = compiled.session()
    port, result = session.interface.inputs[0], session.interface.outputs[0]
    rng = np.random.default_rng(3)
    codes = port.element.kind in "iu"
    given = rng.integers(0, 100, port.shape) if codes else rng.random(port.shape) * 2 - 1
    given = given.astype(port.element.dtype)
    given.tofile(folder / "input.bin")
    command = ["./run_model", "weights.bin", "input.bin", "output.bin"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    made = np.fromfile(folder / "output.bin", result.element.dtype)
    expected = session({port.name: given})[result.name].ravel()
    if result.element.kind == "f":
        np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-4)
    else:
        np.testing.assert_array_equal(made, expected)


@pytest.mark.parametrize("name", BUNDLED)
def test_the_example_runs_a_bundled_model(name: str, tmp_path: Path) -> None:
    _run_example(ROOT / "whet/demo" / name, tmp_path)


@pytest.mark.parametrize("name", SHARED)
def test_the_example_runs_a_real_model(name: str, shared_data: Path, tmp_path: Path) -> None:
    _run_example(shared_data / "models/tflite" / name, tmp_path)
