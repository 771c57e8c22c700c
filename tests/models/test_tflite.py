"""Real TFLite models, compiled to C, give the known right answers on real inputs."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pytest

from tests.models.engine import Engine
from whet.media.tensor import TensorSpec, dequantise, quantise

FOLDER = Path("models/tflite")


def engine(shared_data: Path, name: str) -> Engine:
    return Engine(shared_data / FOLDER / f"{name}.tflite")


def stored(real: np.ndarray, spec: TensorSpec) -> np.ndarray:
    """Real numbers as the input holds them."""
    return quantise(real, spec) if spec.scale else real.astype(spec.dtype)


def picture(path: Path, size: tuple[int, int], mode: str = "RGB") -> np.ndarray:
    """A photo as [1, height, width, channels] in 0..255."""
    image = pytest.importorskip("PIL.Image").open(path).convert(mode).resize(size, 2)
    return np.asarray(image, np.float32).reshape(1, size[1], size[0], len(mode))


def digits(folder: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first MNIST test images, 0..255 [count, 1, 28, 28], and their labels."""
    pixels = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())
    images = np.frombuffer(pixels, np.uint8, count * 784, 16).reshape(-1, 1, 28, 28)
    return images, np.frombuffer(labels, np.uint8, count, 8)


@pytest.mark.parametrize(("name", "least"), [("mlperf_kws_int8", 901), ("mlperf_kws_fp32", 900)])
def test_keywords_are_spotted(name: str, least: int, shared_data: Path) -> None:
    spotter = engine(shared_data, name)
    codes = Engine(shared_data / FOLDER / "mlperf_kws_int8.tflite").inputs[0]
    data = np.load(shared_data / "datasets/kws01_features.npz")
    right = 0
    for features, label in zip(data["x"], data["y"], strict=True):
        x = features.reshape(1, 49, 10, 1)
        x = x if spotter.inputs[0].scale else dequantise(x, codes).astype(np.float32)
        right += int(spotter(x).argmax() == label)
    assert right >= least


@pytest.mark.parametrize(("name", "least"), [("mnist_lstm_float", 923), ("mnist_lstm_int8", 922)])
def test_lstm_reads_digits(name: str, least: int, shared_data: Path) -> None:
    reader = engine(shared_data, name)
    folder = shared_data / "datasets/mnist"
    right = 0
    for image, label in zip(*digits(folder, 1000), strict=True):
        reader.reset()
        right += int(reader(stored(image / np.float32(255), reader.inputs[0])).argmax() == label)
    assert right >= least


@pytest.mark.parametrize(("name", "most"), [("hello_world_float", 0.1), ("hello_world_int8", 0.12)])
def test_sine(name: str, most: float, shared_data: Path) -> None:
    sine = engine(shared_data, name)
    angles = np.linspace(0, 2 * np.pi, 200, dtype=np.float32)
    values = [sine(stored(a.reshape(1, 1), sine.inputs[0])) for a in angles]
    spec = sine.outputs[0]
    reals = [float((dequantise(v, spec) if spec.scale else v).reshape(())) for v in values]
    assert np.abs(np.array(reals) - np.sin(angles)).max() < most


@pytest.mark.parametrize(("gesture", "index", "score"), [("ring", 1, 0.80), ("slope", 2, 0.95)])
def test_gestures(gesture: str, index: int, score: float, shared_data: Path) -> None:
    scores = engine(shared_data, "magic_wand")(
        np.load(shared_data / f"datasets/sensor/magic_wand_{gesture}.npy")
    )[0]
    assert scores.argmax() == index
    assert scores[index] == pytest.approx(score, abs=0.006)


def test_micro_speech_hears_yes_and_no(shared_data: Path) -> None:
    words = engine(shared_data, "micro_speech_quantized")
    features = shared_data / "datasets/audio_features"
    assert words(np.load(features / "micro_speech_yes.npy")).tolist()[0][2] == 127
    assert words(np.load(features / "micro_speech_no.npy")).tolist()[0][3] == 114
    recurrent = engine(shared_data, "micro_speech_lstm")
    for name, index in (("yes", 0), ("no", 1)):
        recurrent.reset()
        scores = recurrent(np.load(features / f"micro_speech_lstm_{name}.npy"))[0]
        assert scores.argmax() == index
        assert scores[index] == 127


def test_wake_word_windows(shared_data: Path) -> None:
    wake = engine(shared_data, "mlperf_streaming_wakeword_int8")
    data = np.load(shared_data / "datasets/mlperf_sww_calibration_samples.npz")
    right = 0
    for window, label in zip(data["specs"], data["labels"], strict=True):
        x = stored(window.astype(np.float32).reshape(wake.inputs[0].shape), wake.inputs[0])
        right += int(wake(x).argmax() == label)
    assert right == 41


def test_persons(shared_data: Path) -> None:
    detector = engine(shared_data, "person_detect")
    for name, scores in (("person", [-113, 113]), ("no_person", [57, -57])):
        gray = picture(shared_data / f"images/{name}.bmp", (96, 96), "L")
        x = gray.astype(np.uint8).view(np.int8)
        assert detector(x).reshape(-1).tolist() == scores


@pytest.mark.parametrize("name", ["mlperf_vww_fp32", "mlperf_vww_int8"])
def test_visual_wake_words(name: str, shared_data: Path) -> None:
    wake = engine(shared_data, name)
    known = {"grace_hopper": 0.89, "cat": 0.03, "burger.jpg": 0.04, "dragonfly": 0.04, "bird": 0.61}
    for photo, person in known.items():
        path = shared_data / "images" / (photo if "." in photo else f"{photo}.bmp")
        x = stored(picture(path, (96, 96)) / 255, wake.inputs[0])
        spec = wake.outputs[0]
        scores = wake(x)[0]
        score = (dequantise(scores, spec) if spec.scale else scores)[1]
        assert score == pytest.approx(person, abs=0.04), photo


def test_anomalies_of_the_codes_follow_those_of_the_floats(shared_data: Path) -> None:
    real, codes = (engine(shared_data, f"mlperf_ad_{kind}") for kind in ("fp32", "int8"))
    random = np.random.default_rng(3)
    errors = []
    for level in (-40.0, -25.0, -10.0):
        x = (level + random.normal(0, 4, (1, 640))).astype(np.float32)
        near = dequantise(codes(quantise(x, codes.inputs[0])), codes.outputs[0])
        errors.append((float(np.mean((x - real(x)) ** 2)), float(np.mean((x - near) ** 2))))
    for exact, near in errors:
        assert near == pytest.approx(exact, rel=0.15)


def test_small_photos_are_recognised_by_the_float_net(shared_data: Path) -> None:
    net = engine(shared_data, "mlperf_ic_resnet_fp32")
    cats = ("cat.bmp", "cat_test_0.bmp", "cat_train_0.bmp")
    birds = ("bird.bmp", "parrot.jpg", "owl.jpg", "sparrow.png", "bird_segmentation.bmp")
    for names, label in ((cats, 3), (birds, 2)):
        for name in names:
            x = picture(shared_data / "images" / name, (32, 32))
            assert net(x).argmax() == label, name


def test_birds_mask(shared_data: Path) -> None:
    net = engine(shared_data, "deeplabv3_mnv2_dm05_pascal_quant")
    truth = picture(shared_data / "images/bird_segmentation_mask.bmp", (513, 513), "L")[0, :, :, 0]
    x = picture(shared_data / "images/bird_segmentation.bmp", (513, 513)).astype(np.uint8)
    bird, found = truth == 3, net(x)[0] == 3
    assert (bird & found).sum() / (bird | found).sum() > 0.80


def test_faces(shared_data: Path) -> None:
    finder = engine(shared_data, "mediapipe_face_detection_short_range")
    best = {}
    for name in ("grace_hopper", "cat"):
        x = picture(shared_data / f"images/{name}.bmp", (128, 128)) / 127.5 - 1
        logits = finder.run({finder.inputs[0].name: x})["classificators"]
        best[name] = 1 / (1 + np.exp(-logits.max()))
    assert best["grace_hopper"] > 0.85
    assert best["cat"] == pytest.approx(0.23, abs=0.05)


def test_reviews(shared_data: Path) -> None:
    judge = engine(shared_data, "movie_review_nl_classifier")
    lines = (shared_data / FOLDER / "movie_review_vocab.txt").read_text("utf-8").split("\n")
    words = {word: int(i) for word, _, i in (line.rpartition(" ") for line in lines if line)}

    def scores(text: str) -> np.ndarray:
        tokens = [t for t in re.split(r"[^\w']+", text) if t]
        ids = [words["<START>"], *(words.get(t, words["<UNKNOWN>"]) for t in tokens)][:256]
        return judge(np.array([[*ids, *[words["<PAD>"]] * (256 - len(ids))]], np.int32))[0]

    assert scores("What a waste of my time.")[0] == pytest.approx(0.813130, abs=1e-5)
    liked = "This is the best movie I’ve seen in recent years. Strongly recommend it!"
    assert scores(liked)[1] == pytest.approx(0.513427, abs=1e-5)
