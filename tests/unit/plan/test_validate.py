"""The validator refuses plans that are wrong, by the names of both values."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.unit.plan.programs import Program, buffer_lists, programs
from whet.errors import CompileError
from whet.plan import Buffer, MemoryPlan, Placement, Step, pack, validate_placements

CHAIN = Program(
    [Step("f", ("x",), ("y",)), Step("g", ("x", "y"), ("z",), (("z", "y"),), 64)],
    dict.fromkeys("xyz", 64),
    outputs=("z",),
)


def _moved(plan: MemoryPlan, **offsets: int) -> MemoryPlan:
    return replace(plan, offsets={**plan.offsets, **offsets})


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0, 32, "misaligned: b: offset 32"),
        (0, 128, "outside the arena: b"),
        (-64, 0, "outside the arena: a"),
        (0, 0, "live buffers overlap: a and b"),
    ],
)
def test_a_wrong_placement_is_named(low: int, high: int, said: str) -> None:
    a, b = Buffer("a", 64, 0, 2), Buffer("b", 64, 1, 3)
    with pytest.raises(CompileError, match=said):
        validate_placements([Placement(a, low), Placement(b, high)], 128)


def test_a_value_written_over_before_it_is_read_is_named_with_its_successor() -> None:
    plan = CHAIN.plan()
    CHAIN.validate(plan)
    with pytest.raises(CompileError, match="output overlaps an input: y and x"):
        CHAIN.validate(_moved(plan, y=plan.offsets["x"]))
    with pytest.raises(CompileError, match="output overlaps an input: z and x"):
        CHAIN.validate(_moved(plan, z=plan.offsets["x"]))
    with pytest.raises(CompileError, match="outputs overlap: scratch of g and z"):
        CHAIN.validate(_moved(plan, z=plan.scratch["g"]))


def test_a_value_lost_between_its_steps_is_named() -> None:
    program = Program(
        [Step("f", (), ("a",)), Step("g", (), ("b",)), Step("h", ("a", "b"), ("c",))],
        dict.fromkeys("abc", 64),
    )
    plan = program.plan()
    with pytest.raises(CompileError, match="overwritten before it is read: a and b: step h"):
        program.validate(_moved(plan, b=plan.offsets["a"]))


def test_a_state_must_hold_its_next_value_at_the_end() -> None:
    program = Program([Step("f", ("s",), ("n",))], {"s": 64, "n": 64}, pinned={"s": "n"})
    plan = program.plan()
    program.validate(plan)
    with pytest.raises(CompileError, match="s and s: the next run reads n as s"):
        program.validate(replace(plan, copies=()))


def test_a_view_must_lie_where_its_root_says() -> None:
    program = Program(
        [Step("slice", ("x",), ("v",)), Step("f", ("v",), ("y",))],
        {"x": 128, "v": 64, "y": 64},
        {"v": ("x", 64)},
    )
    plan = program.plan()
    with pytest.raises(CompileError, match="view outside its root: v and x"):
        program.validate(_moved(plan, v=plan.offsets["x"]))


@settings(max_examples=100, deadline=None)
@given(buffer_lists(), st.data())
def test_a_buffer_moved_onto_a_live_one_is_refused(
    buffers: list[Buffer], data: st.DataObject
) -> None:
    packing = pack(buffers, effort=0)
    pairs = [
        (i, j)
        for i, a in enumerate(buffers)
        for j, b in enumerate(buffers)
        if i != j and a.size and b.size and a.start < b.end and b.start < a.end
    ]
    assume(pairs)
    moved, onto = data.draw(st.sampled_from(pairs))
    placements = list(packing.placements)
    placements[moved] = Placement(buffers[moved], placements[onto].offset)
    with pytest.raises(CompileError):
        validate_placements(placements, packing.arena_bytes)


@settings(max_examples=100, deadline=None)
@given(programs(), st.data())
def test_a_shrunk_arena_is_refused(program: Program, data: st.DataObject) -> None:
    assume(not program.states_swap())
    plan = program.plan(effort=0)
    tops = [placed.top for placed in plan.placements]
    assume(max(tops, default=0) > 0)
    arena = data.draw(st.integers(0, max(tops) - 1))
    with pytest.raises(CompileError, match="outside the arena"):
        program.validate(replace(plan, arena_bytes=arena))
