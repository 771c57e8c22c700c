"""Pipelines: files in, a model's exact inputs out; outputs in, tables and pictures out."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from whet.errors import InputError, ShapeError
from whet.media import TensorSpec, load_pipeline, parse_pipeline
from whet.media.tensor import Sample, conform

PIXELS = TensorSpec.of("image", (1, 4, 6, 3), np.int8, 1 / 128, -1)
PAIR = TensorSpec.of("pair", (1, 2), np.float32)
SCORES = TensorSpec.of("scores", (1, 4), np.uint8, 0.5, 2)
CONFIG = """
[input.image]
source = "image"
steps = [
  { step = "resize", height = 4, width = 6 },
  { step = "normalise", mean = 127.5, std = 127.5 },
]
[[view]]
kind = "classes"
output = "scores"
labels = ["ant", "bee", "cat"]
top = 2
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    pixels = np.arange(8 * 12 * 3, dtype=np.uint8).reshape(8, 12, 3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.save(tmp_path / "pair.npy", np.array([1.5, 2.5]))
    np.save(tmp_path / "codes.npy", np.full((4, 6, 3), 7, np.int8))
    np.savez(tmp_path / "both.npz", image=np.zeros((4, 6, 3), np.int8), pair=np.ones((1, 2)))
    (tmp_path / "pair.csv").write_text("x,y\n3,4\n")
    return tmp_path


def test_pictures_go_through_the_steps(files: Path) -> None:
    pipeline = parse_pipeline(CONFIG, [PIXELS, PAIR], [SCORES], "t")
    got = pipeline.read([files / "a.png", files / "pair.csv"])
    picture = Image.open(files / "a.png").resize((6, 4), Image.Resampling.BILINEAR)
    real = (np.asarray(picture).astype(np.float64) - 127.5) / 127.5
    expected = np.clip(np.rint(real * 128) - 1, -128, 127)
    assert got["image"].dtype == np.int8
    assert np.array_equal(got["image"], expected[None])
    assert got["pair"].tolist() == [[3.0, 4.0]]
    assert got["pair"].dtype == np.float32


def test_arrays_are_finished_inputs(files: Path) -> None:
    pipeline = parse_pipeline(CONFIG, [PIXELS, PAIR], [SCORES], "t")
    named = pipeline.read({"pair": files / "pair.npy", "image": files / "codes.npy"})
    assert named["pair"].tolist() == [[1.5, 2.5]]
    assert named["image"].shape == (1, 4, 6, 3)
    assert (named["image"] == 7).all()
    both = pipeline.read([files / "both.npz"])
    assert both["pair"].tolist() == [[1.0, 1.0]]


def test_array_sources_go_through_the_steps(files: Path) -> None:
    text = '[input.pair]\nsource="array"\nsteps=[{step="affine",scale=2,offset=[0,1]}]'
    pipeline = parse_pipeline(text, [PAIR], [SCORES], "t")
    assert pipeline.read([files / "pair.csv"])["pair"].tolist() == [[6.0, 9.0]]


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["a.png"], "an input has no file: pair"),
        (["a.png", "pair.npy", "pair.npy"], "too many input files"),
        (["pair.npy", "pair.npy"], "does not fit input image"),
        (["a.png", "a.png"], "input pair takes no image.*source"),
        (["a.png", "absent.npy"], "cannot read the input"),
        (["a.png", "odd.bin"], "unknown kind of input"),
    ],
)
def test_mistakes_are_one_line(files: Path, paths: list[str], message: str) -> None:
    (files / "odd.bin").write_bytes(b"\x00\x01")
    pipeline = parse_pipeline(CONFIG, [PIXELS, PAIR], [SCORES], "t")
    with pytest.raises(InputError, match=message) as caught:
        pipeline.read([files / path for path in paths])
    assert "\n" not in str(caught.value)


def test_names_must_be_the_models() -> None:
    images = TensorSpec.of("images", (1, 4, 6, 3), np.uint8)
    with pytest.raises(InputError, match="no input is named image; try: 'images'"):
        parse_pipeline(CONFIG, [images], [SCORES], "")
    with pytest.raises(InputError, match="no output is named scores"):
        parse_pipeline(CONFIG, [PIXELS], [PAIR], "")


def test_conform_keeps_values_or_refuses() -> None:
    floats = TensorSpec.of("x", (1, 2, 1), np.float32)
    assert conform(np.array([1, 2]), floats, "f").shape == (1, 2, 1)
    dynamic = TensorSpec.of("x", (-1, 2), np.float32)
    assert conform(np.zeros((5, 2)), dynamic, "f").shape == (5, 2)
    assert conform(np.zeros(2), dynamic, "f").shape == (1, 2)
    ids = TensorSpec.of("x", (2,), np.int32)
    assert conform(np.array([1.0, 2.0]), ids, "f").dtype == np.int32
    for spec, value in ((ids, [1.5, 2.0]), (ids, [1.0, 1e12]), (floats, [1.0, 2.0, 3.0])):
        with pytest.raises(InputError, match="does not fit input x"):
            conform(np.array(value), spec, "f")
    with pytest.raises(InputError):
        conform(np.array([1j, 2j]), floats, "f")
    text = '[input.x]\nsource="array"\nsteps=[{step="quantise"}]'
    step = parse_pipeline(text, [ids], [], "").config.inputs[0][1].steps[0]
    with pytest.raises(ShapeError, match="no scale"):
        step.apply(Sample(np.zeros(2)), ids)


def test_classes_are_dequantised_ranked_and_labelled() -> None:
    pipeline = parse_pipeline(CONFIG, [PIXELS], [SCORES, PAIR], "t")
    outputs = {"scores": np.array([[2, 6, 4, 10]], np.uint8), "pair": np.array([[1.0, 3.0]])}
    classes, values = pipeline.present(outputs).tables
    assert classes.rows == (("3", 4.0, 3), ("bee", 2.0, 1))
    assert values.to_json()["rows"] == [
        {"shape": "1x2", "min": 1.0, "mean": 2.0, "max": 3.0, "first": "1 3"}
    ]


def test_softmax_is_that_of_the_dequantised_scores() -> None:
    text = '[[view]]\nkind="classes"\noutput="scores"\nsoftmax=true\ntop=4'
    pipeline = parse_pipeline(text, [PIXELS], [SCORES], "t")
    rows = pipeline.present({"scores": np.array([[2, 6, 4, 10]], np.uint8)}).tables[0].rows
    real = np.exp([4.0, 2.0, 1.0, 0.0])
    assert [row[1] for row in rows] == pytest.approx(real / real.sum(), abs=1e-6)


def test_detections_keep_those_that_count() -> None:
    specs = [
        TensorSpec.of("b", (1, 3, 4), np.float32),
        TensorSpec.of("c", (1, 3), np.float32),
        TensorSpec.of("s", (1, 3), np.float32),
        TensorSpec.of("n", (1,), np.float32),
    ]
    text = (
        '[[view]]\nkind="detections"\nboxes="b"\nclasses="c"\nscores="s"\ncount="n"\nlabels=["dog"]'
    )
    pipeline = parse_pipeline(text, [], specs, "t")
    outputs = {
        "b": np.arange(12, dtype=np.float32).reshape(1, 3, 4) / 16,
        "c": np.zeros((1, 3), np.float32),
        "s": np.array([[0.9, 0.1, 0.8]], np.float32),
        "n": np.array([2.0], np.float32),
    }
    assert pipeline.present(outputs).tables[0].rows == (("dog", 0.9, 0.0, 0.0625, 0.125, 0.1875),)


def test_masks_become_a_picture_and_shares() -> None:
    spec = TensorSpec.of("m", (1, 2, 3, 4), np.float32)
    pipeline = parse_pipeline('[[view]]\nkind="mask"\noutput="m"\nlabels=["sky"]', [], [spec], "t")
    classes = np.array([[0, 0, 2], [3, 0, 0]])
    shown = pipeline.present({"m": np.eye(4, dtype=np.float32)[classes][None]})
    assert shown.tables[0].rows[0] == ("sky", pytest.approx(4 / 6, abs=1e-6), 0)
    ((name, data),) = shown.pictures
    assert name == "m.png"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), classes)


def test_the_toml_beside_the_model_is_found(files: Path) -> None:
    model = files / "net.onnx"
    model.write_bytes(b"")
    assert load_pipeline(model, [PIXELS], [SCORES]).config.inputs == ()
    (files / "net.toml").write_text(CONFIG)
    found = load_pipeline(model, [PIXELS], [SCORES])
    assert found.origin.endswith("net.toml")
    assert parse_pipeline(found.to_toml(), [PIXELS], [SCORES], "t").config == found.config
