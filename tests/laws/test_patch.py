"""Layers in patches mean what they mean whole: the same bits in integers, floats in tolerance."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import whet
from tests.laws.agreement import agree, random_inputs
from tests.laws.random_images import Chain
from whet.errors import CompileError
from whet.ir.graph import Graph
from whet.passes.patch import Section, patch
from whet.passes.pipeline import optimize
from whet.plan.patches import Room, plan_in_patches
from whet.plan.program import plan_program
from whet.targets.host import host


def patched(graph: Graph, random: np.random.Generator) -> Graph | None:
    """The graph, its layers up to some image in a random grid; None where it has no such layers."""
    images = [
        n.outputs[0]
        for n in graph.nodes
        if n.op.family not in ("leaf", "movement") and len(n.outputs[0].shape) == 4
    ]
    cut = images[-1 - int(random.integers(min(2, len(images))))]
    rows, columns = (int(random.integers(1, min(5, int(str(d)) + 1))) for d in cut.shape[1:3])
    try:
        return patch(graph, [Section(graph.inputs[0], cut, rows, columns)])
    except CompileError:
        return None


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_patches_mean_what_the_layers_mean(seed: int, quantized: bool) -> None:
    graph, random = Chain(seed, quantized).graph(), np.random.default_rng(seed)
    changed = patched(graph, random)
    if changed is not None:
        agree(graph, changed, random_inputs(graph, random), absolute=0.0)


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_a_compiled_model_in_patches_gives_its_results(seed: int, quantized: bool) -> None:
    graph = Chain(100 + seed, quantized).graph()
    compiled = whet.compile(graph, patches="auto")
    inputs = random_inputs(graph, np.random.default_rng(seed))
    whole = whet.compile(graph).session()(inputs)["y"]
    made = compiled.session()(inputs)["y"]
    if quantized:
        np.testing.assert_array_equal(made, whole)
    else:
        np.testing.assert_allclose(made, whole, rtol=1e-5, atol=1e-5 * np.abs(whole).max())


@pytest.mark.parametrize("seed", range(12))
def test_a_plan_in_patches_is_never_larger(seed: int) -> None:
    graph, target = optimize(Chain(200 + seed, quantized=True).graph(8)), host()
    found = plan_in_patches(graph, partial(plan_program, target=target), Room())
    assert found.planned.memory.arena_bytes <= found.whole_bytes
