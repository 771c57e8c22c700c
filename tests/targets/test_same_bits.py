"""An integer model prints the same bits on every target that can be emulated here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import whet
from whet.session.emulate import emulate, missing_program
from whet.targets.registry import targets

EMULATED = sorted(name for name, t in targets().items() if t.emulator is not None)


@pytest.mark.parametrize("name", EMULATED)
def test_keyword_spotting_has_the_same_bits(name: str, shared_data: Path) -> None:
    target = targets()[name]
    assert target.emulator is not None
    package = missing_program(target.emulator)
    if package:
        pytest.skip(f"install {package} to run {name}")
    graph = whet.import_model(shared_data / "models/tflite/mlperf_kws_int8.tflite")
    rng = np.random.default_rng(7)
    inputs = {
        v.node["name"]: rng.integers(-128, 128, v.shape).astype(np.int8) for v in graph.inputs
    }
    meaning = whet.evaluate(graph, inputs)
    printed = emulate(whet.compile(graph, target), inputs)
    for key in graph.output_names:
        np.testing.assert_array_equal(printed[key], meaning[key])


@pytest.mark.parametrize("name", EMULATED)
def test_layers_in_patches_have_the_same_bits(name: str, shared_data: Path) -> None:
    target = targets()[name]
    assert target.emulator is not None
    package = missing_program(target.emulator)
    if package:
        pytest.skip(f"install {package} to run {name}")
    graph = whet.import_model(shared_data / "models/tflite/mlperf_ic_resnet_int8.tflite")
    compiled = whet.compile(graph, target, ram=48_000)
    assert compiled.memory.arena_bytes <= 48_000 < whet.compile(graph, target).memory.arena_bytes
    rng = np.random.default_rng(9)
    inputs = {
        v.node["name"]: rng.integers(-128, 128, v.shape).astype(np.int8) for v in graph.inputs
    }
    meaning = whet.evaluate(graph, inputs)
    printed = emulate(compiled, inputs)
    for key in graph.output_names:
        np.testing.assert_array_equal(printed[key], meaning[key])
