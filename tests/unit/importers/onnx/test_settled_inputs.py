"""Whole-number inputs that the caller settles are constants, and branches on them are decided."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import whet


def _model() -> bytes:
    def branch(name: str, op: str) -> onnx.GraphProto:
        y = helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, None)
        return helper.make_graph([helper.make_node(op, ["x"], [f"{name}_y"])], name, [], [y])

    nodes = [
        helper.make_node("Constant", [], ["wanted"], value_int=16000),
        helper.make_node("Equal", ["rate", "wanted"], ["is_wanted"]),
        helper.make_node(
            "If",
            ["is_wanted"],
            ["y"],
            then_branch=branch("a", "Relu"),
            else_branch=branch("b", "Neg"),
        ),
    ]
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [4]),
        helper.make_tensor_value_info("rate", TensorProto.INT64, []),
    ]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])]
    graph = helper.make_graph(nodes, "rated", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()


@pytest.mark.parametrize(("rate", "sign"), [(16000, 0), (8000, -1)])
def test_a_settled_input_decides_the_branch(rate: int, sign: int) -> None:
    graph = whet.import_model(_model(), {"rate": rate})
    assert graph.input_names == ("x",)
    assert not any(node.op.family == "control" for node in graph.nodes)
    x = np.array([-2, -1, 1, 2], np.float32)
    expected = np.maximum(x, 0) if sign == 0 else -x
    np.testing.assert_array_equal(whet.evaluate(graph, {"x": x})["y"], expected)


def test_a_float_input_cannot_be_settled() -> None:
    with pytest.raises(whet.Error, match="cannot be settled"):
        whet.import_model(_model(), {"x": 3})


def test_branches_of_other_ranks_say_which_sizes_to_settle() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]> net (float[n, 4] x, bool c) => (float[m] y) {
        axes = Constant <value_ints = [0]> ()
        y = If (c) <
            then_branch = a () => (float[p] t) { t = Identity (x) },
            else_branch = b () => (float[q] e) { e = Unsqueeze (x, axes) }>
    }"""
    model = onnx.parser.parse_model(text).SerializeToString()
    with pytest.raises(
        whet.Error, match=r"f32 of 2 axes and f32 of 3 axes: .*: .* depend on n; try: --size n=N"
    ):
        whet.import_model(model)
