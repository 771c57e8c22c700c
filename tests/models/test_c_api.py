"""The C interface: the example builds with the system's compiler, sanitizers find nothing."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import whet
from whet.targets.host import host, levels

ROOT = Path(__file__).parents[2]
BUNDLED = ("digits_int8.onnx", "digits_f32.onnx")
SHARED = ("mlperf_kws_int8.tflite", "mlperf_ad_fp32.tflite", "micro_speech_quantized.tflite")
SANITIZERS = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover", "-w")


@pytest.fixture(scope="module")
def compiler() -> str:
    found = shutil.which("gcc") or shutil.which("clang")
    if found is None:
        pytest.skip("install gcc or clang to build the example")
    return found


def _run_example(compiler: str, model: Path, folder: Path) -> None:
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
def test_the_example_runs_a_bundled_model(name: str, compiler: str, tmp_path: Path) -> None:
    _run_example(compiler, ROOT / "whet/demo" / name, tmp_path)


@pytest.mark.parametrize("name", SHARED)
def test_the_example_runs_a_real_model(
    name: str, compiler: str, shared_data: Path, tmp_path: Path
) -> None:
    _run_example(compiler, shared_data / "models/tflite" / name, tmp_path)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="levels of x86")
@pytest.mark.parametrize(("made_for", "level"), [("x86-64", "x86-64-v3"), ("x86-64-v3", "x86-64")])
@pytest.mark.parametrize("name", BUNDLED)
def test_weights_packed_for_another_machine(
    name: str, made_for: str, level: str, compiler: str, tmp_path: Path
) -> None:
    if made_for not in levels():
        pytest.skip(f"this machine has no {made_for}")
    source = tmp_path / "model.c"
    source.write_text(whet.compile(ROOT / "whet/demo" / name, target=host(made_for)).source)
    command = [compiler, "-O0", "-w", "-c", "-fsyntax-only", str(source)]
    assert subprocess.run([*command, f"-march={made_for}"], check=False).returncode == 0
    other = [*command, f"-march={level}"]
    built = subprocess.run(other, capture_output=True, text=True, check=False)
    assert built.returncode != 0
    assert "compile for the machine that the model is for" in built.stderr
