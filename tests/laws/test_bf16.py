"""A model in bf16: what it stores, how near f32 it stays, and that emitted C is its meaning."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.laws import random_graphs
from tests.laws.agreement import Arrays, random_inputs
from whet.artifact.graph import graph_entries, read_graph
from whet.compiler.pipeline import compile_graph
from whet.errors import InputError
from whet.ir.element import BF16, F32
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.node import Value
from whet.ir.type import Type
from whet.ir.verify import signature, verify
from whet.ops import elementwise as e
from whet.ops.convolution import conv
from whet.ops.cost import precision_of
from whet.ops.evaluate import evaluate
from whet.ops.matmul import matmul
from whet.ops.movement import concat, pad, transpose
from whet.ops.normalization import layer_norm, softmax
from whet.ops.pooling import average_pool, max_pool
from whet.ops.reduction import reduce_mean
from whet.passes.pipeline import in_precision, optimize
from whet.session.verify import BF16_TOLERANCE
from whet.session.verify import verify as prove
from whet.targets.host import host, levels

NUMBERS = np.random.default_rng(11)
PLAIN = {"stride": (1, 1), "dilation": (1, 1), "low": (1, 1), "high": (1, 1)}

POINT = {**PLAIN, "low": (0, 0), "high": (0, 0)}


def weights(*shape: int) -> Value:
    """Of a size that keeps results near that of inputs."""
    scale = np.sqrt(shape[-1] if len(shape) == 2 else np.prod(shape[1:]))
    return constant((NUMBERS.standard_normal(shape) / scale).astype(np.float32))


def image(*shape: int) -> Value:
    return parameter("x", Type(shape, F32))


def residual() -> Graph:
    """A stem, a residual block around a depthwise convolution, pooling, a classifier."""
    x = image(1, 3, 12, 12)
    y = e.maximum(conv(transpose(x, perm=(0, 2, 3, 1)), weights(16, 3, 3, 3), weights(16), **PLAIN),
                  constant(np.float32(0)))  # fmt: skip
    y = max_pool(y, kernel=(3, 3), **{**PLAIN, "stride": (2, 2)})
    inner = conv(y, weights(16, 3, 3, 1), weights(16), **PLAIN, groups=16)
    inner = conv(e.mul(inner, e.sigmoid(inner)), weights(16, 1, 1, 16), **POINT)
    y = e.add(y, inner)
    wide = conv(y, weights(40, 3, 3, 16), **{**PLAIN, "stride": (2, 2)})
    wide = average_pool(wide, kernel=(2, 2), **PLAIN)
    top = reduce_mean(concat(wide, wide, axis=3), axes=(1, 2), keep=False)
    return Graph((x,), (matmul(top, weights(80, 10), weights(10)),), ("y",))


def attention() -> Graph:
    """A layer of a transformer: one head, a feed-forward part, residuals and normalisations."""
    x = image(1, 9, 24)
    scale = constant(np.linspace(0.5, 1.5, 24, dtype=np.float32))
    y = layer_norm(x, scale, weights(24), axis=2, epsilon=1e-5)
    q, k, v = (matmul(y, weights(24, 24), weights(24)) for _ in range(3))
    parts = softmax(matmul(q, transpose(k, perm=(0, 2, 1))), axis=2)
    y = e.add(x, matmul(matmul(parts, v), weights(24, 24), weights(24)))
    inner = matmul(layer_norm(y, scale, axis=2, epsilon=1e-5), weights(24, 96), weights(96))
    inner = e.mul(inner, e.add(e.erf(inner), constant(np.float32(1))))
    y = e.add(y, matmul(inner, weights(96, 24)))
    y = matmul(layer_norm(y, scale, axis=2, epsilon=1e-5), weights(24, 10))
    return Graph((x,), (y,), ("y",))


def grouped() -> Graph:
    """One spatial axis, groups, explicit padding, a depthwise convolution with a multiplier."""
    x = image(2, 15, 6)
    wide = pad(x, constant(np.float32(0)), low=(0, 2, 0), high=(0, 1, 0))
    window = {"dilation": (1,), "low": (0,), "high": (1,)}
    y = conv(wide, weights(24, 3, 2), weights(24), stride=(1,), groups=3, **window)
    y = conv(y, weights(48, 3, 1), stride=(2,), groups=24, **window)
    return Graph((x,), (matmul(y, weights(48, 5)),), ("y",))


GRAPHS = {"residual": residual(), "attention": attention(), "grouped": grouped()}


def distance(found: Arrays, wanted: Arrays) -> float:
    """Over the largest value, or 1 where that is less; the worst of the outputs."""
    pairs = [(np.asarray(found[n], np.float64), np.asarray(wanted[n], np.float64)) for n in wanted]
    return max(float(np.abs(a - b).max() / max(np.abs(b).max(), 1)) for a, b in pairs)


def elements(graph: Graph, op: str) -> list[str]:
    return [str(n.outputs[0].tensor.element) for n in graph.nodes if n.op.name == op]


@pytest.mark.parametrize("name", GRAPHS)
def test_it_stays_near_f32(name: str) -> None:
    graph = GRAPHS[name]
    narrow = in_precision(graph, "bf16")
    verify(narrow, signature(graph))
    inputs = random_inputs(graph, NUMBERS)
    apart = distance(evaluate(narrow, inputs), evaluate(graph, inputs))
    assert 0.0 < apart < 0.03
    assert precision_of(narrow) == "bf16"


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("level", ["native", "dot", "x86-64-v3", "x86-64"])
def test_emitted_c_is_its_meaning(name: str, level: str) -> None:
    """On all levels this machine can run, and with dots of pairs where it has them."""
    narrow = in_precision(GRAPHS[name], "bf16")
    target = host("native")
    if level.startswith("x86"):
        if level not in levels():
            pytest.skip(f"this machine cannot run {level}")
        target = host(level)
    elif level == "dot":
        target = replace(target, dot_bf16=True)
    built = compile_graph(narrow, target)
    inputs = random_inputs(narrow, NUMBERS)
    assert all(check.passed for check in prove(narrow, built.session(), [inputs]))
    one, two = built.session(1)(inputs), built.session(2)(inputs)
    assert all(np.array_equal(one[n], two[n]) for n in one)


def test_what_lies_between_products_is_stored_in_bf16() -> None:
    graph = optimize(in_precision(GRAPHS["residual"], "bf16"))
    assert elements(graph, "conv") == ["f32", *["bf16"] * 3]  # the one before a depthwise one
    assert elements(graph, "max_pool") == ["f32"]
    assert elements(graph, "average_pool") == ["bf16"]
    assert elements(graph, "reduce_mean") == elements(graph, "concat") == ["bf16"]
    assert elements(graph, "matmul") == ["f32"]
    assert elements(graph, "map") == []


def test_few_weights_stay_f32() -> None:
    """But for a layer whose operand another one stores as bf16; depthwise ones always."""
    x = image(1, 16, 16, 4)
    few, many = weights(8, 1, 1, 4), weights(40, 3, 3, 8)
    y = conv(x, few, **POINT)
    y = conv(y, weights(8, 3, 3, 1), **PLAIN, groups=8)
    both = concat(conv(y, many, **PLAIN), conv(y, weights(8, 1, 1, 8), **POINT), axis=3)
    narrow = in_precision(Graph((x,), (both,), ("y",)), "bf16")
    kinds = [str(n.input(1).tensor.element) for n in narrow.nodes if n.op is conv]
    assert kinds == ["f32", "f32", "bf16", "bf16"]


def test_what_no_product_reads_stays_f32() -> None:
    graph = optimize(in_precision(GRAPHS["attention"], "bf16"))
    assert elements(graph, "softmax") == ["f32"]
    assert elements(graph, "layer_norm") == ["f32", "bf16", "bf16"]
    # Queries, keys, values, both products of the attention, and the output of the model are f32.
    assert sorted(elements(graph, "matmul")) == ["bf16"] * 3 + ["f32"] * 6


def test_weights_take_half_the_bytes() -> None:
    graph = GRAPHS["attention"]
    own, narrow = (compile_graph(in_precision(graph, p)) for p in ("own", "bf16"))
    held = [np.frombuffer(b, np.uint8).size for b in (own.program.weights, narrow.program.weights)]
    assert held[1] < 0.6 * held[0]


def test_small_integers_are_exact() -> None:
    """Sums of integers that bf16 holds: the same bits as the meaning, on every path."""
    x = image(1, 6, 6, 5)
    w = constant(NUMBERS.integers(-2, 3, (7, 3, 3, 5)).astype(np.float32))
    graph = Graph((x,), (conv(x, w, **PLAIN),), ("y",))
    narrow = in_precision(graph, "bf16")
    inputs = {"x": NUMBERS.integers(-3, 4, (1, 6, 6, 5)).astype(np.float32)}
    for target in (host(), replace(host(), dot_bf16=True)):
        found = compile_graph(narrow, target).session()(inputs)["y"]
        np.testing.assert_array_equal(found, evaluate(graph, inputs)["y"])


@pytest.mark.parametrize("seed", range(30))
def test_random_graphs(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without steps that turn a rounding into a jump."""
    monkeypatch.setattr(random_graphs, "UNARY", (e.neg, e.absolute, e.sigmoid, e.tanh))
    graph = random_graphs.Maker(seed).graph(10)
    narrow = in_precision(graph, "bf16")
    verify(narrow, signature(graph))
    inputs = random_inputs(graph, np.random.default_rng(seed))
    meaning = evaluate(narrow, inputs)
    assert distance(meaning, evaluate(graph, inputs)) < 0.05
    assert distance(evaluate(optimize(narrow), inputs), meaning) < BF16_TOLERANCE


def test_a_graph_without_such_products_is_left_alone() -> None:
    x = parameter("x", Type((2, 3), F32))
    graph = Graph((x,), (softmax(e.neg(x), axis=1),), ("y",))
    kinds = {t.element for n in in_precision(graph, "bf16").nodes for t in n.types}
    assert kinds == {F32}
    assert in_precision(graph, "own") is graph
    with pytest.raises(InputError, match="own, bf16"):
        in_precision(graph, "f8")


def test_the_meaning_travels_as_text() -> None:
    narrow = in_precision(GRAPHS["residual"], "bf16")
    read = read_graph(graph_entries(narrow))
    inputs = random_inputs(narrow, NUMBERS)
    assert read is not None
    assert any(t.element == BF16 for n in read.nodes for t in n.types)
    np.testing.assert_array_equal(evaluate(read, inputs)["y"], evaluate(narrow, inputs)["y"])
