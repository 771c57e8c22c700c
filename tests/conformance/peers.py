"""A model in ONNX's text form, run by ONNX Runtime, by the meaning and by emitted C."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnxruntime
from onnx import checker, parser

from whet.compiler.pipeline import compile_graph
from whet.importers.onnx import load_graph
from whet.ops.evaluate import evaluate

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
Arrays = Mapping[str, np.ndarray]
Sizes = Mapping[str, int | tuple[int, int]]


def agree(text: str, *feeds: Arrays, sizes: Sizes | None = None) -> None:
    """Assert that all three give the same outputs, shapes and types for every set of inputs.

    sizes: bounds of the model's free dimensions. The compiled model is one for all inputs.
    """
    model = parser.parse_model(HEAD + text)
    checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    peer = onnxruntime.InferenceSession(model.SerializeToString(), options)
    graph = load_graph(model, sizes)
    session = compile_graph(graph).session()
    for inputs in feeds:
        expected = peer.run(None, dict(inputs))
        for found in (evaluate(graph, inputs), session(inputs)):
            for wanted, output in zip(expected, model.graph.output, strict=True):
                got = np.asarray(found[output.name])
                assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape), output.name
                np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)
