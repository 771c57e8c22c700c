"""What the portable kernels are compared with: onnx.reference on one node, within a tolerance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ml_dtypes
import numpy as np
import onnx
import onnx.reference
import onnxruntime
from numpy.typing import DTypeLike

DTYPES: dict[str, DTypeLike] = {
    "f32": np.float32,
    "f64": np.float64,
    "f16": np.float16,
    "bf16": ml_dtypes.bfloat16,
    "i8": np.int8,
    "i16": np.int16,
    "i32": np.int32,
    "i64": np.int64,
    "u8": np.uint8,
    "u16": np.uint16,
    "u32": np.uint32,
    "u64": np.uint64,
}
FLOATS = ["f32", "f64", "f16", "bf16"]
TOLERANCE = {"f32": 3e-6, "f64": 1e-13, "f16": 4e-3, "bf16": 3e-2}


def close(got: np.ndarray, want: np.ndarray, kind: str, scale: float = 1.0) -> None:
    """Assert equality within ``scale`` times the tolerance of element type ``kind``."""
    tolerance = TOLERANCE[kind] * scale
    np.testing.assert_allclose(
        got.astype(np.float64), want.astype(np.float64), rtol=tolerance, atol=tolerance
    )


def single_node_model(
    node: onnx.NodeProto, feeds: Mapping[str, np.ndarray], opset: int
) -> onnx.ModelProto:
    """A model of ``node`` alone; ``feeds`` names its inputs, outputs are typed by inference."""
    inputs = [
        onnx.helper.make_tensor_value_info(
            name, onnx.helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
        )
        for name, value in feeds.items()
    ]
    outputs = [onnx.helper.make_tensor_value_info(name, 0, None) for name in node.output if name]
    graph = onnx.helper.make_graph([node], "one", inputs, outputs)
    opsets = [onnx.helper.make_opsetid(node.domain, opset)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10)


def evaluate(
    node: onnx.NodeProto, feeds: Mapping[str, np.ndarray], opset: int = 26
) -> list[np.ndarray]:
    """The outputs of ``node`` by the ONNX reference evaluator; ``feeds`` names its inputs."""
    model = single_node_model(node, feeds, opset)
    return onnx.reference.ReferenceEvaluator(model).run(None, dict(feeds))


def evaluate_with_runtime(
    node: onnx.NodeProto,
    feeds: Mapping[str, np.ndarray],
    opset: int = 22,
    types: Sequence[int] = (),
) -> list[np.ndarray]:
    """The outputs of ``node`` by ONNX Runtime, where the reference evaluator is incomplete.

    ``types`` are the outputs' element types where ONNX does not infer them.
    """
    model = onnx.shape_inference.infer_shapes(single_node_model(node, feeds, opset))
    for output, element in zip(model.graph.output, types, strict=False):
        output.type.tensor_type.elem_type = element
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, dict(feeds))


def channels_last(x: np.ndarray) -> np.ndarray:
    """``[batch, channels, spatial...]`` as ``[batch, spatial..., channels]``, contiguous."""
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def channels_first(x: np.ndarray) -> np.ndarray:
    """``[batch, spatial..., channels]`` as ``[batch, channels, spatial...]``, contiguous."""
    return np.ascontiguousarray(np.moveaxis(x, -1, 1))
