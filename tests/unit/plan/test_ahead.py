"""What steps fetch of the weights of those after them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from whet.compiler.build import shared_library
from whet.emit.c import model_c
from whet.emit.program import Fetch, Step
from whet.emit.writer import MACROS
from whet.ir.element import I8, Quant
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.type import Type
from whet.ops.matmul import matmul
from whet.plan.ahead import PACE
from whet.plan.program import plan_program
from whet.session.library import Library
from whet.targets.host import host
from whet.targets.registry import target
from whet.targets.target import Target

HOST = replace(host("x86-64"), l1=32 << 10, l2=2 << 20, threads=2)
WIDTH = 512
WEIGHTS = WIDTH * WIDTH  # bytes of a layer, without bias and scales
CODES = Quant(I8, (0.05,), (3,))


def layers(count: int, rows: int = 64) -> Graph:
    """Products of `rows` rows one after the other, each with its own weights."""
    x = y = parameter("x", Type((rows, WIDTH), CODES))
    for i in range(count):
        w = np.full((WIDTH, WIDTH), i + 1, np.int8)
        y = matmul(y, constant(w, Quant(I8, (0.01,), (0,))), element=CODES)
    return Graph((x,), (y,), ("y",))


def steps(graph: Graph, on: Target = HOST) -> list[Step]:
    actions = plan_program(graph, on).program.main.steps
    return [step for step in actions if isinstance(step, Step)]


def fetches(graph: Graph, on: Target = HOST) -> list[Fetch | None]:
    return [step.fetch for step in steps(graph, on)]


def test_each_layer_fetches_the_next_one() -> None:
    made = steps(layers(6))
    for step, after in pairwise(made):
        assert step.fetch is not None
        assert step.stage.fetches
        assert step.fetch.first == after.weights[0].offset
        assert WEIGHTS <= step.fetch.nbytes < 1.1 * WEIGHTS + step.fetch.turns
        assert step.fetch.pace <= PACE
    assert made[-1].fetch is None


def test_what_is_near_and_not_read_yet_has_half_of_the_second_cache() -> None:
    for l2 in (512 << 10, 1 << 20, 2 << 20):
        for step in steps(layers(6), replace(HOST, l2=l2)):
            if step.fetch is not None:
                own = step.weights[0].offset
                assert step.fetch.first + step.fetch.nbytes - own <= l2 // 2 + step.fetch.turns


@pytest.mark.parametrize(
    ("graph", "on"),
    [(layers(2), HOST), (layers(6, rows=1), HOST), (layers(6), target("wasm"))],
    ids=["all weights stay near", "one row", "no machine at hand"],
)
def test_nothing_is_fetched(graph: Graph, on: Target) -> None:
    assert not any(fetches(graph, on))


def test_the_emitted_call_says_so() -> None:
    program = plan_program(layers(6), HOST).program
    text, first = model_c(program), steps(layers(6))[0].fetch
    assert first is not None
    assert f"fetches up to {first.nbytes} bytes of later weights" in text
    assert f"WEIGHTS({first.first}), PACE({first.pace})" in text


def test_of_two_threads_each_fetches_all_or_as_far_as_a_line_a_turn_gets() -> None:
    text = f"{MACROS}\nint pace(int alone, int parts) {{ return PACE(alone); }}\n"
    library = Library(shared_library((text,), host()))
    pace = library["pace"]
    for alone, of_two in ((20, 40), (32, 64), (33, 64), (PACE, 64)):
        assert pace(alone, 1) == alone
        assert pace(alone, 2) == of_two
    turns = 300
    fetched = [turns // parts * pace(PACE, parts) for parts in (1, 2)]
    assert fetched == [Fetch(0, turns, PACE).nbytes, Fetch(0, turns, PACE).nbytes * 2 // 3]
