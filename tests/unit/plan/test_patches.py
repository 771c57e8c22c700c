"""Stages in patches: what is chosen under a budget, what is refused, and what it costs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import whet
from whet.emit.program import Strips
from whet.errors import CompileError, InputError
from whet.importers import import_model
from whet.ir.element import F32
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.node import Value
from whet.ir.type import Type
from whet.ops.convolution import conv
from whet.ops.elementwise import add
from whet.ops.reduction import reduce_mean
from whet.passes.pipeline import optimize
from whet.plan import program
from whet.plan.patches import Patched, Room, plan_in_patches
from whet.plan.program import Aim, plan_program
from whet.plan.sections import outlooks, points
from whet.targets.host import host

NUMBERS = np.random.default_rng(11)


def layer(x: Value, outs: int, taps: int = 3, stride: int = 1) -> Value:
    w = constant(NUMBERS.normal(0, 0.3, (outs, taps, taps, x.shape[-1])).astype(np.float32))
    pads = ((taps - 1) // 2,) * 2
    return conv(x, w, stride=(stride,) * 2, dilation=(1, 1), low=pads, high=pads)


def funnel(size: int = 32) -> Graph:
    """A wide image that becomes a small one: 3, 16, then a block of 16 at half the size, then 4."""
    x = parameter("x", Type((1, size, size, 3), F32))
    y = layer(layer(x, 16), 16, stride=2)
    y = add(y, layer(layer(y, 32), 16))
    y = layer(y, 4, stride=2)
    return Graph((x,), (reduce_mean(y, axes=(1, 2)),), ("y",))


def planned(graph: Graph, room: Room) -> Patched:
    return plan_in_patches(graph, partial(plan_program, target=host("x86-64")), room)


def test_a_budget_that_is_no_burden_changes_nothing() -> None:
    graph = optimize(funnel())
    found = planned(graph, Room(1 << 20))
    assert found.graph is graph
    assert (found.sections, found.extra) == ((), 0.0)


def test_bands_do_not_cost_strips_where_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "SHORTEST_NANOSECONDS", 0)
    on = replace(host("x86-64"), threads=2)
    graph = optimize(import_model(Path(whet.__file__).parent / "demo/digits_int8.onnx"))
    packed, banded = (plan_program(graph, on, aim=aim) for aim in (Aim.PACKED, Aim.FASTEST))
    assert banded.memory.arena_bytes > packed.memory.arena_bytes
    room = Room(packed.memory.arena_bytes)
    found = plan_in_patches(graph, partial(plan_program, target=on), room)
    assert found.sections == ()
    assert found.planned.memory == packed.memory
    assert any(isinstance(step, Strips) for step in found.planned.program.main.steps)


def test_less_memory_takes_more_work() -> None:
    graph = optimize(funnel())
    whole = planned(graph, Room(1 << 20)).whole_bytes
    half, least = planned(graph, Room(whole // 2)), planned(graph, Room())
    assert half.planned.memory.arena_bytes <= whole // 2
    assert least.planned.memory.arena_bytes < half.planned.memory.arena_bytes
    assert 0 < half.extra < least.extra


def test_every_patch_has_the_shape_that_was_asked_for() -> None:
    found = planned(optimize(funnel()), Room(None, ((3, 1),)))
    assert found.sections
    assert all((s.rows, s.columns) == (3, 1) for s in found.sections)


def test_what_fits_nowhere_is_one_line_with_the_smallest_arena() -> None:
    with pytest.raises(CompileError, match=r"smallest found takes .*\(\d+ bytes\); try: --ram \d+"):
        planned(optimize(funnel()), Room(1000))


def test_the_estimate_of_a_stage_is_near_its_plan() -> None:
    graph = optimize(funnel())
    before = plan_program(graph, host("x86-64"))
    ends = points(graph, tuple(before.scratch))
    grids = ((2, 1), (4, 1), (2, 2), (4, 4))
    found = outlooks(graph, before.scratch, ends, grids)
    assert (0, len(ends) - 2) in found
    for g, grid in enumerate(grids):
        made = planned(graph, Room(None, (grid,)))
        section = made.sections[0]
        key = tuple(
            next(i for i, p in enumerate(ends) if p.value is v)
            for v in (section.start, section.cut)
        )
        estimate = found[key].peak[g]  # type: ignore[index]
        assert estimate == pytest.approx(made.planned.memory.arena_bytes, rel=0.3)


def test_strips_of_an_input_are_read_where_they_lie() -> None:
    made = whet.compile(funnel(), "host", cpu="x86-64", patches=(4, 1))
    titles = [step.stage.title for step in made.program.main.steps if hasattr(step, "stage")]
    assert not any("slice" in title or "concat" in title for title in titles)
    x = {"x": NUMBERS.normal(size=(1, 32, 32, 3)).astype(np.float32)}
    meaning = whet.evaluate(made.model, x)["y"]
    np.testing.assert_allclose(made.session()(x)["y"], meaning, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("patches", [(0, 4), [4, 4], "4x4", (4,), (2, 2.0), (True, 2), 4, ()])
def test_patches_that_are_no_pair_of_sizes_are_refused(patches: object) -> None:
    with pytest.raises(InputError, match=r"patches .*: patches are \(rows, columns\).*; try: "):
        whet.compile(funnel(), patches=patches)  # type: ignore[arg-type]


def test_patches_of_one_shape_share_their_code() -> None:
    made = whet.compile(funnel(40), patches=(10, 1))
    calls = [step for step in made.program.main.steps if hasattr(step, "stage")]
    assert len(calls) == 10 * 5 + 1
    assert made.source.count("static void stage_") < 25
