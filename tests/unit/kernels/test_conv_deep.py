"""Which convolutions sum in chunks: where panels of weights are large for the second cache."""

from __future__ import annotations

import numpy as np
import pytest

from whet.ir.element import F32
from whet.ir.leaf import constant, parameter
from whet.ir.type import Type
from whet.kernels.kernel import load_all, lower
from whet.ops.convolution import conv
from whet.targets.target import Target

WIDE = Target("wide", "x86_64", "x86_64_v4", lanes=16, registers=32)


@pytest.mark.parametrize(
    ("side", "channels", "outputs", "kernel"),
    [(14, 512, 64, "conv_deep_f32"), (14, 64, 64, "conv_f32"), (2, 512, 64, "conv_f32")],
)
def test_long_sums_over_several_rows(side: int, channels: int, outputs: int, kernel: str) -> None:
    load_all()
    x = parameter("x", Type((1, side, side, channels), F32))
    w = constant(np.ones((outputs, 3, 3, channels), np.float32))
    y = conv(x, w, stride=(2, 2), dilation=(1, 1), low=(1, 1), high=(1, 1))
    assert lower(y.node, WIDE).kernel == kernel
