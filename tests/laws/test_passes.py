"""Every pass keeps what graphs mean, alone and after the others."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tests.laws.agreement import agree, random_inputs
from tests.laws.random_graphs import CODE, Maker
from whet.errors import CompileError
from whet.ir.element import F32
from whet.ir.graph import Graph
from whet.ir.leaf import parameter
from whet.ir.node import Node
from whet.ir.type import Type
from whet.ir.verify import signature, verify
from whet.ops.elementwise import neg
from whet.passes import pipeline
from whet.passes.pipeline import PASSES, Pass, optimize
from whet.rewrite.rule import Replacement, Uses, rule

SEEDS = range(60)


@pytest.mark.parametrize("seed", SEEDS)
def test_optimize_keeps_random_graphs(seed: int) -> None:
    graph = Maker(seed).graph(12)
    changed = optimize(graph)
    agree(graph, changed, random_inputs(graph, np.random.default_rng(seed)), 1e-4)


@pytest.mark.parametrize("step", PASSES, ids=lambda step: step.name)
def test_pass_alone_keeps_random_graphs(step: Pass) -> None:
    for seed in range(100, 130):
        graph = Maker(seed).graph(10)
        changed = step.run(graph, Counter())
        verify(changed, signature(graph))
        agree(graph, changed, random_inputs(graph, np.random.default_rng(seed)), 1e-4)


@pytest.mark.parametrize("seed", range(200, 260))
def test_quantised_steps_move_by_a_code_at_most(seed: int) -> None:
    """Each step is quantised before and after; its integer meaning rounds once."""
    graph = Maker(seed, quantized=True).graph(1)
    changed = optimize(graph)
    inputs = random_inputs(graph, np.random.default_rng(seed))
    agree(graph, changed, inputs, absolute=CODE)


def _breaks() -> Pass:
    @rule(neg)
    def forget(node: Node, uses: Uses) -> Replacement:
        """-x -> x, which is wrong only in what it means, so the type law cannot see it."""
        return node.inputs[0]

    def run(graph: Graph, fired: Counter[str]) -> Graph:
        made = pipeline.rewrite(graph, (forget,), fired)
        return Graph(made.inputs, made.outputs, ("other",))

    return Pass("break", run, (forget,))


def test_a_failing_pass_is_named_with_its_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    x = parameter("x", Type((2,), F32))
    monkeypatch.setattr(pipeline, "PASSES", (_breaks(),))
    with pytest.raises(CompileError, match=r"pass break: .*rules fired: forget"):
        optimize(Graph((x,), (neg(x),), ("y",)))


def test_observers_see_every_pass_and_the_rules_it_fired() -> None:
    seen: dict[str, Counter[str]] = {}
    graph = Maker(3).graph(8)
    optimize(graph, lambda name, _, fired: seen.update({name: Counter(fired)}))
    assert list(seen) == ["import", *(step.name for step in PASSES)]
    assert sum(sum(fired.values()) for fired in seen.values()) > 0
