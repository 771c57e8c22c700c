"""What the demo ships is small, plain ONNX, and right about digits it never saw."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from tests.conftest import ROOT

DEMO = ROOT / "whet" / "demo"
BYTES = 300_000


def test_demo_files_are_small() -> None:
    assert sum(path.stat().st_size for path in DEMO.iterdir()) <= BYTES


@pytest.mark.parametrize("name", ["digits_f32", "digits_int8"])
def test_reference_engine_reads_the_held_out_digits(name: str) -> None:
    held_out = np.load(DEMO / "digits_test.npz", allow_pickle=False)
    session = onnxruntime.InferenceSession(
        str(DEMO / f"{name}.onnx"), providers=["CPUExecutionProvider"]
    )
    images = (held_out["images"][:, None] / 16).astype(np.float32)
    answers = [int(session.run(None, {"image": x[None]})[0].argmax()) for x in images]
    assert np.mean(np.array(answers) == held_out["labels"]) >= 0.99


def test_models_leave_the_compiler_real_work() -> None:
    plain = {node.op_type for node in onnx.load(DEMO / "digits_f32.onnx").graph.node}
    quantised = {node.op_type for node in onnx.load(DEMO / "digits_int8.onnx").graph.node}
    assert {"BatchNormalization", "Conv", "Clip", "Add"} <= plain
    assert {"QuantizeLinear", "DequantizeLinear"} <= quantised
