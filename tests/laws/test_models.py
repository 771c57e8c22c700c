"""Each pass alone keeps the results of models; together they leave only what must be computed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.laws.agreement import agree, random_inputs
from whet.importers.onnx.translate import load_graph
from whet.importers.tflite import load_graph as load_tflite
from whet.ir.graph import Graph
from whet.ir.verify import signature, verify
from whet.passes.pipeline import PASSES, optimize

CODES = 0.05


class Model:
    """An ONNX model in the making: one chain of layers with random weights."""

    def __init__(self, *shape: int) -> None:
        self.numbers = np.random.default_rng(1)
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.input = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)

    def weight(self, *shape: int, low: float = -0.5) -> str:
        return self.hold(self.numbers.uniform(low, 0.5, shape).astype(np.float32))

    def hold(self, data: np.ndarray) -> str:  # type: ignore[type-arg]
        name = f"w{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(data, name))
        return name

    def layer(self, op: str, *inputs: str, **attrs: object) -> str:
        name = f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name, **attrs))
        return name

    def conv(self, x: str, inputs: int, outputs: int, k: int, groups: int = 1) -> str:
        """Convolution, batch normalization, ReLU6."""
        w = self.weight(outputs, inputs // groups, k, k)
        y = self.layer("Conv", x, w, pads=[k // 2] * 4, group=groups)
        moments = [self.weight(outputs) for _ in range(3)]
        y = self.layer("BatchNormalization", y, *moments, self.weight(outputs, low=0.1))
        return self.layer("Clip", y, self.hold(np.float32(0)), self.hold(np.float32(6)))

    def graph(self, y: str) -> Graph:
        out = helper.make_tensor_value_info(y, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "g", [self.input], [out], self.initializers)
        opset = [helper.make_opsetid("", 17)]
        return load_graph(helper.make_model(graph, opset_imports=opset).SerializeToString())


def mobile() -> Graph:
    """Expand, depthwise, squeeze and excite, project, residual, classify."""
    m = Model(1, 3, 8, 8)
    x = m.conv("x", 3, 8, 3)
    y = m.conv(m.conv(x, 8, 16, 1), 16, 16, 3, groups=16)
    gate = m.layer("GlobalAveragePool", y)
    gate = m.layer("Relu", m.layer("Conv", gate, m.weight(4, 16, 1, 1), m.weight(4)))
    gate = m.layer("Sigmoid", m.layer("Conv", gate, m.weight(16, 4, 1, 1)))
    y = m.layer("Conv", m.layer("Mul", y, gate), m.weight(8, 16, 1, 1), m.weight(8))
    y = m.layer("Flatten", m.layer("GlobalAveragePool", m.layer("Relu", m.layer("Add", x, y))))
    return m.graph(m.layer("Gemm", y, m.weight(5, 8), m.weight(5), transB=1))


def flattened() -> Graph:
    """A convolution whose channels-first result is flattened for a matrix product."""
    m = Model(1, 3, 6, 6)
    y = m.layer("Flatten", m.conv("x", 3, 4, 3))
    return m.graph(m.layer("Gemm", y, m.weight(144, 5), m.weight(5)))


def transformer() -> Graph:
    """Layer norm and softmax written out, attention of two heads, GELU."""
    m = Model(1, 6, 8)
    mean = m.layer("ReduceMean", "x", axes=[-1])
    centred = m.layer("Sub", "x", mean)
    variance = m.layer(
        "ReduceMean", m.layer("Pow", centred, m.hold(np.float32(2))), axes=[-1]
    )  # fmt: skip
    deviation = m.layer("Sqrt", m.layer("Add", variance, m.hold(np.float32(1e-5))))
    y = m.layer("Mul", m.layer("Div", centred, deviation), m.weight(8))
    y = m.layer("Add", y, m.weight(8))
    packed = m.layer(
        "Reshape", m.layer("MatMul", y, m.weight(8, 24)), m.hold(np.array([1, 6, 3, 2, 4]))
    )
    thirds = [f"third{i}" for i in range(3)]
    m.nodes.append(helper.make_node("Split", [packed], thirds, axis=2))
    q, k, v = (
        m.layer("Transpose", m.layer("Squeeze", third, m.hold(np.array([2]))), perm=perm)
        for third, perm in zip(thirds, ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]), strict=True)
    )
    scores = m.layer("Div", m.layer("MatMul", q, k), m.hold(np.float32(2)))
    mixed = m.layer("MatMul", m.layer("Softmax", scores, axis=-1), v)
    mixed = m.layer("Transpose", mixed, perm=[0, 2, 1, 3])
    y = m.layer("Add", "x", m.layer("Reshape", mixed, m.hold(np.array([1, 6, 8]))))
    h = m.layer("Add", m.layer("MatMul", y, m.weight(8, 16)), m.weight(16))
    e = m.layer("Erf", m.layer("Div", h, m.hold(np.float32(2**0.5))))
    h = m.layer("Mul", m.layer("Mul", h, m.layer("Add", e, m.hold(np.float32(1)))),
                m.hold(np.float32(0.5)))  # fmt: skip
    return m.graph(m.layer("MatMul", h, m.weight(16, 8)))


MODELS = {"mobile": mobile, "flattened": flattened, "transformer": transformer}


def counts(graph: Graph) -> dict[str, int]:
    return dict(Counter(n.op.name for n in graph.nodes if n.op.family != "leaf"))


@pytest.mark.parametrize("name", MODELS)
def test_each_pass_alone_keeps_a_model(name: str) -> None:
    graph = MODELS[name]()
    inputs = random_inputs(graph, np.random.default_rng(0))
    for step in PASSES:
        changed = step.run(graph, Counter())
        verify(changed, signature(graph))
        agree(graph, changed, inputs, 1e-4)
    agree(graph, optimize(graph), inputs, 1e-4)


def test_a_mobile_network_keeps_one_transpose_and_no_loose_arithmetic() -> None:
    found = counts(optimize(mobile()))
    assert found == {
        "transpose": 1, "conv": 6, "reduce_mean": 2, "mul": 1, "reshape": 1, "matmul": 1,
    }  # fmt: skip


def test_flattening_reorders_the_weights_instead_of_the_image() -> None:
    found = counts(optimize(flattened()))
    assert found == {"transpose": 1, "conv": 1, "reshape": 1, "matmul": 1}


def test_a_transformer_block_is_products_and_normalisations() -> None:
    found = counts(optimize(transformer()))
    assert found["layer_norm"] == 1
    assert found["attention"] == 1
    assert found["matmul"] == 5
    assert set(found) == {"layer_norm", "attention", "matmul", "reshape", "add"}


def test_real_networks_keep_the_transpose_of_their_input_only(shared_data: Path) -> None:
    graph = load_graph(shared_data / "models/onnx/derived_mobilenet_v1_0.25_224_f32.onnx")
    changed = optimize(graph)
    found = counts(changed)
    assert found["transpose"] == 1
    assert set(found) == {"transpose", "conv", "reduce_mean", "reshape", "softmax"}
    agree(graph, changed, random_inputs(graph, np.random.default_rng(0)), 1e-4)


def test_a_quantised_network_computes_on_codes_alone(shared_data: Path) -> None:
    graph = load_graph(shared_data / "models/onnx/derived_mobilenet_v1_0.25_224_qdq_u8.onnx")
    changed = optimize(graph)
    inside = [n for n in changed.nodes if n.op.name in ("conv", "add", "matmul")]
    assert inside
    assert all(str(v.tensor.element).startswith("q<i8") for n in inside for v in n.outputs)
    agree(graph, changed, random_inputs(graph, np.random.default_rng(0)), absolute=CODES)


@pytest.mark.parametrize(
    "name", ["mlperf_kws_int8", "mlperf_ic_resnet_int8", "mlperf_ad_int8", "hello_world_int8"]
)
def test_integer_models_keep_their_bits(name: str, shared_data: Path) -> None:
    graph = load_tflite(shared_data / f"models/tflite/{name}.tflite")
    agree(graph, optimize(graph), random_inputs(graph, np.random.default_rng(0)))
