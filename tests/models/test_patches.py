"""Real models in little memory: the arena that was asked for, and the bits of the whole model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import whet
from whet.session.samples import random_inputs

FOLDER = "models/tflite"
CASES = {
    "mobilenet_v2_1.0_224_quant": 200_000,
    "mobilenet_v1_0.25_224_quant": 64_000,
    "mlperf_vww_int8": 24_000,
}
SMALLEST = "mlperf_vww_int8"
LARGER, SLOW = sorted(CASES.keys() - {SMALLEST}), pytest.mark.slow


@pytest.mark.parametrize("name", [SMALLEST, *(pytest.param(n, marks=SLOW) for n in LARGER)])
def test_a_model_fits_and_keeps_its_bits(name: str, shared_data: Path) -> None:
    graph = whet.import_model(shared_data / FOLDER / f"{name}.tflite")
    whole, small = whet.compile(graph), whet.compile(graph, ram=CASES[name])
    assert small.memory.arena_bytes <= CASES[name] < whole.memory.arena_bytes / 2
    ports = whole.program.inputs
    inputs = dict(zip([p.name for p in ports], random_inputs(ports, 3), strict=True))
    expected, made = whole.session()(inputs), small.session()(inputs)
    for key, value in expected.items():
        np.testing.assert_array_equal(made[key], value, err_msg=key)
