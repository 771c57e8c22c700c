"""Random integer graphs: emitted, compiled C gives the bits of the meaning, in both roundings."""

from __future__ import annotations

import numpy as np
import pytest

import whet
from whet.ir.element import I8, I32, Quant
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.node import Value
from whet.ir.type import Type
from whet.ops import elementwise as e
from whet.ops.convert import convert
from whet.ops.convolution import conv
from whet.ops.matmul import matmul
from whet.ops.movement import concat, reshape
from whet.ops.normalization import softmax
from whet.ops.pooling import average_pool, max_pool
from whet.ops.reduction import reduce_mean


class Maker:
    """Grows a chain of quantised layers over images [1, h, w, c]."""

    def __init__(self, seed: int, rounding: str) -> None:
        self.random, self.rounding = np.random.default_rng(seed), rounding

    def element(self, scale: float | None = None) -> Quant:
        chosen = float(np.float32(scale or np.exp(self.random.uniform(-4.5, -2.5))))
        return Quant(I8, (chosen,), (int(self.random.integers(-40, 41)),), None, self.rounding)

    def weights(self, shape: tuple[int, ...], axis: int) -> Value:
        scales = np.float32(self.random.uniform(0.002, 0.02, shape[axis]))
        element = Quant(I8, tuple(map(float, scales)), (0,) * len(scales), axis, self.rounding)
        return constant(self.random.integers(-127, 128, shape, np.int8), element)

    def bias(self, x: Value, w: Value) -> Value:
        scale, codes = x.tensor.element, w.tensor.element
        assert isinstance(scale, Quant)
        assert isinstance(codes, Quant)
        scales = tuple(scale.scale[0] * s for s in codes.scale)
        element = Quant(I32, scales, (0,) * len(scales), 0, self.rounding)
        return constant(self.random.integers(-2000, 2000, len(scales)), element)

    def clamp(self) -> dict[str, tuple[int, int]]:
        return {"clamp": (-128, 90)} if self.random.integers(2) else {}

    def conv(self, x: Value) -> Value:
        size, stride = int(self.random.integers(1, 4)), int(self.random.integers(1, 3))
        channels = int(self.random.integers(1, 40))
        w = self.weights((channels, size, size, int(str(x.shape[-1]))), 0)
        return self.window(x, w, size, stride, 1)

    def depthwise(self, x: Value) -> Value:
        channels, size = int(str(x.shape[-1])), int(self.random.integers(2, 4))
        w = self.weights((channels, size, size, 1), 0)
        return self.window(x, w, size, int(self.random.integers(1, 3)), channels)

    def window(self, x: Value, w: Value, size: int, stride: int, groups: int) -> Value:
        return conv(
            x, w, self.bias(x, w), stride=(stride,) * 2, dilation=(1, 1), groups=groups,
            low=(size // 2,) * 2, high=(size // 2,) * 2, element=self.element(), **self.clamp(),
        )  # fmt: skip

    def add(self, x: Value) -> Value:
        return e.add(x, convert(x, to=self.element()), element=self.element(), **self.clamp())

    def mul(self, x: Value) -> Value:
        return e.mul(x, convert(x, to=self.element()), element=self.element())

    def pool(self, x: Value) -> Value:
        op = average_pool if self.random.integers(2) else max_pool
        return op(
            x, kernel=(2, 2), stride=(1, 1), dilation=(1, 1), low=(0, 0), high=(1, 1),
            element=x.tensor.element,
        )  # fmt: skip

    def concat(self, x: Value) -> Value:
        element = x.tensor.element
        return concat(x, convert(convert(x, to=self.element()), to=element), axis=3)

    def graph(self) -> Graph:
        side, channels = (int(v) for v in self.random.integers(5, 12, 2))
        x = parameter("x", Type((1, side, side, channels), self.element()))
        y, steps = x, (self.conv, self.depthwise, self.add, self.mul, self.pool, self.concat)
        for _ in range(4):
            y = steps[int(self.random.integers(len(steps)))](y)
        y = reduce_mean(y, axes=(1, 2), keep=False, element=self.element())
        y = reshape(y, shape=(1, int(str(y.shape[-1]))))
        w = self.weights((int(str(y.shape[-1])), 7), 1)
        y = matmul(y, w, self.bias(y, w), element=self.element(0.05))
        unit = Quant(I8, (1 / 256,), (-128,), None, self.rounding)
        return Graph((x,), (y, softmax(y, axis=1, element=unit)), ("logits", "scores"))


@pytest.mark.parametrize("rounding", ["single", "double"])
@pytest.mark.parametrize("seed", range(6))
def test_emitted_c_gives_the_bits_of_the_meaning(seed: int, rounding: str) -> None:
    maker = Maker(seed, rounding)
    graph = maker.graph()
    session = whet.compile(graph).session()
    for _ in range(3):
        x = maker.random.integers(-128, 128, graph.inputs[0].shape, np.int8)
        meant, made = whet.evaluate(graph, {"x": x}), session({"x": x})
        for name in graph.output_names:
            np.testing.assert_array_equal(made[name], meant[name], name)
