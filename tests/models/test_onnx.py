"""Real ONNX models, compiled to C, give the known right answers on real inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from tests.models.engine import Engine
from tests.models.test_media_photos import PHOTOS, correct
from tests.models.test_tflite import digits, picture

FOLDER = Path("models/onnx")


def tensor(path: Path) -> np.ndarray:
    """An array stored as a TensorProto."""
    return numpy_helper.to_array(onnx.TensorProto.FromString(path.read_bytes()))


def test_mnist_gives_its_stored_results_and_reads_digits(shared_data: Path) -> None:
    reader = Engine(shared_data / FOLDER / "mnist_8/model.onnx")
    for folder in sorted((reader.path.parent).glob("test_data_set_*")):
        expected = tensor(folder / "output_0.pb")
        np.testing.assert_allclose(reader(tensor(folder / "input_0.pb")), expected, atol=5e-3)
    images, labels = digits(shared_data / "datasets/mnist", 2000)
    answers = [reader(image[None].astype(np.float32)).argmax() for image in images]
    assert np.mean(answers == labels) >= 0.984


def test_super_resolution_gives_its_stored_result(shared_data: Path) -> None:
    net = Engine(shared_data / FOLDER / "super_resolution_10/model.onnx", batch_size=1)
    folder = net.path.parent / "test_data_set_0"
    expected = tensor(folder / "output_0.pb")
    np.testing.assert_allclose(net(tensor(folder / "input_0.pb")), expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_boosted_trees(kind: str, shared_data: Path) -> None:
    trees = Engine(shared_data / FOLDER / f"tract_lgbm_{kind}_tensor/model.onnx", batch=1)
    stored = np.load(trees.path.parent / "io.npz")
    name = "probabilities" if kind == "classifier" else "output"
    made = trees.run({"input": stored["input"]})[name]
    np.testing.assert_allclose(made.reshape(stored[name].shape), stored[name], atol=1e-6)


def test_quantised_twin_recognises_photos(shared_data: Path) -> None:
    net = Engine(shared_data / FOLDER / "derived_mobilenet_v1_0.25_224_qdq_u8.onnx")

    def read(path: Path) -> int:
        x = picture(path, (224, 224)).transpose(0, 3, 1, 2) / 127.5 - 1
        return int(net(np.ascontiguousarray(x, np.float32)).argmax())

    assert len(PHOTOS) == 17
    assert correct(read, shared_data / "images") >= 12
