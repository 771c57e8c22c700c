"""Layers in strips give the bits of layers one after the other, for any number of threads.

Layers are put in strips here however small they are, and strips are short.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.laws.agreement import random_inputs
from tests.laws.random_images import Chain
from whet.compiler.pipeline import Compiled, compile_graph
from whet.emit.program import Strips
from whet.ir.element import F32, I8, Element, Quant
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.node import Value
from whet.ir.type import Type
from whet.ops.bilinear import bilinear
from whet.ops.convolution import conv
from whet.ops.reduction import argmax
from whet.plan import program, strips
from whet.targets.host import host

LEVELS = ("native", "x86-64-v3", "x86-64")


@pytest.fixture(autouse=True)
def everything_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "SHORTEST_NANOSECONDS", 0)


def compiled(graph: Graph, cpu: str, kind: str, patch: pytest.MonkeyPatch) -> Compiled:
    """The graph whole, or with all results taken for large, or all for small, in strips."""
    patch.setattr(strips, "LARGE", (1 << 30) * (kind == "large"))
    patch.setattr(strips, "LESS", 1 << 30)
    patch.setattr(strips, "EVEN", 1 << 30 if kind == "small" else 0)
    return compile_graph(graph, host(cpu))


def chains(made: Compiled) -> list[Strips]:
    return [step for step in made.program.main.steps if isinstance(step, Strips)]


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize(
    "seed", [*range(9), *(pytest.param(n, marks=pytest.mark.slow) for n in range(9, 30))]
)
def test_strips_give_the_bits_of_whole_layers(
    seed: int, quantized: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, cpu = Chain(300 + seed, quantized).graph(8), LEVELS[seed % 3]
    whole = compiled(graph, cpu, "whole", monkeypatch)
    made = compiled(graph, cpu, "small" if seed % 2 else "large", monkeypatch)
    assert not chains(whole)
    inputs = random_inputs(graph, np.random.default_rng(seed))
    expected = whole.session()(inputs)["y"]
    for threads in range(1, min(3, made.program.threads) + 1):
        session = made.session(threads)
        for _ in range(2):
            np.testing.assert_array_equal(session(inputs)["y"], expected)


def test_heavy_products_take_turns_with_the_layer_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several rows at once, as when they are whole, so that they read their weights as often."""
    random = np.random.default_rng(0)
    x = parameter("x", Type((1, 12, 6, 64), F32))
    around, weights = random.normal(0, 1, (64, 3, 3, 1)), random.normal(0, 0.1, (96, 1, 1, 64))
    once = {"stride": (1, 1), "dilation": (1, 1)}
    y = conv(x, constant(around.astype(np.float32)), **once, low=(1, 1), high=(1, 1), groups=64)
    y = conv(y, constant(weights.astype(np.float32)), **once, low=(0, 0), high=(0, 0))
    graph, on = Graph((x,), (y,), ("y",)), replace(host(), l1=16 << 10, threads=2)
    made = compile_graph(graph, on)
    ((depthwise, product),) = [group.links for chain in chains(made) for group in chain.groups]
    assert (depthwise.grain, product.grain) == (1, 6)
    monkeypatch.setattr(strips, "EVEN", 0)
    whole = compile_graph(graph, on)
    assert not chains(whole)
    inputs = random_inputs(graph, random)
    expected = whole.session()(inputs)["y"]
    for threads in (1, 2):
        np.testing.assert_array_equal(made.session(threads)(inputs)["y"], expected)


@pytest.mark.parametrize("kind", ["large", "small"])
def test_windows_over_the_edges(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link has the rows of its group, whether or not a layer adds some that read only padding;
    those that read one row are made in strips."""
    random = np.random.default_rng(0)
    x = parameter("x", Type((1, 15, 5, 8), F32))

    def layer(x: Value, k: int, low: int, high: int, groups: int = 1) -> Value:
        w = constant(random.normal(0, 1, (8, k, k, 8 // groups)).astype(np.float32))
        pads = {"low": (low, k // 2), "high": (high, k // 2)}
        return conv(x, w, stride=(1, 1), dilation=(1, 1), **pads, groups=groups)

    depthwise, dense = layer(x, 3, 1, 1, groups=8), layer(x, 1, 0, 0)
    edges = [layer(depthwise, 1, 0, 1), layer(dense, 1, 0, 1), layer(layer(x, 3, 2, 2), 1, 3, 2)]
    reached = layer(layer(layer(x, 1, 0, 0), 3, 2, 2, groups=8), 1, 0, 0)
    graph = Graph((x,), (*edges, reached), ("a", "b", "c", "y"))
    whole = compiled(graph, "x86-64", "whole", monkeypatch)
    made = compiled(graph, "x86-64", kind, monkeypatch)
    assert len(chains(made)) == 1
    for group in [group for chain in chains(made) for group in chain.groups]:
        assert {link.rows for link in group.links} == {group.rows}
    inputs = random_inputs(graph, random)
    expected = whole.session()(inputs)
    for threads in range(1, min(3, made.program.threads) + 1):
        for name, y in made.session(threads)(inputs).items():
            np.testing.assert_array_equal(y, expected[name])


@pytest.mark.parametrize("quantized", [False, True])
def test_random_chains_do_run_in_strips(quantized: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def found(kind: str) -> list[list[Strips]]:
        graphs = [Chain(300 + seed, quantized).graph(8) for seed in range(0, 15, 3)]
        return [chains(compiled(graph, "native", kind, monkeypatch)) for graph in graphs]

    large, small = found("large"), found("small")
    assert sum(map(bool, large)) >= 4
    assert sum(map(bool, small)) >= 2
    assert max(len(chain.groups) for each in large for chain in each) >= 3
    assert {len(chain.groups) for each in small for chain in each} == {1}


@pytest.mark.parametrize("element", [F32, Quant(I8, (0.1,), (3,))])
def test_extremes_of_a_resized_image(element: Element, monkeypatch: pytest.MonkeyPatch) -> None:
    x = parameter("x", Type((1, 6, 7, 21), element))
    y = argmax(bilinear(x, size=(41, 37)), axis=3, keep=False)
    graph = Graph((x,), (y,), ("y",))
    whole = compiled(graph, "native", "whole", monkeypatch)
    made = compiled(graph, "native", "large", monkeypatch)
    assert not chains(whole)
    ((resized, index),) = [[*chain.groups] for chain in chains(made)]
    assert (len(resized.links), len(index.links)) == (1, 1)
    inputs = random_inputs(graph, np.random.default_rng(0))
    expected = whole.session()(inputs)["y"]
    for threads in range(1, min(3, made.program.threads) + 1):
        np.testing.assert_array_equal(made.session(threads)(inputs)["y"], expected)
