"""Mutated models end in one line, never in a crash, a hang or exhausted memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUNDLED = [ROOT / "whet/demo/digits_f32.onnx", ROOT / "whet/demo/digits_int8.onnx"]
REAL = (
    "tflite/hello_world_int8.tflite", "tflite/micro_speech_quantized.tflite",
    "onnx/mnist_8/model.onnx", "tflite/mlperf_kws_int8.tflite", "tflite/magic_wand.tflite",
)  # fmt: skip
QUICK, BATCHES = 250, 2
THOROUGH = 20_000


def _sources() -> list[Path]:
    shared = Path(os.environ.get("WHET_SHARED_DATA", ROOT.parent / "shared/data")) / "models"
    return BUNDLED + [shared / name for name in REAL if (shared / name).is_file()]


def _run(first: int, count: int, seconds: int) -> None:
    command = [sys.executable, "-m", "tests.fuzz.run", str(first), str(count)]
    run = subprocess.run(
        [*command, *map(str, _sources())], cwd=ROOT, capture_output=True, text=True, check=False,
        timeout=seconds,
    )  # fmt: skip
    failed = [line for line in run.stdout.splitlines() if line.startswith("FAILED")]
    last = run.stdout.splitlines()[-1:] + run.stderr.splitlines()[-1:]
    assert not failed, "\n".join(failed)
    assert run.returncode == 0, f"the process died at {last}"


@pytest.mark.parametrize("batch", range(BATCHES))
def test_a_sample_of_mutated_models(batch: int) -> None:
    _run(batch * QUICK, QUICK, 300)


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(THOROUGH // 1000))
def test_many_mutated_models(batch: int) -> None:
    _run(1_000_000 + batch * 1000, 1000, 3000)
