"""Real quantised models, run by the integer definitions, give the oracle's output bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.conformance.integer.tflite_single_op import interpreter, run_micro
from tests.models import audio_walker
from tests.models.integer_walker import Walker

MODELS = [
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


@pytest.mark.parametrize("name", MODELS)
def test_model_gives_the_bits_of_tflite_micro(name: str, shared_data: Path) -> None:
    path = shared_data / "models" / "tflite" / f"{name}.tflite"
    if not path.exists():
        pytest.skip(f"no {path.name} in the shared data")
    rng = np.random.default_rng(1)
    walker = Walker(path, "double")
    i = int(walker.graph.inputs[0])
    store = walker.store(i)
    shape = tuple(walker.graph.tensors[i].shape)
    for draw in range(3):
        x = rng.integers(-128, 128, shape).astype(np.int8).view(store)
        if draw == 2:  # smooth data: neighbouring values alike, as in images and spectrograms
            x = (
                (np.cumsum(rng.integers(-3, 4, shape), axis=-1) % 256 - 128)
                .astype(np.int8)
                .view(store)
            )
        walker.values.clear()
        ours = walker.run(x)[0]
        np.testing.assert_array_equal(ours, run_micro(path.read_bytes(), [x])[0])


def test_audio_front_end_gives_the_bits_of_tflite_micro(shared_data: Path) -> None:
    path = shared_data / "models" / "tflite" / "micro_speech_audio_preprocessor_int8.tflite"
    if not path.exists():
        pytest.skip(f"no {path.name} in the shared data")
    rng = np.random.default_rng(2)
    walker = Walker(path, "double", audio_walker.STEPS)
    oracle = interpreter(path.read_bytes())
    tone = np.sin(np.arange(480) * 0.21) * 9000
    frames = [rng.integers(-32768, 32768, 480), rng.normal(0, 40, 480), tone, np.zeros(480)]
    frames += [tone + rng.normal(0, 2.0**k, 480) for k in range(14)]
    for frame in frames:  # the noise estimate carries over from frame to frame
        x = np.clip(frame, -32768, 32767).astype(np.int16).reshape(1, 480)
        walker.values.clear()
        oracle.set_input(x, 0)
        oracle.invoke()
        np.testing.assert_array_equal(walker.run(x)[0], oracle.get_output(0).reshape(-1))
