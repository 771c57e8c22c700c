"""A model that is malformed, unsafe or something else is one ModelError in one line."""

from __future__ import annotations

import io
import os
import pickle
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from whet.errors import ModelError
from whet.importers.onnx.load import load_model

F32 = TensorProto.FLOAT


def small_model() -> ModelProto:
    """y = relu(x + w), written by onnx's own helper."""
    weight = numpy_helper.from_array(np.array([1, -2], np.float32), "w")
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["x", "w"], ["s"], "sum"),
            helper.make_node("Relu", ["s"], ["y"], "act"),
        ],
        "small",
        [helper.make_tensor_value_info("x", F32, [2])],
        [helper.make_tensor_value_info("y", F32, [2])],
        [weight],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def changed(change: Callable[[ModelProto], object]) -> ModelProto:
    model = small_model()
    change(model)
    return model


def test_path_bytes_and_proto(tmp_path: Path) -> None:
    model = small_model()
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    for source in (path, str(path), path.read_bytes(), model):
        loaded = load_model(source)
        assert loaded.proto == model
        weight = loaded.tensor(loaded.proto.graph.initializer[0])
        np.testing.assert_array_equal(weight, [1, -2])


def test_external_data_is_found_beside_the_model(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(small_model(), path, save_as_external_data=True, location="w", size_threshold=0)
    loaded = load_model(path)
    weight = loaded.tensor(loaded.proto.graph.initializer[0])
    np.testing.assert_array_equal(weight, [1, -2])
    assert not weight.flags.owndata
    held = load_model(path.read_bytes())
    with pytest.raises(ModelError, match="without a directory"):
        held.tensor(held.proto.graph.initializer[0])


def zip_bytes() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("data.pkl", "x")
    return buffer.getvalue()


FOREIGN = {
    "ZIP archive": zip_bytes(),
    "Python pickle": pickle.dumps({"weights": [1.0]}),
    "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(64),
    "TensorFlow Lite": b"\x1c\0\0\0TFL3" + bytes(64),
    "GGUF": b"GGUF\x03\0\0\0" + bytes(64),
    "gzip": b"\x1f\x8b\x08" + bytes(32),
    "tar archive": bytes(257) + b"ustar\0" + bytes(250),
    "safetensors": (34).to_bytes(8, "little") + b'{"w":{"dtype":"F32"}}' + bytes(64),
    "Git LFS": b"version https://git-lfs.github.com/spec/v1\n",
    "web page": b"<!DOCTYPE html><html>",
    "text form": b"ir_version: 8\n",
    "empty": b"",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_other_formats_are_named(name: str) -> None:
    with pytest.raises(ModelError, match=name) as caught:
        load_model(FOREIGN[name])
    assert "\n" not in str(caught.value)


def test_what_is_not_a_model_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "nothing").touch()
    for name, message in [
        ("absent", "No such file"),
        ("pipe", "not a regular file"),
        ("nothing", "empty"),
        ("", "directory"),
        ("nul\0", "null byte"),
    ]:
        with pytest.raises(ModelError, match=message):
            load_model(os.path.join(tmp_path, name))


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "huge.onnx", "wb") as file:
        file.truncate(2**33)
    with pytest.raises(ModelError, match="protobuf's limit"):
        load_model(tmp_path / "huge.onnx")


def test_trailing_and_doubled_bytes() -> None:
    data = small_model().SerializeToString()
    for garbage in (b"\0", b"garbage", zip_bytes(), bytes(100)):
        with pytest.raises(ModelError, match=r"not an ONNX model|truncated"):
            load_model(data + garbage)
    with pytest.raises(ModelError, match="more than one model"):
        load_model(data + data)


def test_every_truncation_is_refused() -> None:
    data = small_model().SerializeToString()
    whole = load_model(data)
    lines = set()
    for length in range(1, len(data)):
        try:
            short = load_model(data[:length])
        except ModelError as error:
            lines.add(str(error).count("\n"))
        else:
            assert short.proto.graph == whole.proto.graph
    assert lines == {0}


def test_mutations_raise_nothing_else() -> None:
    data = small_model().SerializeToString()
    draw = random.Random(7)
    lines = set()
    for _ in range(2000):
        mutant = bytearray(data)
        for _ in range(draw.randint(1, 4)):
            mutant[draw.randrange(len(mutant))] = draw.randrange(256)
        try:
            loaded = load_model(bytes(mutant))
            for tensor in loaded.proto.graph.initializer:
                loaded.tensor(tensor)
        except ModelError as error:
            lines.add(str(error).count("\n"))
    assert lines == {0}


def nest(depth: int) -> onnx.GraphProto:
    graph = leaf = helper.make_graph([], "leaf", [], [])
    for _ in range(depth):
        node = helper.make_node("If", ["c"], ["r"], then_branch=graph, else_branch=leaf)
        graph = helper.make_graph([node], "branch", [], [])
    return graph


def swap_inputs(model: ModelProto) -> None:
    model.graph.node[0].input[0] = "y"


BROKEN: dict[str, Callable[[ModelProto], object]] = {
    "cyclic graph": swap_inputs,
    "value that nothing makes": lambda m: m.graph.node[0].input.__setitem__(0, "z"),
    "value made twice": lambda m: m.graph.node[1].output.__setitem__(0, "s"),
    "graph input named twice": lambda m: m.graph.input.append(m.graph.input[0]),
    "graph output named twice": lambda m: m.graph.output.append(m.graph.output[0]),
    "initialiser named twice": lambda m: m.graph.initializer.append(m.graph.initializer[0]),
    "initialiser without a name": lambda m: m.graph.initializer.add(),
    "unknown ONNX IR version": lambda m: setattr(m, "ir_version", 999),
    "unknown opset version": lambda m: setattr(m.opset_import[0], "version", 999),
    "two opset versions": lambda m: m.opset_import.add(domain="ai.onnx", version=3),
    "domain the model does not import": lambda m: setattr(m.graph.node[0], "domain", "x"),
    "wrong number of inputs": lambda m: m.graph.node[1].input.append("x"),
    "wrong number of outputs": lambda m: m.graph.node[1].output.append("x"),
    "unknown attribute": lambda m: m.graph.node[1].attribute.add(name="alpha", type=1),
    "attribute given twice": lambda m: [
        m.graph.node[1].attribute.add(name="a", type=1) for _ in range(2)
    ],
    "node without an op": lambda m: setattr(m.graph.node[1], "op_type", ""),
    "negative dimension": lambda m: setattr(
        m.graph.input[0].type.tensor_type.shape.dim[0], "dim_value", -5
    ),
    "absurd size": lambda m: setattr(
        m.graph.input[0].type.tensor_type.shape.dim[0], "dim_value", 2**62
    ),
    "nested too deep": lambda m: m.graph.node.extend(nest(20).node),
    "required attribute is missing": lambda m: m.graph.node.append(
        helper.make_node("Cast", ["x"], ["k"])
    ),
    "attribute of the wrong type": lambda m: m.graph.node.append(
        helper.make_node("Cast", ["x"], ["k"], to=1.0)
    ),
}


@pytest.mark.parametrize("message", BROKEN)
def test_broken_models(message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        load_model(changed(BROKEN[message]).SerializeToString())
    assert "\n" not in str(caught.value)


def test_messages_name_the_layer() -> None:
    with pytest.raises(ModelError, match="Relu 'act'"):
        load_model(changed(BROKEN["wrong number of inputs"]))


def test_unsorted_nodes_are_sorted_in_a_copy() -> None:
    model = small_model()
    nodes = list(model.graph.node)[::-1]
    shuffled = changed(lambda m: m.graph.ClearField("node") or m.graph.node.extend(nodes))
    before = shuffled.SerializeToString()
    assert [node.name for node in load_model(shuffled).proto.graph.node] == ["sum", "act"]
    assert shuffled.SerializeToString() == before


def with_functions(bodies: dict[str, list[onnx.NodeProto]], call: str) -> ModelProto:
    model = small_model()
    del model.graph.node[:]
    model.graph.node.append(helper.make_node(call, ["x"], ["y"], domain="local"))
    model.opset_import.add(domain="local", version=1)
    opsets = list(model.opset_import)
    for name, body in bodies.items():
        model.functions.append(helper.make_function("local", name, ["a"], ["b"], body, opsets))
    return model


def test_local_functions_are_inlined() -> None:
    double = [helper.make_node("Add", ["a", "a"], ["b"])]
    quadruple = [
        helper.make_node("double", ["a"], ["t"], domain="local"),
        helper.make_node("double", ["t"], ["b"], domain="local"),
    ]
    model = with_functions({"double": double, "quadruple": quadruple}, "quadruple")
    loaded = load_model(model.SerializeToString()).proto
    assert [node.op_type for node in loaded.graph.node] == ["Add", "Add"]
    assert not loaded.functions
    x = np.array([1, -2], np.float32)
    np.testing.assert_array_equal(ReferenceEvaluator(loaded).run(None, {"x": x})[0], 4 * x)


def test_functions_that_never_end() -> None:
    loop = {"f": [helper.make_node("f", ["a"], ["b"], domain="local")]}
    with pytest.raises(ModelError, match="calls itself"):
        load_model(with_functions(loop, "f"))
    growing = {"f0": [helper.make_node("Relu", ["a"], ["b"])]}
    for level in range(1, 40):
        growing[f"f{level}"] = [
            helper.make_node(f"f{level - 1}", ["a"], ["t"], domain="local"),
            helper.make_node(f"f{level - 1}", ["t"], ["b"], domain="local"),
        ]
    with pytest.raises(ModelError, match="too many nodes"):
        load_model(with_functions(growing, "f39"))
