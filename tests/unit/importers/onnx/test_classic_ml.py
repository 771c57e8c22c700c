"""Trees, linear models and pre-processing of ai.onnx.ml against ONNX Runtime, in both runners."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, helper

from whet.compiler.pipeline import compile_graph
from whet.importers.onnx import load_graph
from whet.ops.evaluate import evaluate

NODES = {
    "nodes_treeids": [0] * 5 + [1] * 3,
    "nodes_nodeids": [0, 1, 2, 3, 4, 0, 1, 2],
    "nodes_featureids": [0, 1, 0, 0, 0, 2, 0, 0],
    "nodes_modes": ["BRANCH_LEQ", "BRANCH_LT", *["LEAF"] * 3, "BRANCH_GT", *["LEAF"] * 2],
    "nodes_values": [0.1, -0.2, 0, 0, 0, 0.3, 0, 0],
    "nodes_truenodeids": [1, 2, 0, 0, 0, 1, 0, 0],
    "nodes_falsenodeids": [4, 3, 0, 0, 0, 2, 0, 0],
}
LEAVES = {"treeids": [0, 0, 0, 1, 1, 1], "nodeids": [2, 3, 4, 1, 2, 2]}
VOTES = [1.0, -2.0, 3.0, -4.0, 5.0, 0.5]
CLASSES = {f"class_{key}": value for key, value in LEAVES.items()}
TARGETS = {f"target_{key}": value for key, value in LEAVES.items()}
WEIGHTS = [0.1, 0.2, -0.3, 0.4] * 2
CASES = {
    "TreeEnsembleRegressor": [
        {"n_targets": 2, "target_ids": [0, 1, 0, 1, 0, 1], "target_weights": VOTES}
        | NODES
        | TARGETS
    ],
    "TreeEnsembleClassifier": [
        {
            "class_ids": ids, "class_weights": votes, "classlabels_int64s": labels,
            "post_transform": post,
        } | NODES | CLASSES
        for ids, votes, labels, post in (
            ([0, 1, 2, 1, 0, 2], [abs(v) for v in VOTES], [3, 5, 9], "SOFTMAX"),
            ([0] * 6, VOTES, [0, 1], "LOGISTIC"),
        )
    ],
    "Scaler": [{"offset": [0.1, 0.2, 0.3, 0.4], "scale": [1.0, 2.0, 3.0, 4.0]}],
    "Normalizer": [{"norm": "L1"}, {"norm": "L2"}],
    "LinearRegressor": [{"coefficients": WEIGHTS, "intercepts": [1.0, 2.0], "targets": 2}],
    "LinearClassifier": [
        {
            "coefficients": [*WEIGHTS, 0.3, 0.1, 0.2, -0.5], "intercepts": [0.1, -0.2, 0.5],
            "classlabels_ints": [3, 4, 5], "post_transform": "SOFTMAX",
        }
    ],
}  # fmt: skip


def _model(op: str, attributes: dict[str, object]) -> ModelProto:
    names = ["label", "y"] if "Classifier" in op else ["y"]
    node = helper.make_node(op, ["x"], names, domain="ai.onnx.ml", **attributes)
    kinds = {"label": TensorProto.INT64, "y": TensorProto.FLOAT}
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [9, 4])
    outputs = [helper.make_tensor_value_info(name, kinds[name], None) for name in names]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    graph = helper.make_graph([node], "ml", [x], outputs)
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


@pytest.mark.parametrize(
    ("op", "attributes"), [(op, each) for op, many in CASES.items() for each in many]
)
def test_agrees_with_onnx_runtime(op: str, attributes: dict[str, object]) -> None:
    model = _model(op, attributes)
    feeds = {"x": np.random.default_rng(1).normal(size=(9, 4)).astype(np.float32)}
    runtime = onnxruntime.InferenceSession(model.SerializeToString())
    graph = load_graph(model)
    meant, run = evaluate(graph, feeds), compile_graph(graph).session()(feeds)
    for output, wanted in zip(model.graph.output, runtime.run(None, feeds), strict=True):
        for found in (meant, run):
            np.testing.assert_allclose(found[output.name], wanted, rtol=1e-5, atol=1e-6)
