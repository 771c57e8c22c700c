"""Padding that would cut the operand of a window is refused: kernels count on none below zero."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from whet.errors import ShapeError
from whet.importers import import_model


def windowed(op: str, pads: list[int]) -> bytes:
    """A layer over a 6 x 6 image with a window of 3 x 3."""
    weighted = op in ("Conv", "ConvTranspose")
    names = ["x", "w"] if weighted else ["x"]
    node = helper.make_node(op, names, ["y"], "window", kernel_shape=[3, 3], pads=pads)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 6, 6])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    weights = [numpy_helper.from_array(np.ones((1, 1, 3, 3), np.float32), "w")] * weighted
    graph = helper.make_graph([node], "windowed", [x], [y], weights)
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


@pytest.mark.parametrize("op", ["Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool"])
@pytest.mark.parametrize("pads", [[-1, 0, 0, 0], [0, -1, 1, 1]])
def test_negative_padding(op: str, pads: list[int]) -> None:
    with pytest.raises(ShapeError, match=r"negative padding: .* 'window'; try: slice") as caught:
        import_model(windowed(op, pads))
    assert "\n" not in str(caught.value)
    import_model(windowed(op, [1, 1, 1, 1]))
