"""Values that lie within wider ones keep what a graph means, and never ask for a larger arena.

Rows of them lie apart from each other in bytes that other values own as well: what writes them,
what reads them and what is alive at the time all have to know it.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import whet
from tests.laws.agreement import random_inputs
from tests.laws.random_parts import Parts, beside
from whet.ir.graph import Graph
from whet.passes.pipeline import optimize
from whet.plan import program
from whet.plan.bands import GROWTH
from whet.plan.patches import Room, plan_in_patches
from whet.plan.program import Aim, plan_program
from whet.targets.host import host

TOGETHER, PLANNED = 8, 20


def close(graph: Graph, **options: object) -> None:
    """Assert that compiled results are as far from their meaning as sums in other orders are."""
    given = random_inputs(graph, np.random.default_rng(0))
    want, compiled = whet.evaluate(graph, given), whet.compile(graph, **options)
    for threads in (1, 2):
        session = compiled.session(threads)
        for got in (session(given), session(given)):
            for name, expected in want.items():
                by = 1e-5 * np.abs(expected).max(initial=1.0)
                np.testing.assert_allclose(got[name], expected, 1e-5, by, err_msg=name)


def arenas(graph: Graph) -> dict[Aim, int]:
    plans = {aim: plan_program(graph, host(), aim=aim) for aim in Aim}
    return {aim: plan.memory.arena_bytes for aim, plan in plans.items()}


def check_plans(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan a graph for every aim: plans are validated as they are made."""
    graph = optimize(Parts(seed).graph())
    within = arenas(graph)
    with monkeypatch.context() as without:
        without.setattr(program, "find_within", lambda *_: {})
        apart = arenas(graph)
    for aim, size in within.items():
        assert size <= apart[aim] * (1 + GROWTH if aim is Aim.FASTEST else 1), aim


def slow(seeds: range) -> list[object]:
    return [pytest.param(seed, marks=pytest.mark.slow) for seed in seeds]


@pytest.mark.parametrize("first", [0, 20, 40, *slow(range(60, 1000, PLANNED))])
def test_plans_are_no_larger_than_without(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(first, first + PLANNED):
        check_plans(seed, monkeypatch)


@pytest.mark.parametrize("first", [0, 20, 40])
def test_plans_in_patches_are_no_larger_than_whole(first: int) -> None:
    for seed in range(first, first + PLANNED, 5):
        graph = optimize(Parts(seed).graph())
        found = plan_in_patches(graph, partial(plan_program, target=host()), Room())
        assert found.planned.memory.arena_bytes <= found.whole_bytes, seed


@pytest.mark.parametrize("patches", [None, "auto"])
@pytest.mark.parametrize("first", [0, 8, *slow(range(16, 240, TOGETHER))])
def test_compiled_results_are_what_graphs_mean(first: int, patches: str | None) -> None:
    graphs = [Parts(seed).graph() for seed in range(first, first + TOGETHER)]
    close(beside(graphs), patches=patches)
