"""Which layers are put in strips, and what a thread holds of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from whet.emit.program import Step, Strips
from whet.ir.element import F32
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.node import Value
from whet.ir.type import Type
from whet.ops.convolution import conv
from whet.ops.elementwise import add
from whet.passes.pipeline import optimize
from whet.plan import program
from whet.plan.program import Aim, Planned, plan_program
from whet.targets.host import host
from whet.targets.registry import target
from whet.targets.target import Target

HOST = replace(host("x86-64"), l1=32 << 10, l2=1 << 20, threads=2)


def layer(
    x: Value, outputs: int, k: int = 1, stride: int = 1, depthwise: bool = False,
    more: tuple[int, int] = (0, 0),
) -> Value:  # fmt: skip
    """more: rows of padding above and below, beside those that keep the size."""
    channels, (above, below) = int(str(x.shape[-1])), more
    w, half = np.full((outputs, k, k, 1 if depthwise else channels), 0.01, np.float32), k // 2
    return conv(
        x, constant(w), None, stride=(stride, stride), dilation=(1, 1), low=(half + above, half),
        high=(half + below, half), groups=channels if depthwise else 1,
    )  # fmt: skip


def block(size: int = 56, width: int = 96, stride: int = 1, narrow: int = 16) -> Graph:
    """An inverted residual block: wider, depthwise, narrow again; added where it can be."""
    x = parameter("x", Type((1, size, size, narrow), F32))
    y = layer(layer(layer(x, width), width, 3, stride, depthwise=True), narrow)
    return optimize(Graph((x,), (add(y, x) if stride == 1 else y,), ("y",)))


def planned(graph: Graph, on: Target = HOST, aim: Aim = Aim.FASTEST) -> Planned:
    return plan_program(graph, on, aim=aim)


def strips(made: Planned) -> list[Strips]:
    return [step for step in made.program.main.steps if isinstance(step, Strips)]


@pytest.mark.parametrize("stride", [1, 2])
def test_a_block_is_one_step_in_two_groups(stride: int) -> None:
    (chain,) = strips(planned(block(112, stride=stride)))
    expand, narrow = chain.groups
    assert (len(expand.links), len(narrow.links)) == (1, 2)
    assert (narrow.taps, narrow.stride, narrow.low) == (3, stride, 1)
    assert narrow.links[-1].held is None
    assert chain.each <= HOST.l2 // 4


def test_a_plan_in_strips_needs_less_memory() -> None:
    graph = block(112)
    whole, made = planned(graph, aim=Aim.SMALLEST), planned(graph)
    assert made.memory.arena_bytes < whole.memory.arena_bytes // 2


def test_a_small_result_stays_whole_where_windows_read_it() -> None:
    x = parameter("x", Type((1, 14, 14, 16), F32))
    assert not strips(planned(Graph((x,), (layer(layer(x, 32), 16, 3),), ("y",))))


def test_a_small_result_stays_with_a_thread_where_single_rows_read_it() -> None:
    on = replace(HOST, l1=48 << 10)
    whole, made = planned(block(14), on, aim=Aim.SMALLEST), planned(block(14), on)
    (chain,) = strips(made)
    ((depthwise, narrow),) = [group.links for group in chain.groups]
    assert (depthwise.rows, narrow.rows, chain.strip) == (14, 14, 7)
    assert made.memory.arena_bytes <= whole.memory.arena_bytes


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("more", [(0, 1), (1, 0), (1, 1), (0, 3), (2, 1)])
@pytest.mark.parametrize("size", [15, 113])
def test_rows_of_padding_alone_are_made_whole(
    size: int, more: tuple[int, int], depthwise: bool
) -> None:
    """They have no row of the layer before to be made of; it has fewer rows than they are."""
    x = parameter("x", Type((1, size, size, 96), F32))

    def made(more: tuple[int, int]) -> Planned:
        y = layer(layer(x, 96, 3, depthwise=depthwise), 16, more=more)
        return planned(Graph((x,), (y,), ("y",)), replace(HOST, l1=512 << 10))

    assert not strips(made(more))
    assert strips(made((0, 0)))


@pytest.mark.parametrize(("size", "threads"), [(14, 1), (7, 2), (14, 8)])
def test_small_results_stay_whole_where_threads_gain_nothing(
    size: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "SHORTEST_NANOSECONDS", 0)
    assert not strips(planned(block(size), replace(HOST, l1=96 << 10, threads=threads)))


def test_small_results_stay_whole_where_threads_never_share_a_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not strips(planned(block(6)))
    monkeypatch.setattr(program, "SHORTEST_NANOSECONDS", 0)
    assert strips(planned(block(6)))


def test_a_layer_with_heavy_weights_stays_whole() -> None:
    graph = block(56, narrow=128)
    assert not strips(planned(graph))
    assert strips(planned(graph, replace(HOST, l1=1 << 20)))


def test_a_result_with_two_readers_ends_a_chain() -> None:
    x = parameter("x", Type((1, 112, 112, 16), F32))
    wide = layer(x, 96)
    y = layer(layer(wide, 96, 3, depthwise=True), 16)
    (chain,) = strips(planned(optimize(Graph((x,), (y, wide), ("y", "wide")))))
    assert len(chain.links) == 2


def test_a_target_whose_caches_are_unknown_has_no_strips() -> None:
    assert not strips(planned(block(112), target("aarch64")))


def test_no_strips_where_no_row_fits() -> None:
    assert not strips(planned(block(112), replace(HOST, l2=100 << 10)))


def test_every_thread_has_rows_of_its_own() -> None:
    graph = block(112)
    one, many = (strips(planned(graph, replace(HOST, threads=n)))[0] for n in (1, 8))
    assert many.strip * 8 <= 112 + 7
    assert many.strip <= one.strip


def test_each_thread_keeps_its_scratch_in_all_steps() -> None:
    made = planned(block(112), replace(HOST, threads=3))
    found = {(c.memory, c.each) for c in strips(made)}
    steps = [s for s in made.program.main.steps if isinstance(s, Step) and s.each]
    found |= {(s.scratch, s.each) for s in steps if s.scratch is not None}
    assert len(found) == 1
    ((place, each),) = found
    held = [p for p in made.memory.placements if p.offset == place.offset and p.buffer.size]
    assert held[0].buffer.size >= 3 * each
    assert (held[0].buffer.start, held[0].buffer.end) == (0, len(made.scratch))
