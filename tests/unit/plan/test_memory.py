"""plan_memory: in-place, views and states share memory exactly where nothing is lost."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings

from tests.unit.plan.programs import Program, programs
from whet.errors import CompileError
from whet.plan import Step, plan_memory, validate_plan


def test_the_picture_in_the_docstring() -> None:
    steps = [
        Step("conv", ("x",), ("a",)),
        Step("relu", ("a",), ("b",), inplace=(("b", "a"),)),
        Step("pool", ("b",), ("c",)),
    ]
    plan = plan_memory(steps, {"x": 64, "a": 192, "b": 192, "c": 64}, outputs=("c",))
    assert plan.arena_bytes == plan.lower_bound == 256
    assert plan.offsets["a"] == plan.offsets["b"]
    assert plan.gap == 0
    assert plan.optimal


def test_an_input_read_later_is_not_overwritten() -> None:
    steps = [
        Step("relu", ("x",), ("y",), inplace=(("y", "x"),)),
        Step("add", ("x", "y"), ("z",), inplace=(("z", "x"), ("z", "y"))),
    ]
    plan = plan_memory(steps, dict.fromkeys("xyz", 64), outputs=("z",))
    assert plan.offsets["x"] != plan.offsets["y"]
    assert plan.offsets["z"] == plan.offsets["x"]
    assert plan.arena_bytes == 128


def test_an_output_is_not_overwritten() -> None:
    steps = [Step("relu", ("x",), ("y",), inplace=(("y", "x"),))]
    plan = plan_memory(steps, {"x": 64, "y": 64}, outputs=("x", "y"))
    assert plan.arena_bytes == 128


def test_in_place_is_refused_through_a_shifted_view_of_the_input() -> None:
    views = {"tail": ("x", 64), "head": ("x", 0)}
    sizes = {"x": 128, "tail": 64, "head": 64, "y": 64}
    steps = [
        Step("split", ("x",), ("head", "tail")),
        Step("add", ("head", "tail"), ("y",), inplace=(("y", "head"),)),
    ]
    plan = plan_memory(steps, sizes, views=views, outputs=("y",))
    assert plan.offsets["y"] == plan.offsets["head"]
    shifted = {"tail": ("x", 32), "head": ("x", 0)}
    plan = plan_memory(steps, sizes, views=shifted, outputs=("y",))
    assert plan.offsets["y"] not in range(plan.offsets["x"], plan.offsets["x"] + 128)


def test_two_outputs_do_not_take_the_same_input() -> None:
    steps = [Step("split", ("x",), ("a", "b"), inplace=(("a", "x"), ("b", "x")))]
    plan = plan_memory(steps, dict.fromkeys("xab", 64), outputs=("a",))
    assert plan.offsets["a"] != plan.offsets["b"]


def test_concat_is_written_in_place_and_a_slice_read_in_place() -> None:
    steps = [
        Step("f", ("x",), ("a",)),
        Step("g", ("x",), ("b",)),
        Step("concat", ("a", "b"), ("c",)),
        Step("slice", ("c",), ("tail",)),
        Step("h", ("tail",), ("y",)),
    ]
    sizes = {"x": 64, "a": 64, "b": 128, "c": 192, "tail": 100, "y": 64}
    views = {"a": ("c", 0), "b": ("c", 64), "tail": ("c", 92)}
    plan = plan_memory(steps, sizes, views=views, outputs=("y",))
    base = plan.offsets["c"]
    assert [plan.offsets[n] - base for n in ("a", "b", "tail")] == [0, 64, 92]
    assert plan.arena_bytes == 256


def test_a_state_is_updated_in_place_or_copied() -> None:
    update = Step("update", ("s", "x"), ("next",), inplace=(("next", "s"),))
    read = Step("read", ("s",), ("y",))
    sizes = {"s": 640, "x": 64, "next": 640, "y": 64}
    kept = {"pinned": {"s": "next"}, "outputs": ("y",)}
    before = plan_memory([read, update], sizes, **kept)
    assert before.copies == ()
    assert before.offsets["next"] == before.offsets["s"]
    after = plan_memory([update, read], sizes, **kept)
    assert after.copies == (("next", "s"),)
    assert after.offsets["next"] != after.offsets["s"]


def test_only_its_next_value_may_take_the_place_of_a_state() -> None:
    steps = [Step("relu", ("s",), ("y",), inplace=(("y", "s"),)), Step("f", (), ("next",))]
    plan = plan_memory(steps, dict.fromkeys(("s", "y", "next"), 64), pinned={"s": "next"})
    assert plan.offsets["y"] != plan.offsets["s"]
    assert plan.copies == (("next", "s"),)


def test_a_shift_register_is_copied_oldest_first() -> None:
    steps = [Step("f", ("s0", "s1"), ("x",))]
    pinned = {"s0": "x", "s1": "s0"}
    plan = plan_memory(steps, dict.fromkeys(("s0", "s1", "x"), 64), pinned=pinned)
    assert plan.copies == (("s0", "s1"), ("x", "s0"))
    validate_plan(plan, steps, dict.fromkeys(("s0", "s1", "x"), 64), pinned=pinned)


def test_values_without_a_size_are_external() -> None:
    steps = [Step("f", ("x", "weights"), ("y",)), Step("g", ("y",), ("out",))]
    plan = plan_memory(steps, {"x": 64, "y": 64})
    assert set(plan.offsets) == {"x", "y"}


def test_scratch_lives_for_its_step_only() -> None:
    steps = [
        Step("f", ("x",), ("y",), scratch_bytes=256),
        Step("g", ("y",), ("z",), scratch_bytes=256),
    ]
    plan = plan_memory(steps, dict.fromkeys("xyz", 64), outputs=("z",))
    assert plan.arena_bytes == 384
    assert set(plan.scratch) == {"f", "g"}


def test_an_empty_program_needs_no_memory() -> None:
    plan = plan_memory([], {})
    assert plan.arena_bytes == 0
    assert plan.gap == 0


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (Program([Step("f", ("y",), ("y",))], {"y": 1}), "read before it is written: y in f"),
        (
            Program([Step("f", (), ("y",)), Step("g", (), ("y",))], {"y": 1}),
            "value written by two steps: y: f and g",
        ),
        (
            Program([Step("f", ("x",), ("y",))], {"x": 64, "y": 65}, {"y": ("x", 0)}),
            "view outside its root: y",
        ),
        (
            Program([Step("f", (), ("y",))], {"x": 64, "y": 64}, {"y": ("x", 0)}),
            "view without its step: y",
        ),
        (
            Program([], {"a": 1, "b": 1}, {"a": ("b", 0), "b": ("a", 0)}),
            "views form a cycle",
        ),
        (
            Program([Step("f", ("x",), ("y",), (("x", "y"),))], {"x": 1, "y": 1}),
            "in-place pair is not of its step: f",
        ),
        (
            Program([Step("f", ("a", "b"))], {"a": 1, "b": 1}, {}, {"a": "b", "b": "a"}),
            "pinned values swap places: a, b",
        ),
        (Program([], {"x": -1}), "negative size: x"),
        (Program([Step("f"), Step("f")], {}), "two steps share a name: f"),
        (Program([Step("f", ("x",))], {"x": 1}, outputs=("nought",)), "unknown output: nought"),
    ],
)
def test_a_wrong_program_is_refused_by_name(program: Program, said: str) -> None:
    with pytest.raises(CompileError, match=said):
        program.plan()


@settings(max_examples=150, deadline=None)
@given(programs())
def test_every_plan_is_valid_and_repeatable(program: Program) -> None:
    assume(not program.states_swap())
    plan = program.plan()
    program.validate(plan)
    assert plan.arena_bytes >= plan.lower_bound
    assert program.plan() == plan
