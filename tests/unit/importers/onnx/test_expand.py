"""Function bodies: the same nodes as the suite's own `_expanded` twins, and the same numbers."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from onnx import ModelProto, NodeProto, TypeProto, helper
from onnx.backend.test.case.test_case import TestCase
from onnx.backend.test.loader import load_model_tests
from onnx.reference import ReferenceEvaluator

from whet.importers.onnx.expand import expand, has_body

RANDOM = {"Bernoulli"}
PLAIN = {
    "LayerNormalization",
    "Attention",
    "Clip",
    "CenterCropPad",
    "Gelu",
    "GroupNormalization",
    "HannWindow",
    "LinearAttention",
    "ReduceLogSumExp",
    "RotaryEmbedding",
    "NegativeLogLikelihoodLoss",
    "SoftmaxCrossEntropyLoss",
    "AffineGrid",
    "SequenceMap",
}


@cache
def cases() -> dict[str, TestCase]:
    return {case.name: case for case in load_model_tests(kind="node")}


def twins() -> list[tuple[ModelProto, ModelProto]]:
    found = []
    for name, case in cases().items():
        twin = cases().get(f"{name}_expanded")
        if twin is not None:
            found.append((case.model, twin.model))
    return found


def opsets_of(model: ModelProto) -> dict[str, int]:
    return {opset.domain: opset.version for opset in model.opset_import}


def body_of(model: ModelProto) -> tuple[NodeProto, list[NodeProto], dict[str, int]]:
    (node,) = model.graph.node
    declared = {value.name: value.type for value in model.graph.input}
    types = [declared.get(name, TypeProto()) for name in node.input]
    body = expand(node, types, opsets_of(model), "inner_")
    assert body is not None
    return node, list(body.nodes), dict(body.opsets)


def outline(nodes: list[NodeProto]) -> list[tuple[object, ...]]:
    """The ops and constants of a body, whatever its values are named."""
    return [
        (
            node.op_type,
            len(node.input),
            len(node.output),
            sorted(
                (a.name, helper.get_attribute_value(a))
                for a in node.attribute
                if a.type in (a.INT, a.FLOAT, a.INTS, a.FLOATS, a.STRING)
            ),
        )
        for node in nodes
    ]


@pytest.mark.filterwarnings("ignore")
def test_bodies_are_those_of_the_suite() -> None:
    pairs = twins()
    assert len(pairs) > 400
    for model, twin in pairs:
        if opsets_of(model).get("") != opsets_of(twin).get(""):
            continue
        _, nodes, _ = body_of(model)
        assert outline(nodes) == outline(list(twin.graph.node)), twin.graph.name


def rebuilt(model: ModelProto) -> ModelProto:
    _, nodes, opsets = body_of(model)
    graph = helper.make_graph(nodes, "body", model.graph.input, model.graph.output)
    imports = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    return helper.make_model(graph, opset_imports=imports, ir_version=model.ir_version)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("op", sorted(PLAIN))
def test_bodies_compute_what_the_suite_expects(op: str) -> None:
    found = [
        case
        for case in cases().values()
        if "_expanded" not in case.name and case.model.graph.node[0].op_type == op
    ][:6]
    assert found
    for case in found:
        inputs, expected = case.data_sets[0]
        names = [value.name for value in case.model.graph.input]
        outputs = ReferenceEvaluator(rebuilt(case.model)).run(
            None, dict(zip(names, inputs, strict=True))
        )
        for ours, theirs in zip(outputs, expected, strict=True):
            pairs = zip(ours, theirs, strict=True) if isinstance(theirs, list) else [(ours, theirs)]
            for one, other in pairs:
                np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-6)


def test_ops_without_a_body() -> None:
    assert has_body("Gelu", 20)
    assert not has_body("Conv", 20)
    assert not has_body("Gelu", 7)
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    assert expand(node, [TypeProto(), TypeProto()], {"": 20}, "p_") is None
