"""Real ONNX models, compiled to C, give the known right answers on real inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

import whet
from tests.models.engine import Engine
from tests.models.test_media_photos import PHOTOS, correct
from tests.models.test_tflite import digits, picture
from whet.media.audio import decode_wav

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


def ratio(clean: np.ndarray, heard: np.ndarray) -> float:
    """Signal to noise in dB."""
    return float(10 * np.log10(np.sum(clean**2) / np.sum((heard - clean) ** 2)))


def denoised(first: Engine, second: Engine, noisy: np.ndarray) -> np.ndarray:
    """DTLN over blocks of 512 samples every 128: a mask on the spectrum, then on features."""
    states = [np.zeros((1, 2, 128, 2), np.float32) for _ in range(2)]
    block, made, out = np.zeros(512, np.float32), np.zeros(512, np.float32), []
    names = [spec.name for spec in (*first.inputs, *second.inputs)]
    results = [spec.name for spec in (*first.outputs, *second.outputs)]
    for start in range(0, len(noisy) - 127, 128):
        block = np.concatenate([block[128:], noisy[start : start + 128]])
        spectrum = np.fft.rfft(block)
        magnitude = np.abs(spectrum).astype(np.float32).reshape(1, 1, 257)
        masked = first.run({names[0]: magnitude, names[1]: states[0]})
        states[0] = masked[results[1]]
        estimate = np.fft.irfft(spectrum * masked[results[0]].reshape(-1)).astype(np.float32)
        cleaned = second.run({names[2]: estimate.reshape(1, 1, 512), names[3]: states[1]})
        states[1] = cleaned[results[3]]
        made = np.concatenate([made[128:], np.zeros(128, np.float32)])
        made = made + cleaned[results[2]].reshape(-1)
        out.append(made[:128])
    return np.concatenate(out)


def test_speech_is_cleaned(shared_data: Path) -> None:
    first, second = (Engine(shared_data / FOLDER / f"dtln_{i}.onnx") for i in (1, 2))
    wave, rate = decode_wav((shared_data / "audio/jfk.wav").read_bytes(), "wav")
    assert rate == 16000
    clean = wave.reshape(-1)[: 6 * rate].astype(np.float32)
    noise = np.random.default_rng(0).normal(0, 1, clean.shape).astype(np.float32)
    noise *= np.sqrt(np.sum(clean**2) / np.sum(noise**2)) * 10 ** (-5 / 20)
    noisy = clean + noise
    assert ratio(clean, noisy) == pytest.approx(5.0, abs=0.01)
    heard = denoised(first, second, noisy)
    delay = 384
    assert ratio(clean[: len(heard) - delay], heard[delay:]) > 14.0


def test_silero_hears_speech_as_onnx_runtime_does(shared_data: Path) -> None:
    model = shared_data / FOLDER / "silero_vad.onnx"
    rate, context, frame = 16000, 64, 512
    sizes = {"input.0": 1, "input.1": context + frame, "state.1": 1, "sr": rate}
    session = whet.compile(model, sizes=sizes).session()
    peer = onnxruntime.InferenceSession(model)

    def speech(name: str) -> np.ndarray:
        samples, found_rate = decode_wav((shared_data / "audio" / name).read_bytes(), name)
        assert found_rate == rate
        wave = np.concatenate([np.zeros(context), samples.reshape(-1)]).astype(np.float32)
        ours = peers = np.zeros((2, 1, 128), np.float32)
        heard = []
        for start in range(0, len(wave) - context - frame + 1, frame):
            x = wave[None, start : start + context + frame]
            made = session({"input": x, "state": ours})
            probability, peers = peer.run(None, {"input": x, "state": peers, "sr": np.array(rate)})
            np.testing.assert_allclose(made["output"], probability, atol=1e-3)
            ours = made["stateN"]
            heard.append(float(made["output"][0, 0]))
        return np.array(heard)

    assert (speech("jfk.wav") > 0.5).mean() > 0.6
    assert speech("noise_1000ms.wav").max() <= 0.05
