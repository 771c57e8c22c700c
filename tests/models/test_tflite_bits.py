"""Integer models, imported and compiled to C, give the bits of TensorFlow Lite's reference code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import whet
from tests.models.engine import Engine

FOLDER = Path("models/tflite")
MICRO = [
    "hello_world_int8",
    "micro_speech_quantized",
    "har_cnn_int8",
    "mlperf_ad_int8",
    "mlperf_kws_int8",
    "mlperf_ic_resnet_int8",
    "mlperf_vww_int8",
    "mlperf_streaming_wakeword_int8",
    "person_detect",
    "mnist_lstm_int8",
    "micro_speech_lstm",
    "tf2_mobilenet_v2_1.0_224_ptq",
]
REFERENCE = [
    "mobilenet_v1_0.25_224_quant",
    "mobilenet_v1_0.5_160_quant",
    "mobilenet_v2_1.0_224_quant",
    "deeplabv3_mnv2_dm05_pascal_quant",
    "coco_ssd_mobilenet_v1_1.0_quant",
]
FLOAT = [
    "hello_world_float",
    "magic_wand",
    "mlperf_ad_fp32",
    "mlperf_ic_resnet_fp32",
    "mlperf_vww_fp32",
    "mnist_lstm_float",
    "mobilenet_v1_0.25_224_float",
    "deeplabv3_257",
    "mediapipe_face_detection_short_range",
    "mediapipe_face_landmark",
    "movie_review_nl_classifier",
]


def draws(engine: Engine, count: int) -> list[np.ndarray]:
    """Noise, and then smooth data: neighbouring values alike, as in images and spectrograms."""
    random = np.random.default_rng(1)
    spec = engine.inputs[0]
    low, high = np.iinfo(spec.dtype).min, np.iinfo(spec.dtype).max + 1
    made = [random.integers(low, high, spec.shape).astype(spec.dtype) for _ in range(count - 1)]
    walk = np.cumsum(random.integers(-3, 4, spec.shape), axis=-1)
    return [*made, (walk % (high - low) + low).astype(spec.dtype)]


def meaning(engine: Engine, x: np.ndarray) -> dict[str, object]:
    return whet.evaluate(engine.graph, {engine.inputs[0].name: x})


@pytest.mark.parametrize("name", MICRO)
def test_int8_model_gives_the_bits_of_tflite_micro(name: str, shared_data: Path) -> None:
    runtime = pytest.importorskip("tflite_micro").runtime
    engine = Engine(shared_data / FOLDER / f"{name}.tflite")
    oracle = runtime.Interpreter.from_file(str(engine.path))
    for i, x in enumerate(draws(engine, 8)):
        engine.reset()
        oracle.reset()
        oracle.set_input(x, 0)
        oracle.invoke()
        expected = oracle.get_output(0)
        np.testing.assert_array_equal(engine(x), expected)
        if i == 0:
            np.testing.assert_array_equal(meaning(engine, x)[engine.outputs[0].name], expected)


@pytest.mark.parametrize("name", REFERENCE)
def test_uint8_model_gives_the_bits_of_the_reference_kernels(name: str, shared_data: Path) -> None:
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    engine = Engine(shared_data / FOLDER / f"{name}.tflite")
    oracle = litert.Interpreter(
        str(engine.path), experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF
    )
    oracle.allocate_tensors()
    for x in draws(engine, 2):
        oracle.set_tensor(oracle.get_input_details()[0]["index"], x)
        oracle.invoke()
        made = engine.run({engine.inputs[0].name: x})
        for spec, detail in zip(engine.outputs, oracle.get_output_details(), strict=True):
            expected = oracle.get_tensor(detail["index"])
            if spec.name == "TFLite_Detection_PostProcess":  # the boxes pass through exp
                np.testing.assert_allclose(made[spec.name], expected, atol=1e-6)
            else:
                np.testing.assert_array_equal(made[spec.name], expected, spec.name)


@pytest.mark.parametrize("name", FLOAT)
def test_float_model_is_within_tolerance(name: str, shared_data: Path) -> None:
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    engine = Engine(shared_data / FOLDER / f"{name}.tflite")
    oracle = litert.Interpreter(
        str(engine.path), experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF
    )
    oracle.allocate_tensors()
    spec = engine.inputs[0]
    random = np.random.default_rng(2)
    x = random.uniform(-1, 1, spec.shape).astype(np.float32)
    if spec.dtype != np.float32:
        x = random.integers(0, 1000, spec.shape).astype(spec.dtype)
    oracle.set_tensor(oracle.get_input_details()[0]["index"], x)
    oracle.invoke()
    made = engine.run({spec.name: x})
    for result, detail in zip(engine.outputs, oracle.get_output_details(), strict=True):
        expected = oracle.get_tensor(detail["index"])
        scale = max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(made[result.name] / scale, expected / scale, atol=1e-5)


def test_audio_front_end_gives_the_bits_of_tflite_micro(shared_data: Path) -> None:
    runtime = pytest.importorskip("tflite_micro").runtime
    engine = Engine(shared_data / FOLDER / "micro_speech_audio_preprocessor_int8.tflite")
    oracle = runtime.Interpreter.from_file(str(engine.path))
    random = np.random.default_rng(2)
    tone = np.sin(np.arange(480) * 0.21) * 9000
    frames = [random.integers(-32768, 32768, 480), random.normal(0, 40, 480), tone, np.zeros(480)]
    frames += [tone + random.normal(0, 2.0**k, 480) for k in range(14)]
    for frame in frames:  # the noise estimate carries over from frame to frame
        x = np.clip(frame, -32768, 32767).astype(np.int16).reshape(1, 480)
        oracle.set_input(x, 0)
        oracle.invoke()
        np.testing.assert_array_equal(engine(x).reshape(-1), oracle.get_output(0).reshape(-1))
