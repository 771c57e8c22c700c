"""Pictures through the declared steps into real networks, compiled to C."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from tests.models.engine import Engine
from whet.media import load_pipeline, parse_pipeline

CATS, DOGS, SONGBIRDS = (282, 283, 286), range(152, 270), range(11, 21)
PHOTOS: Mapping[str, tuple[int, ...] | range] = {
    "bird.bmp": (20,),
    "burger.jpg": (934,),
    "cat.bmp": CATS,
    "cat_test_0.bmp": CATS,
    "cat_train_0.bmp": CATS,
    "dog_test_0.bmp": DOGS,
    "dog_train_0.bmp": DOGS,
    "dragonfly.bmp": (320,),
    "grace_hopper.bmp": (653,),
    "hot_dog.jpg": (935,),
    "hotdog_test_0.bmp": (935,),
    "hotdog_train_0.bmp": (935,),
    "hotdog_train_1.bmp": (935,),
    "owl.jpg": (25,),
    "parrot.jpg": (89,),
    "sparrow.png": SONGBIRDS,
    "sunflower.bmp": (986,),
}
FLOAT = """
[input."{input}"]
source = "image"
steps = [
  {{ step = "resize", height = 224, width = 224 }},
  {{ step = "normalise", mean = 127.5, std = 127.5 }},
  {{ step = "layout", order = "{order}" }},
]
[[view]]
kind = "classes"
output = "{output}"
labels = "imagenet_labels.txt"
"""


def correct(read: Callable[[Path], int], images: Path) -> int:
    """How many of the photos have the right class first."""
    return sum(read(images / name) in known for name, known in PHOTOS.items())


@pytest.mark.parametrize(
    ("model", "right"),
    [
        # One more than TensorFlow Lite's default delegate, whose bits are not the reference ones.
        ("mobilenet_v1_0.25_224_quant", 13),
        ("mobilenet_v1_0.5_160_quant", 13),
        ("mobilenet_v2_1.0_224_quant", 15),
        ("tf2_mobilenet_v2_1.0_224_ptq", 15),
    ],
)
def test_metadata_alone_gives_the_known_answers(shared_data: Path, model: str, right: int) -> None:
    engine = Engine(shared_data / f"models/tflite/{model}.tflite")
    pipeline = load_pipeline(engine.path, engine.inputs, engine.outputs)

    def read(path: Path) -> int:
        return int(pipeline.present(engine.run(pipeline.read([path]))).tables[0].rows[0][2])

    assert correct(read, shared_data / "images") == right


def test_float_twins_agree_through_their_toml(shared_data: Path, tmp_path: Path) -> None:
    labels = (shared_data / "images/labels/imagenet_labels.txt").read_bytes()
    (tmp_path / "imagenet_labels.txt").write_bytes(labels)
    engine = Engine(shared_data / "models/tflite/mobilenet_v1_0.25_224_float.tflite")
    lite_toml = tmp_path / "lite.toml"
    names = {"input": engine.inputs[0].name, "output": engine.outputs[0].name}
    lite_toml.write_text(FLOAT.format(order="NHWC", **names))
    lite = load_pipeline(engine.path, engine.inputs, engine.outputs, lite_toml)

    twin = Engine(shared_data / "models/onnx/derived_mobilenet_v1_0.25_224_f32.onnx")
    onnx_toml = tmp_path / "onnx.toml"
    names = {"input": twin.inputs[0].name, "output": twin.outputs[0].name}
    onnx_toml.write_text(FLOAT.format(order="NCHW", **names))
    onnx = load_pipeline(twin.path, twin.inputs, twin.outputs, onnx_toml)

    def read(path: Path) -> int:
        rows = lite.present(engine.run(lite.read([path]))).tables[0].rows
        twins = onnx.present(twin.run(onnx.read([path]))).tables[0].rows
        assert twins[0][0] == rows[0][0], path
        return int(rows[0][2])

    assert correct(read, shared_data / "images") == 12


def test_detections_come_with_names_and_places(shared_data: Path) -> None:
    engine = Engine(shared_data / "models/tflite/coco_ssd_mobilenet_v1_1.0_quant.tflite")
    pipeline = load_pipeline(engine.path, engine.inputs, engine.outputs)
    picture = shared_data / "images/cats_and_dogs.jpg"
    rows = pipeline.present(engine.run(pipeline.read([picture]))).tables[0].rows
    assert [row[0] for row in rows[:5]] == ["cat", "cat", "cat", "dog", "dog"]
    # Scores and box of LiteRT's reference kernels; its default delegate is three steps of 1/256
    # and seven pixels away.
    assert [row[1] for row in rows[:4]] == pytest.approx([0.656, 0.621, 0.539, 0.500], abs=2e-3)
    from PIL import Image

    width, height = Image.open(picture).size
    top, left, bottom, right = (float(edge) for edge in rows[0][2:])
    box = (left * width, top * height, (right - left) * width, (bottom - top) * height)
    assert box == pytest.approx((51.2, 398.1, 392.5, 196.3), abs=0.5)


def test_segmentation_gives_the_golden_mask(shared_data: Path) -> None:
    from PIL import Image

    engine = Engine(shared_data / "models/tflite/deeplabv3_257.tflite")
    pipeline = load_pipeline(engine.path, engine.inputs, engine.outputs)
    shown = pipeline.present(
        engine.run(pipeline.read([shared_data / "images/segmentation_input_rotation0.jpg"]))
    )
    assert {row[0] for row in shown.tables[0].rows} == {"background", "person", "horse"}
    ((_, png),) = shown.pictures
    golden = np.asarray(Image.open(shared_data / "images/segmentation_golden_rotation0.png"))
    mask = np.asarray(Image.open(io.BytesIO(png)))
    assert (mask.astype(int) * 10 == golden).mean() > 0.99


def test_small_photos_are_recognised(shared_data: Path) -> None:
    engine = Engine(shared_data / "models/tflite/mlperf_ic_resnet_int8.tflite")
    text = f"""
    [input."{engine.inputs[0].name}"]
    source = "image"
    steps = [
      {{ step = "resize", height = 32, width = 32 }},
      {{ step = "affine", scale = 1 }},
    ]
    [[view]]
    kind = "classes"
    output = "{engine.outputs[0].name}"
    labels = ["plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    """
    pipeline = parse_pipeline(text, engine.inputs, engine.outputs, "resnet")
    known = {"cat": ["cat.bmp", "cat_test_0.bmp", "cat_train_0.bmp"]}
    known["bird"] = ["bird.bmp", "parrot.jpg", "owl.jpg", "sparrow.png", "bird_segmentation.bmp"]
    known["dog"] = ["dog_test_0.bmp", "dog_train_0.bmp"]
    right = sum(
        pipeline.present(engine.run(pipeline.read([shared_data / "images" / name])))
        .tables[0].rows[0][0] == label
        for label, names in known.items()
        for name in names
    )  # fmt: skip
    assert right >= 9
