"""Buffers around one centre: apart while they live, and never much more memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings

from tests.unit.plan.programs import Program, buffer_lists, programs
from whet.ir.element import F32
from whet.ir.graph import Graph, State
from whet.ir.leaf import constant, parameter, state
from whet.ir.node import Value
from whet.ir.type import Type
from whet.ops.elementwise import add, mul
from whet.ops.matmul import matmul
from whet.plan import Buffer, pack, validate_placements
from whet.plan import program as planning
from whet.plan.bands import GROWTH, in_bands
from whet.plan.program import Aim, plan_program
from whet.targets.host import host

SIZES = [4096, 8192, 2048, 4096, 1024, 512]
CHAIN = [Buffer(str(i), size, i, i + 2) for i, size in enumerate(SIZES)]
HOST = replace(host("x86-64"), threads=2)


@settings(max_examples=100, deadline=None)
@given(buffer_lists())
def test_buffers_stay_apart_in_an_arena_that_is_hardly_larger(buffers: list[Buffer]) -> None:
    packed = pack(buffers, effort=200)
    banded = in_bands(packed)
    assert [p.buffer for p in banded.placements] == buffers
    validate_placements(banded.placements, banded.arena_bytes)
    assert banded.arena_bytes <= packed.arena_bytes * (1 + GROWTH)


def test_a_chain_has_two_centres() -> None:
    banded = in_bands(pack(CHAIN))
    assert banded.arena_bytes == 4096 + 8192
    centres = [placed.offset + placed.buffer.size // 2 for placed in banded.placements]
    assert len(set(centres)) == 2
    assert centres[0::2] == centres[:1] * 3


def test_buffers_stay_where_bands_would_take_much_more() -> None:
    wide = [Buffer("a", 1024, 0, 1), Buffer("b", 1024, 0, 1), Buffer("c", 2048, 1, 2)]
    packed = pack(wide)
    assert in_bands(packed) == packed


def test_a_proof_of_least_holds_where_the_arena_is_no_larger() -> None:
    packed = pack(CHAIN)
    by_search = replace(packed, lower_bound=packed.arena_bytes - 64)
    assert in_bands(by_search).optimal
    assert not in_bands(replace(by_search, optimal=False)).optimal


@settings(max_examples=100, deadline=None)
@given(programs())
def test_bands_keep_every_value(program: Program) -> None:
    assume(not program.states_swap())
    program.validate(program.plan(shared=True))


def stateful() -> Graph:
    """Layers of several widths, of which one adds in place and one makes the next state."""
    x, held = parameter("x", Type((16, 64), F32)), state("held", Type((16, 80), F32))

    def layer(x: Value, width: int) -> Value:
        return matmul(x, constant(np.full((int(str(x.shape[-1])), width), 0.01, np.float32)))

    wide = layer(mul(layer(x, 80), held), 128)
    moved = add(wide, constant(np.float32(1)))
    after = layer(layer(moved, 96), 80)
    states = (State("held", held, after, np.zeros((16, 80), np.float32)),)
    return Graph((x,), (layer(after, 8),), ("y",), states)


def test_a_program_in_bands_keeps_its_states(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "SHORTEST_NANOSECONDS", 0)
    packed, banded = (plan_program(stateful(), HOST, aim=aim) for aim in (Aim.PACKED, Aim.FASTEST))
    assert banded.memory.offsets != packed.memory.offsets
    validate_placements(banded.memory.placements, banded.memory.arena_bytes)
    spans = [(p.buffer.start, p.buffer.end) for p in banded.memory.placements]
    assert (0, len(banded.scratch)) in spans
    assert len(spans) < len(banded.memory.offsets)


def test_a_program_that_threads_never_share_has_no_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "SHORTEST_NANOSECONDS", 1e9)
    one, two = (plan_program(stateful(), replace(HOST, threads=n)) for n in (1, 2))
    assert not two.program.shared
    assert two.memory == one.memory
