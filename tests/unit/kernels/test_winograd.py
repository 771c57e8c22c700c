"""Which convolutions go to Winograd, and that the graph keeps its meaning there."""

from __future__ import annotations

import numpy as np
import pytest

import whet
from whet.ir.element import F32
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.type import Type
from whet.kernels.tiling import winograd_outputs
from whet.ops.convolution import conv
from whet.ops.elementwise import add
from whet.targets.registry import targets
from whet.targets.target import Target

HOST = targets()["host"]
WIDE = Target("wide", "x86_64", "x86_64_v4", lanes=16, registers=32)


def residual(height: int, width: int, channels: int) -> Graph:
    """x + conv(x) + bias, a batch of 2."""
    rng = np.random.default_rng(3)
    x = parameter("x", Type((2, height, width, channels), F32))
    scale = np.float32(1 / (3 * channels**0.5))
    w = constant(rng.standard_normal((channels, 3, 3, channels), np.float32) * scale)
    bias = constant(rng.standard_normal(channels, np.float32))
    y = conv(x, w, bias, stride=(1, 1), dilation=(1, 1), low=(1, 1), high=(1, 1))
    return Graph((x,), (add(x, y),), ("y",))


@pytest.mark.skipif(HOST.lanes < 8 and HOST.registers < 32, reason="needs wide vectors")
@pytest.mark.parametrize(("height", "width", "channels"), [(28, 24, 32), (14, 14, 256)])
@pytest.mark.parametrize("threads", [1, 2])
def test_meaning_is_kept(height: int, width: int, channels: int, threads: int) -> None:
    graph = residual(height, width, channels)
    compiled = whet.compile(graph)
    assert "winograd_f32" in compiled.source
    x = np.random.default_rng(4).standard_normal((2, height, width, channels), np.float32)
    got = compiled.session(threads)({"x": x})["y"]
    want = whet.evaluate(graph, {"x": x})["y"]
    np.testing.assert_allclose(got, want, 5e-5, 5e-5)


def test_small_or_weight_bound_layers_stay_direct() -> None:
    assert winograd_outputs(56, 56, 64, 64, WIDE) == 4
    assert winograd_outputs(14, 14, 256, 256, WIDE) == 2
    assert winograd_outputs(7, 7, 512, 512, WIDE) == 0
    assert winograd_outputs(32, 32, 1, 4, WIDE) == 0
