"""Real quantised models, run by the integer definitions, give the oracle's output bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.conformance.integer.tflite_single_op import run_micro
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
