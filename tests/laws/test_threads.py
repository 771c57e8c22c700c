"""Threads change nothing: the parts of a step may be done in any order, and together.

Steps are split here however small they are.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from tests.laws.agreement import Arrays, random_inputs
from tests.laws.random_graphs import Maker
from whet.artifact.interface import interface_of
from whet.compiler.build import shared_library
from whet.compiler.pipeline import Compiled, compile_graph
from whet.emit.headers import amalgamate
from whet.emit.program import Action, Program, Step, is_split
from whet.emit.writer import HOST, MACROS, Writer
from whet.errors import UnsupportedError
from whet.ir.element import F32, I8, Quant
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.node import Attr, Op, Value
from whet.ir.type import Type
from whet.kernels import share
from whet.ops import elementwise as e
from whet.ops.convert import convert
from whet.ops.convolution import conv
from whet.ops.matmul import matmul
from whet.ops.movement import concat, pad, reshape, transpose
from whet.ops.normalization import layer_norm, softmax
from whet.ops.pooling import average_pool, max_pool
from whet.ops.recurrent import lstm
from whet.ops.reduction import reduce_max, reduce_mean, reduce_sum
from whet.ops.resize import resize
from whet.plan import program
from whet.session.library import aligned
from whet.session.session import Session
from whet.targets.host import host

PARTS = 3
ONE = {"stride": (1, 1), "dilation": (1, 1)}


@pytest.fixture(autouse=True)
def everything_is_split(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share, "WORTH", 0.0)
    monkeypatch.setattr(share, "GRAIN", 8)
    monkeypatch.setattr(share, "TOGETHER", 0)
    monkeypatch.setattr(program, "SHORTEST_NANOSECONDS", 0)


class InOrder(Session):
    """Runs each step's parts one after the other, in an order of choice.

    Parts that wait for each other cannot run so: one thread runs such a step.
    """

    def __init__(self, compiled: Compiled) -> None:
        made = compiled.program
        code = shared_library((each_step_c(made),), compiled.target)
        super().__init__(interface_of(made), code, made.weights)
        self.order: Sequence[int] = ()
        self._steps = [
            (self._library[f"step_{i}"], is_split(step) and not waits_inside(step))
            for i, step in enumerate(made.main.steps)
        ]
        self._host = aligned(24)

    def _runner(self) -> Callable[[], int]:
        return self._run_in_order

    def _run_in_order(self) -> int:
        arguments = (self._given, self._made, *self._memory)
        host_address = ctypes.c_void_p(self._host.ctypes.data)
        for step, split in self._steps:
            for part in self.order if split else (0,):
                step(*arguments, part, PARTS if split else 1, host_address)
        return 0


def each_step_c(program: Program) -> str:
    """C whose functions `step_0`, `step_1`, ... take what `model_run_part` takes."""
    writer = Writer(program)
    functions = [
        writer.graph(replace(program.main, steps=(step,)), f"step_{i}", public=True)
        for i, step in enumerate(program.main.steps)
    ]
    parts = [amalgamate(program.headers), HOST, MACROS, *writer.definitions(), *functions, ""]
    return "\n".join(parts)


def waits_inside(step: Action) -> bool:
    return isinstance(step, Step) and step.stage.lowered.together


def bits(outputs: Arrays) -> list[bytes]:
    return [a.tobytes() for a in outputs.values()]


def check(graph: Graph) -> None:
    inputs = random_inputs(graph, np.random.default_rng(0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(share, "WORTH", float("inf"))
        expected = bits(compile_graph(graph).session()(inputs))
    compiled = compile_graph(graph, replace(host(), threads=PARTS))
    session = InOrder(compiled)
    for session.order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        assert bits(session(inputs)) == expected, session.order
    for threads in range(1, PARTS + 1):
        assert bits(compiled.session(threads)(inputs)) == expected, threads


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("quantized", [False, True])
def test_parts_of_random_graphs_are_independent(seed: int, quantized: bool) -> None:
    try:
        check(Maker(seed, quantized).graph(9))
    except UnsupportedError as error:
        pytest.skip(str(error))


def test_parts_of_sums_written_over_their_operands() -> None:
    x = parameter("x", Type((3, 40, 7), F32))
    a, b = e.sigmoid(x), e.tanh(x)
    y = e.add(e.mul(e.neg(a), b), e.add(a, constant(np.float32(2))))
    check(Graph((x,), (softmax(y, axis=2), softmax(y, axis=1)), ("y", "z")))


def test_parts_of_a_concatenation_whose_inputs_lie_in_it() -> None:
    x = parameter("x", Type((9, 30), F32))
    a, b = e.sigmoid(x), e.tanh(x)
    joined = concat(a, constant(np.ones((2, 30), np.float32)), b, axis=0)
    check(Graph((x,), (e.add(joined, joined), concat(a, joined, axis=0)), ("y", "z")))


def test_parts_of_a_frame() -> None:
    x = parameter("x", Type((2, 5, 6, 3), F32))
    padded = pad(e.neg(x), constant(np.float32(3)), low=(0, 1, 2, 0), high=(0, 2, 1, 0))
    check(Graph((x,), (transpose(padded, perm=(3, 0, 2, 1)), padded), ("y", "z")))


def test_parts_of_an_image_as_codes() -> None:
    x = parameter("x", Type((2, 3, 7, 11), F32))
    y = transpose(convert(x, to=Quant(I8, (0.02,), (3,))), perm=(0, 2, 3, 1))
    check(Graph((x,), (convert(y, to=F32),), ("y",)))


def test_parts_of_normalized_rows() -> None:
    x = parameter("x", Type((11, 19), F32))
    scale = constant(np.linspace(0.5, 2, 19, dtype=np.float32))
    check(Graph((x,), (layer_norm(x, scale, axis=1, epsilon=1e-5),), ("y",)))


def weights(*shape: int) -> Value:
    return constant(np.random.default_rng(4).normal(0, 0.3, shape).astype(np.float32))


def test_parts_of_contractions() -> None:
    x = parameter("x", Type((1, 19, 11, 5), F32))
    y = conv(x, weights(40, 3, 3, 5), stride=(2, 1), dilation=(1, 1), low=(1, 1), high=(1, 1))
    y = conv(y, weights(70, 1, 1, 40), **ONE, low=(0, 0), high=(0, 0))
    y = conv(y, weights(70, 3, 3, 1), **ONE, low=(1, 1), high=(1, 1), groups=70)
    y = conv(y, weights(33, 3, 3, 70), **ONE, low=(1, 1), high=(1, 1))
    rows = reshape(y, shape=(110, 33))
    z = matmul(matmul(rows, weights(33, 90)), weights(90, 17))
    check(Graph((x,), (matmul(transpose(rows, perm=(1, 0)), z), y), ("y", "z")))


@pytest.mark.parametrize("op", [max_pool, average_pool])
def test_parts_of_pools(op: Op) -> None:
    x = parameter("x", Type((1, 9, 7, 70), F32))
    pads = {"low": (1, 2), "high": (1, 1)}
    y = op(x, kernel=(3, 3), stride=(2, 1), dilation=(1, 1), **pads)
    codes = convert(x, to=Quant(I8, (0.1,), (3,)))
    z = op(codes, kernel=(3, 3), stride=(2, 1), dilation=(1, 1), **pads)
    check(Graph((x,), (y, convert(z, to=F32)), ("y", "z")))


HALF_PIXEL: dict[str, Attr] = {
    "transform": "half_pixel", "nearest": "floor", "cubic_a": -0.75, "exclude_outside": False,
    "antialias": False, "extrapolation": 0.0,
}  # fmt: skip


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_parts_of_a_resized_image(mode: str) -> None:
    y = parameter("x", Type((1, 9, 7, 70), F32))
    for axis, size in ((1, 20), (2, 13)):
        scale = constant(np.float64(size / y.shape[axis]))
        y = resize(y, scale, axis=axis, size=size, mode=mode, **HALF_PIXEL)
    check(Graph((y.node.input(0).node.input(0),), (y,), ("y",)))


def test_parts_of_sums_over_an_image() -> None:
    x = parameter("x", Type((1, 9, 7, 70), F32))
    codes = convert(x, to=Quant(I8, (0.1,), (3,)))
    z = reduce_mean(codes, axes=(1, 2), keep=True)
    sums = tuple(op(x, axes=(1, 2), keep=True) for op in (reduce_sum, reduce_mean, reduce_max))
    check(Graph((x,), (*sums, convert(z, to=F32)), ("a", "b", "c", "z")))


def test_parts_of_convolutions_of_several_images() -> None:
    x = parameter("x", Type((2, 19, 11, 32), F32))
    y = conv(x, weights(64, 3, 3, 32), **ONE, low=(1, 1), high=(1, 1))
    check(Graph((x,), (conv(y, weights(48, 3, 3, 64), **ONE, low=(0, 1), high=(1, 0)),), ("y",)))


def test_parts_of_a_recurrent_layer() -> None:
    hidden, usual = 37, tuple((name, 0.0, 0.0) for name in ("sigmoid", "tanh", "tanh"))
    x = parameter("x", Type((9, 2, 21), F32))
    w, r, b = weights(2, 4 * hidden, 21), weights(2, 4 * hidden, hidden), weights(2, 8 * hidden)
    order = {"reverse": False, "batch_first": False}
    made = lstm.many(x, w, r, b, activations=(usual, usual), **order)
    check(Graph((x,), made, ("y", "h", "c")))
