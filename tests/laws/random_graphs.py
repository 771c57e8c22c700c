"""Small random graphs that look like what importers make: transposes around windows, constants
spread over channels, chains of arithmetic, quantise and dequantise in between."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np

from whet.ir.element import F32, I8, Quant
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.node import Value
from whet.ir.type import Type
from whet.ops import elementwise as e
from whet.ops.convert import convert
from whet.ops.convolution import conv
from whet.ops.matmul import matmul
from whet.ops.movement import broadcast, concat, pad, reshape, slice_op, transpose
from whet.ops.normalization import softmax
from whet.ops.pooling import average_pool, max_pool
from whet.ops.reduction import reduce_max, reduce_mean, reduce_sum

UNARY = (e.neg, e.absolute, e.sigmoid, e.tanh, e.floor)
BINARY = (e.add, e.sub, e.mul, e.maximum, e.minimum)
ELEMENTS = 600
CODE = 0.125


class Maker:
    """Grows one graph of float images [N, C, H, W] (channels first, as importers see them)."""

    def __init__(self, seed: int, quantized: bool = False) -> None:
        self.random = random.Random(seed)
        self.numbers = np.random.default_rng(seed)
        shape = (1, self.random.choice((2, 3, 4)), self.random.choice((4, 5)), 4)
        self.inputs = [parameter("x", Type(shape, F32))]
        self.values = list(self.inputs)
        self.steps: list[Callable[[Value], Value]] = [
            self.unary, self.binary, self.binary, self.scale, self.window, self.window, self.pooled,
            self.moved, self.moved, self.reduced, self.flat, self.joined, self.gate,
        ]  # fmt: skip
        self.quantized = quantized
        if quantized:
            self.steps = [
                self.window, self.window, self.binary, self.joined, self.moved, self.pooled,
                self.gate, self.unary, self.mean,
            ]  # fmt: skip

    def data(self, *shape: int) -> Value:
        return constant(self.numbers.normal(0, 0.6, shape).astype(np.float32))

    def pick(self) -> Value:
        """A value, mostly a recent one."""
        recent = self.values[-3:]
        return self.random.choice(recent if self.random.random() < 0.8 else self.values)

    def unary(self, x: Value) -> Value:
        return self.random.choice(UNARY)(x)

    def weights(self, *shape: int) -> Value:
        """Constant weights, as codes with a scale for each output channel where quantised."""
        if not self.quantized:
            return self.data(*shape)
        scales = tuple(float(s) for s in self.numbers.uniform(0.005, 0.02, shape[0]))
        codes = self.numbers.integers(-127, 128, shape).astype(np.int8)
        element = Quant(I8, scales, (0,) * len(scales), 0)
        return convert(constant(codes, element), to=F32)

    def mean(self, x: Value) -> Value:
        axes = tuple(range(1, len(x.shape) - 1))
        return reduce_mean(x, axes=axes, keep=True) if axes else x

    def relu(self, x: Value) -> Value:
        return e.minimum(e.maximum(x, constant(np.float32(0))), constant(np.float32(6)))

    def binary(self, x: Value) -> Value:
        same = [v for v in self.values if v.shape == x.shape]
        return self.random.choice(BINARY)(x, self.random.choice(same))

    def scale(self, x: Value) -> Value:
        shape = [self.random.choice((1, int(str(d)))) for d in x.shape]
        chosen = self.random.choice((shape, [int(str(x.shape[-1]))], [1]))
        return self.random.choice(BINARY)(x, self.data(*chosen))

    def image(self, x: Value) -> Value:
        """x as an image, whatever its rank."""
        total = int(str(x.tensor.elements))
        return x if len(x.shape) == 4 else reshape(x, shape=(1, 1, total, 1))

    def window(self, x: Value) -> Value:
        x = self.image(x)
        channels, outs = int(str(x.shape[1])), self.random.choice((2, 3))
        k = self.random.choice((1, min(2, *(int(str(d)) for d in x.shape[2:]))))
        depthwise = self.random.random() < 0.3
        w = self.weights(channels if depthwise else outs, k, k, 1 if depthwise else channels)
        bias = self.data(int(str(w.shape[0]))) if self.random.random() < 0.5 else None
        low = (0, self.random.choice((0, 1)))
        y = conv(
            transpose(x, perm=(0, 2, 3, 1)), w, bias, stride=(1, 1), dilation=(1, 1), low=low,
            high=(0, 0), groups=channels if depthwise else 1,
        )  # fmt: skip
        return transpose(y, perm=(0, 3, 1, 2))

    def pooled(self, x: Value) -> Value:
        x = self.image(x)
        k = min(2, *(int(str(d)) for d in x.shape[2:]))
        op = self.random.choice((max_pool, average_pool))
        y = op(
            transpose(x, perm=(0, 2, 3, 1)), kernel=(k, k), stride=(1, 1), dilation=(1, 1),
            low=(0, 0), high=(0, 0),
        )  # fmt: skip
        return transpose(y, perm=(0, 3, 1, 2))

    def moved(self, x: Value) -> Value:
        shape = [int(str(d)) for d in x.shape]
        kind = self.random.choice(("transpose", "slice", "pad", "reshape", "broadcast"))
        if kind == "transpose":
            perm = list(range(len(shape)))
            self.random.shuffle(perm)
            return transpose(x, perm=tuple(perm))
        if kind == "slice":
            size = tuple(self.random.randint(max(1, d - 1), d) for d in shape)
            begin = tuple(d - n for d, n in zip(shape, size, strict=True))
            return slice_op(x, begin=begin, size=size, step=(1,) * len(shape))
        if kind == "pad":
            low = tuple(self.random.choice((0, 0, 1)) for _ in shape)
            return pad(x, constant(np.float32(0)), low=low, high=(0,) * len(shape))
        if kind == "reshape":
            total = int(np.prod(shape))
            first = self.random.choice([d for d in range(1, total + 1) if total % d == 0])
            return reshape(x, shape=self.random.choice(((first, total // first), tuple(shape))))
        return broadcast(x, shape=(2, *shape)) if len(shape) < 4 else x

    def reduced(self, x: Value) -> Value:
        rank = len(x.shape)
        axes = tuple(sorted(self.random.sample(range(rank), self.random.randint(1, rank))))
        op = self.random.choice((reduce_mean, reduce_sum, reduce_max))
        return op(x, axes=axes, keep=self.random.random() < 0.7)

    def flat(self, x: Value) -> Value:
        rows = int(str(x.shape[0]))
        columns = int(str(x.tensor.elements)) // rows
        y = matmul(reshape(x, shape=(rows, columns)), self.data(columns, 3))
        return softmax(e.add(y, self.data(3)), axis=1)

    def joined(self, x: Value) -> Value:
        same = [v for v in self.values if v.shape == x.shape]
        axis = self.random.randrange(len(x.shape))
        return concat(x, self.random.choice(same), axis=axis)

    def gate(self, x: Value) -> Value:
        if len(x.shape) != 4:
            return e.mul(x, e.sigmoid(x))
        return e.mul(x, e.sigmoid(reduce_mean(x, axes=(2, 3), keep=True)))

    def code(self, x: Value) -> Value:
        zero = self.random.choice((0, -128, 7))
        return convert(convert(x, to=Quant(I8, (CODE,), (zero,))), to=F32)

    def step(self, x: Value) -> Value:
        chosen = self.random.choice(self.steps)
        if not self.quantized:
            return chosen(x)
        made = chosen(self.code(x))
        made = self.relu(made) if self.random.random() < 0.5 else made
        return self.code(made)

    def graph(self, steps: int) -> Graph:
        """A graph of about that many steps; every value may be read more than once."""
        for _ in range(steps):
            made = self.step(self.pick())
            if made.shape and 0 < int(str(made.tensor.elements)) <= ELEMENTS:
                self.values.append(made)
        outputs = tuple(dict.fromkeys((self.values[-1], self.pick())))
        names = tuple(f"y{i}" for i in range(len(outputs)))
        return Graph(tuple(self.inputs), outputs, names)
