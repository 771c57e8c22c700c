"""Benchmark models are reproducible, and ONNX Runtime computes from them what torch computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra `torch`)")

from bench.export import export_float, export_int8, feeds, module  # noqa: E402
from bench.models import names, recipe  # noqa: E402

SMALL = ("kws", "conformer_block", "lstm")


def run(path: Path, feed: dict[str, np.ndarray]) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, feed)[0]


@pytest.mark.parametrize("name", SMALL)
def test_float_export_computes_what_torch_computes(name: str, tmp_path: Path) -> None:
    made = recipe(name)
    path = tmp_path / "model.onnx"
    export_float(made, path)
    onnx.checker.check_model(onnx.load(path), full_check=True)
    for feed in feeds(made, 2, seed=7):
        with torch.no_grad():
            want = module(made)(*(torch.from_numpy(x) for x in feed.values())).numpy()
        np.testing.assert_allclose(run(path, feed), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["kws", "lstm"])
def test_quantised_model_stays_near_the_float_one(name: str, tmp_path: Path) -> None:
    from onnxruntime.quantization import QuantType

    made = recipe(name)
    plain, quantised = tmp_path / "f32.onnx", tmp_path / "int8.onnx"
    export_float(made, plain)
    export_int8(made, plain, quantised, QuantType.QUInt8)
    for feed in feeds(made, 3, seed=7):
        want, got = run(plain, feed), run(quantised, feed)
        assert 0 < np.sum((got - want) ** 2) < 0.05 * np.sum(want**2)


def test_export_is_reproducible(tmp_path: Path) -> None:
    paths = [tmp_path / "a.onnx", tmp_path / "b.onnx"]
    for path in paths:
        export_float(recipe("kws"), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize("name", names())
def test_every_model_is_described_and_sampled_as_declared(name: str) -> None:
    made = recipe(name)
    assert made.name == name
    assert len(made.sample(torch.Generator().manual_seed(0))) == len(made.inputs)
