"""Random chains of layers over an image, in floats or in int8 codes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from whet.ir.element import F32, I8, I32, Element, Quant
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.node import Value
from whet.ir.type import Type
from whet.ops.convert import convert
from whet.ops.convolution import conv
from whet.ops.elementwise import add, maximum
from whet.ops.movement import concat, pad, transpose
from whet.ops.pooling import average_pool, max_pool

CODES = Quant(I8, (0.05,), (3,))


@dataclass
class Chain:
    """A random chain of layers over an image, in floats or in int8 codes."""

    seed: int
    quantized: bool
    random: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)

    def graph(self, layers: int = 5) -> Graph:
        size = tuple(int(n) for n in self.random.integers(9, 16, 2))
        first = self.random.random() < 0.5
        shape = (1, 3, *size) if first else (1, *size, 3)
        x = y = parameter("x", Type(shape, F32))
        if self.quantized:
            y = convert(y, to=CODES)
        y = transpose(y, perm=(0, 2, 3, 1)) if first else y
        for _ in range(layers):
            makers = (self.conv, self.conv, self.depthwise, self.residual, self.pool, self.other)
            y = makers[int(self.random.integers(len(makers)))](y)
        return Graph((x,), (convert(y, to=F32) if self.quantized else y,), ("y",))

    def conv(self, x: Value, groups: int = 1, same: bool = False) -> Value:
        channels = int(str(x.shape[-1]))
        outs = channels if same or groups > 1 else int(self.random.integers(2, 6))
        taps = [int(n) for n in self.random.integers(1, 4, 2)]
        dilation = [int(n) for n in self.random.integers(1, 3, 2)]
        stride = [1, 1] if same else [int(n) for n in self.random.integers(1, 3, 2)]
        reached = [d * (k - 1) for d, k in zip(dilation, taps, strict=True)]
        low = [int(self.random.integers(0, r + 1)) for r in reached]
        high = [r - a for r, a in zip(reached, low, strict=True)]
        if not same and min(int(str(d)) for d in x.shape[1:3]) < 6:
            stride = [1, 1]
        w = self.weights((outs, *taps, channels // groups))
        attrs = {"element": self.codes()} if self.quantized else {}
        bias = self.bias(x, w) if self.random.random() < 0.7 else None
        return conv(
            x, w, bias, stride=tuple(stride), dilation=tuple(dilation), low=tuple(low),
            high=tuple(high), groups=groups, **attrs,
        )  # fmt: skip

    def depthwise(self, x: Value) -> Value:
        return self.conv(x, groups=int(str(x.shape[-1])))

    def residual(self, x: Value) -> Value:
        y = self.conv(self.conv(x, same=True), same=True)
        return add(y, x, **({"element": self.codes()} if self.quantized else {}))

    def pool(self, x: Value) -> Value:
        op = max_pool if self.random.random() < 0.5 else average_pool
        attrs = {"element": x.tensor.element} if self.quantized else {}
        more = {"count_pad": True} if op is average_pool and not self.quantized else {}
        return op(
            x, kernel=(2, 3), stride=(1, 1), dilation=(1, 1), low=(1, 0), high=(0, 2), **more,
            **attrs,
        )  # fmt: skip

    def other(self, x: Value) -> Value:
        if self.quantized:
            return concat(x, convert(x, to=x.tensor.element), axis=3)
        y = pad(x, constant(np.float32(1)), low=(0, 1, 0, 0), high=(0, 0, 2, 0))
        return maximum(y, constant(np.float32(-0.5)))

    def codes(self) -> Quant:
        scale = float(np.float32(np.exp(self.random.uniform(-3.5, -2.5))))
        return Quant(I8, (scale,), (int(self.random.integers(-20, 21)),))

    def weights(self, shape: tuple[int, ...]) -> Value:
        if not self.quantized:
            return constant(self.random.normal(0, 0.5, shape).astype(np.float32))
        scales = tuple(map(float, np.float32(self.random.uniform(0.002, 0.02, shape[0]))))
        codes = self.random.integers(-127, 128, shape).astype(np.int8)
        return constant(codes, Quant(I8, scales, (0,) * len(scales), 0))

    def bias(self, x: Value, w: Value) -> Value:
        element: Element = F32
        if not self.quantized:
            return constant(self.random.normal(0, 0.5, w.shape[:1]).astype(np.float32))
        by, codes = x.tensor.element, w.tensor.element
        assert isinstance(by, Quant)
        assert isinstance(codes, Quant)
        scales = tuple(by.scale[0] * s for s in codes.scale)
        element = Quant(I32, scales, (0,) * len(scales), 0)
        return constant(self.random.integers(-2000, 2000, len(scales)).astype(np.int32), element)
