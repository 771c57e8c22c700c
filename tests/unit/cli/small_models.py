"""Small ONNX models for the commands, made here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WEIGHTS = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)


def dense(path: Path, rows: int | str = 3) -> Path:
    """y = relu(x @ WEIGHTS), x of (rows, 4)."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["sum"], name="fc"),
        helper.make_node("Relu", ["sum"], ["y"], name="act"),
    ]
    graph = helper.make_graph(
        nodes,
        "dense",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows, 8])],
        [numpy_helper.from_array(WEIGHTS, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.save(model, path)
    return path
