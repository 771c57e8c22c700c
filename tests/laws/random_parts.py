"""Random graphs of parts: channels cut from wider values and joined to wider ones, between products
that make them, residual sums, pools and small elementwise steps that read them."""

from __future__ import annotations

import random

import numpy as np

from whet.ir.dim import static_shape
from whet.ir.element import F32
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.node import Value
from whet.ir.type import Type
from whet.ops.convolution import conv
from whet.ops.elementwise import add, maximum, mul, sigmoid, tanh
from whet.ops.matmul import matmul
from whet.ops.movement import concat, reshape, slice_op
from whet.ops.pooling import max_pool

WIDTHS = (1, 3, 7, 8, 16, 17, 24, 33)
WIDEST, HIGHEST = 120, 60


class Parts:
    """Grows one graph of float images [N, H, W, C] and, behind reshapes, rows [N, H * W, C].

    Values are picked from all that were made, mostly late ones, so that many are read twice.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.numbers = np.random.default_rng(seed)
        height, width = self.random.choice(((1, 4), (3, 7), (5, 4), (8, 9), (20, 17)))
        shape = (self.random.choice((1, 1, 2)), height, width, self.random.choice((3, 8, 19, 32)))
        self.input = parameter(f"x{seed}", Type(shape, F32))
        self.values = [self.input]

    def data(self, *shape: int) -> Value:
        """Constants that keep the size of what they multiply."""
        scale = max(1, np.prod(shape[1:])) ** -0.5
        return constant((scale * self.numbers.standard_normal(shape)).astype(np.float32))

    def like(self, x: Value, axis: int | None = None) -> Value:
        """A late value of the same shape, except along an axis."""

        def rest(v: Value) -> list[int]:
            return [n for i, n in enumerate(static_shape(v.shape)) if i != axis]

        return self.random.choice([v for v in self.values if rest(v) == rest(x)][-5:])

    def product(self, x: Value, outputs: int = 0) -> Value:
        """A convolution or a product, and what often follows it."""
        channels, outputs = static_shape(x.shape)[-1], outputs or self.random.choice(WIDTHS)
        if len(x.shape) == 3:
            y = add(matmul(x, self.data(channels, outputs)), self.data(outputs))
        else:
            k = self.random.choice((1, 1, 2, 3))
            ends = {"low": ((k - 1) // 2,) * 2, "high": (k // 2,) * 2}
            bias = self.data(outputs) if self.random.random() < 0.5 else None
            w = self.data(outputs, k, k, channels)
            y = conv(x, w, bias, stride=(1, 1), dilation=(1, 1), groups=1, **ends)
        if self.random.random() < 0.5:
            same = [v for v in self.values if v.shape == y.shape]
            y = add(y, self.random.choice(same[-3:])) if same else y
        return maximum(y, constant(np.float32(0))) if self.random.random() < 0.4 else y

    def part(self, x: Value, axis: int, begin: int, size: int) -> Value:
        zeros, shape = [0] * len(x.shape), list(static_shape(x.shape))
        zeros[axis], shape[axis] = begin, size
        return slice_op(x, begin=tuple(zeros), size=tuple(shape), step=(1,) * len(shape))

    def cut(self, x: Value) -> Value:
        """Both sides of a channel."""
        axis, width = len(x.shape) - 1, static_shape(x.shape)[-1]
        if width == 1:
            return x
        at = self.random.choice((width // 2, self.random.randint(1, width - 1)))
        self.values.append(self.part(x, axis, 0, at))
        return self.part(x, axis, at, width - at)

    def joined(self, x: Value) -> Value:
        axis = len(x.shape) - 1
        parts = [x, *(self.like(x, axis) for _ in range(self.random.randint(1, 3)))]
        self.random.shuffle(parts)
        y = concat(*parts, axis=axis)
        return y if static_shape(y.shape)[-1] <= WIDEST else x

    def outer(self, x: Value) -> Value:
        """Rows below others, some rows, or an image as rows."""
        batch, high, *_, channels = static_shape(x.shape)
        kind, other = self.random.random(), self.like(x, axis=1)
        if kind < 0.6:
            y = concat(x, self.product(x, channels) if other is x else other, axis=1)
            if static_shape(y.shape)[1] > HIGHEST:
                return x
            return self.stage(y) if self.random.random() < 0.7 else y
        if kind < 0.8 and len(x.shape) == 4:
            return reshape(x, shape=(batch, high * static_shape(x.shape)[2], channels))
        begin = self.random.randint(0, high - 1)
        return self.part(x, 1, begin, self.random.randint(1, high - begin))

    def stage(self, x: Value) -> Value:
        """Both sides of a channel and what one of them becomes, joined."""
        if (y := self.cut(x)) is x:
            return x
        kept = [self.values[-1], y, self.product(y)]
        self.random.shuffle(kept)
        return concat(*kept[self.random.randint(0, 1) :], axis=len(x.shape) - 1)

    def gated(self, x: Value) -> Value:
        """A half, as much as the other one lets through."""
        width = static_shape(x.shape)[-1]
        half, axis = max(1, width // 2), len(x.shape) - 1
        a, b = self.part(x, axis, 0, half), self.part(x, axis, width - half, half)
        return mul(self.random.choice((sigmoid, tanh))(a), self.random.choice((b, tanh(b))))

    def small(self, x: Value) -> Value:
        """A gate, a pool."""
        if len(x.shape) == 4 and self.random.random() < 0.3:
            sizes = {"kernel": (3, 3), "stride": (1, 1), "dilation": (1, 1)}
            return max_pool(x, **sizes, low=(1, 1), high=(1, 1))
        gate = self.random.choice((sigmoid, tanh))(x)
        return mul(gate, self.like(x)) if self.random.random() < 0.7 else gate

    def graph(self) -> Graph:
        """A graph of up to 15 steps; some of what it makes on the way is an output as well."""
        self.values = [self.product(self.input)]
        steps = (
            self.product, self.cut, self.joined, self.outer, self.stage, self.gated, self.small
        )  # fmt: skip
        for _ in range(self.random.choice((4, 7, 11, 15))):
            recent = self.values[-4:] if self.random.random() < 0.8 else self.values
            x = self.random.choice(recent)
            (step,) = self.random.choices(steps, (8, 2, 4, 3, 3, 2, 2))
            y = step(x)
            self.values += [y] if y is not x else []
        more = (self.random.choice(self.values[-4:]) for _ in range(self.random.choice((0, 1))))
        outputs = tuple(dict.fromkeys((self.values[-1], *more)))
        names = tuple(f"{self.input.node['name']}_y{i}" for i in range(len(outputs)))
        return Graph((self.input,), outputs, names)


def beside(graphs: list[Graph]) -> Graph:
    """Graphs as one, which takes all of their inputs."""
    return Graph(
        tuple(v for g in graphs for v in g.inputs),
        tuple(v for g in graphs for v in g.outputs),
        tuple(n for g in graphs for n in g.output_names),
    )
