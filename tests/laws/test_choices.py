"""Every choice of every kernel means the same: bits for integers, a tolerance for floats."""

from __future__ import annotations

from itertools import zip_longest

import numpy as np
import pytest

from tests.laws.agreement import random_inputs
from whet.compiler.pipeline import compile_graph
from whet.ir.element import F32, I8, I32, Quant
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.node import Node, Value
from whet.ir.type import Type
from whet.kernels.call import call_key
from whet.kernels.kernel import Choice, choices, load_all, lower
from whet.ops.attention import attention
from whet.ops.convolution import conv
from whet.ops.evaluate import evaluate
from whet.ops.matmul import matmul
from whet.passes.pipeline import in_precision
from whet.targets.host import X86_LEVELS, host
from whet.tune.calls import Call
from whet.tune.trial import Trial, agrees, build

SIZE, C, N = 7, 19, 37
X, Y = Quant(I8, (0.05,), (3,)), Quant(I8, (0.21,), (-3,))
PRECISIONS = ("f32", "bf16", "int8")
KINDS = ("dense", "pointwise", "depthwise", "strided", "product")
SAMPLED, TOGETHER = 8, 40


def layer(kind: str, x: Value, quantised: bool, rng: np.random.Generator) -> Value:
    """A contraction with constant weights of x [1, SIZE, SIZE, C]."""
    taps = 1 if kind == "pointwise" else 3
    outputs = C if kind == "depthwise" else N
    shape = (C, N) if kind == "product" else (outputs, taps, taps, 1 if kind == "depthwise" else C)
    element: dict[str, Quant] = {}
    if quantised:
        scale = tuple(float(s) for s in rng.uniform(0.001, 0.01, outputs))
        axis = 1 if kind == "product" else 0
        codes = rng.integers(-127, 128, shape, np.int8)
        w = constant(codes, Quant(I8, scale, (0,) * outputs, axis))
        wide = Quant(I32, tuple(0.05 * s for s in scale), (0,) * outputs, 0)
        bias = constant(rng.integers(-3000, 3000, outputs, np.int32), wide)
        element = {"element": Y}
    else:
        w = constant(rng.standard_normal(shape, np.float32))
        bias = constant(rng.standard_normal(outputs, np.float32))
    if kind == "product":
        return matmul(x, w, bias, **element)
    stride = (2, 2) if kind == "strided" else (1, 1)
    pad = (taps // 2,) * 2
    groups = C if kind == "depthwise" else 1
    return conv(
        x, w, bias, stride=stride, dilation=(1, 1), low=pad, high=pad, groups=groups, **element
    )


def layers(precision: str) -> Graph:
    """All kinds of contraction of one input; for floats also a product of two, and attention."""
    quantised = precision == "int8"
    rng = np.random.default_rng(3)
    x = parameter("x", Type((1, SIZE, SIZE, C), X if quantised else F32))
    made = {kind: layer(kind, x, quantised, rng) for kind in KINDS}
    if quantised:
        return Graph((x,), tuple(made.values()), tuple(made))
    a, b = parameter("a", Type((2, 9, 21), F32)), parameter("b", Type((2, 21, 18), F32))
    made["batch"] = matmul(a, b)
    heads = parameter("h", Type((1, 33, 2, 21), F32))
    made["attention"] = attention(heads, heads, heads, scale=0.2)
    graph = Graph((x, a, b, heads), tuple(made.values()), tuple(made))
    return in_precision(graph, "bf16") if precision == "bf16" else graph


def contractions(graph: Graph) -> list[Node]:
    load_all()
    return [node for node in graph.nodes if node.op.family == "contraction"]


def check(graph: Graph, share: int) -> None:
    """Build the graph with the first choice of each of its nodes, the second, ...: each share-th of
    them.
    """
    target = host()
    nodes = contractions(graph)
    spaces = [choices(node, target)[::share] for node in nodes]
    assert all(spaces), "a contraction without a choice"
    inputs = random_inputs(graph, np.random.default_rng(4))
    expected = evaluate(graph, inputs)
    for chosen in zip_longest(*spaces):
        pairs = zip(nodes, chosen, strict=True)
        named = {call_key(node): choice for node, choice in pairs if choice is not None}
        built = compile_graph(graph, target, named)
        assert not built.notes
        assert named.keys() <= {call_key(node) for node in contractions(built.graph)}
        for name, value in built.session()(inputs).items():
            want = np.asarray(expected[name])
            if want.dtype.kind == "f":
                np.testing.assert_allclose(value, want, 1e-4, 1e-4 * np.abs(want).max())
            else:
                np.testing.assert_array_equal(value, want, err_msg=f"{name} {named}")


def longest(graph: Graph) -> int:
    return max(len(choices(node, host())) for node in contractions(graph))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_sample_of_choices_gives_the_same(precision: str) -> None:
    graph = layers(precision)
    check(graph, -(-longest(graph) // SAMPLED))


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_choice_gives_the_same(precision: str) -> None:
    for node in contractions(layers(precision)):
        every = choices(node, host())
        for first in range(0, len(every), TOGETHER):
            tried = [None, *every[first : first + TOGETHER]]
            trial = Trial(build(Call(call_key(node), node, 1), host(), tried), 0)
            default = trial.results(0)
            for i, choice in enumerate(tried):
                assert agrees(trial.results(i), default), f"{node.op} {choice}"


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("level", X86_LEVELS)
def test_choices_are_distinct_and_fit(level: str, precision: str) -> None:
    target = X86_LEVELS[level]
    for node in contractions(layers(precision)):
        found = choices(node, target)
        assert len(set(found)) == len(found)
        assert all(lower(node, target, choice).statements for choice in found)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_default_is_a_choice(precision: str) -> None:
    for node in contractions(layers(precision)):
        default = lower(node, host()).statements
        assert any(lower(node, host(), c).statements == default for c in choices(node, host()))


def test_a_choice_that_does_not_fit_is_left_out_and_said() -> None:
    graph = layers("f32")
    key = call_key(contractions(graph)[0])
    for strange in (Choice("conv_f32", (99, 99, 99)), Choice("gone", ()), Choice("conv_s8", (4,))):
        built = compile_graph(graph, host(), {key: strange, "no such call": strange})
        assert len(built.notes) == 1
        assert strange.kernel in built.notes[0]
        assert built.source == compile_graph(graph, host()).source


def test_calls_that_compute_alike_have_one_key() -> None:
    first, second = ([call_key(n) for n in contractions(layers(p))] for p in ("f32", "int8"))
    assert first == [call_key(n) for n in contractions(layers("f32"))]
    assert len(set(first + second)) == len(first + second)
    assert all(key.isprintable() for key in first + second)
