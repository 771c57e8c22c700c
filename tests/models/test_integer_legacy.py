"""Legacy uint8 models, run by the integer definitions, give the bits of TensorFlow Lite."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.models.integer_walker import Walker

interpreter = pytest.importorskip(
    "ai_edge_litert.interpreter", reason="the oracle for uint8, LiteRT, is not installed"
)
MODELS = [
    "mobilenet_v1_0.25_224_quant",
    "mobilenet_v1_0.5_160_quant",
    "mobilenet_v2_1.0_224_quant",
    pytest.param("deeplabv3_mnv2_dm05_pascal_quant", marks=pytest.mark.slow),
    pytest.param("coco_ssd_mobilenet_v1_1.0_quant", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("name", MODELS)
def test_every_tensor_equals_the_reference_kernels(name: str, shared_data: Path) -> None:
    path = shared_data / "models" / "tflite" / f"{name}.tflite"
    if not path.exists():
        pytest.skip(f"no {path.name} in the shared data")
    oracle = interpreter.Interpreter(
        str(path),
        experimental_op_resolver_type=interpreter.OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    oracle.allocate_tensors()
    detail = oracle.get_input_details()[0]
    x = np.random.default_rng(0).integers(0, 256, detail["shape"], dtype=np.uint8)
    oracle.set_tensor(detail["index"], x)
    oracle.invoke()
    walker = Walker(path, "double")
    walker.run(x)
    for op in walker.graph.operators:
        for i in map(int, op.outputs):
            if walker.store(i) != "float32":  # the boxes that detection post-processing makes
                np.testing.assert_array_equal(oracle.get_tensor(i), walker.values[i], str(i))
