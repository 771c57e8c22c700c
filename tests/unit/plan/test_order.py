"""order_steps: legal, never worse, best of all orders on small graphs, quick on large ones."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from hypothesis import assume, given, settings

from tests.unit.plan.programs import Program, programs
from whet.plan import Step, order_steps


def _ordered(program: Program) -> Program:
    steps = order_steps(
        program.steps,
        program.sizes,
        views=program.views,
        pinned=program.pinned,
        outputs=program.outputs,
    )
    return replace(program, steps=list(steps))


def _is_legal(steps: Sequence[Step]) -> bool:
    maker = {name: index for index, step in enumerate(steps) for name in step.writes}
    return all(maker.get(n, -1) < i for i, step in enumerate(steps) for n in step.reads)


def _orders(left: list[Step], known: set[str], made: set[str]) -> Iterator[list[Step]]:
    if not left:
        yield []
    for step in left:
        if all(name in known or name not in made for name in step.reads):
            rest = [other for other in left if other is not step]
            for tail in _orders(rest, known | set(step.writes), made):
                yield [step, *tail]


def test_the_example_in_the_docstring() -> None:
    steps = [
        Step("a", ("x",), ("p",)),
        Step("b", ("x",), ("q",)),
        Step("c", ("p",), ("r",)),
        Step("d", ("r", "q"), ("y",)),
    ]
    sizes = {"x": 64, "p": 640, "q": 640, "r": 64, "y": 64}
    program = _ordered(Program(steps, sizes, outputs=("y",)))
    assert [step.name for step in program.steps] == ["a", "c", "b", "d"]


def test_a_chain_stays_as_it_is() -> None:
    steps = [Step(f"f{i}", (f"v{i}",), (f"v{i + 1}",)) for i in range(50)]
    sizes = {f"v{i}": 64 * (1 + i % 7) for i in range(51)}
    assert _ordered(Program(steps, sizes)).steps == steps


def test_branches_run_one_after_the_other() -> None:
    steps = [Step(f"wide{i}", ("x",), (f"w{i}",)) for i in range(6)]
    steps += [Step(f"narrow{i}", (f"w{i}",), (f"n{i}",)) for i in range(6)]
    steps += [Step("join", tuple(f"n{i}" for i in range(6)), ("y",))]
    sizes = {"x": 64, "y": 64} | {f"w{i}": 6400 for i in range(6)} | {f"n{i}": 64 for i in range(6)}
    program = Program(steps, sizes, outputs=("y",))
    assert program.plan().lower_bound > 6 * 6400
    assert _ordered(program).plan().lower_bound == 6400 + 6 * 64


@settings(max_examples=150, deadline=None)
@given(programs())
def test_never_worse_legal_and_repeatable(program: Program) -> None:
    if program.states_swap():
        return
    ordered = _ordered(program)
    assert sorted(step.name for step in ordered.steps) == sorted(s.name for s in program.steps)
    assert _is_legal(ordered.steps)
    assert ordered.plan(effort=0).lower_bound <= program.plan(effort=0).lower_bound
    assert _ordered(program).steps == ordered.steps


@settings(max_examples=60, deadline=None)
@given(programs(max_steps=6))
def test_small_graphs_are_ordered_best(program: Program) -> None:
    steps = [replace(step, inplace=()) for step in program.steps]
    program = replace(program, steps=steps, pinned={state: state for state in program.pinned})
    made = {name for step in steps for name in step.writes}
    read = {name for step in steps for name in step.reads}
    assume(set(program.sizes) <= made | read | set(program.pinned))
    bounds = [
        replace(program, steps=order).plan(effort=0).lower_bound
        for order in _orders(steps, set(), made)
    ]
    assert _ordered(program).plan(effort=0).lower_bound == min(bounds)


def test_a_wide_graph_of_500_steps_is_ordered_within_a_second() -> None:
    chance = random.Random(3)
    names, steps, sizes = ["x"], [], {"x": 64}
    for index in range(500):
        reads = tuple({chance.choice(names[-25:]) for _ in range(2)})
        steps.append(Step(f"f{index}", reads, (f"v{index}",)))
        sizes[f"v{index}"] = 64 * chance.randint(1, 100)
        names.append(f"v{index}")
    program = Program(steps, sizes, outputs=(names[-1],))
    spent = 1.0
    for _ in range(3):
        begin = time.process_time()
        ordered = _ordered(program)
        spent = min(spent, time.process_time() - begin)
    before, after = program.plan(effort=0).lower_bound, ordered.plan(effort=0).lower_bound
    assert after < before
    assert spent < 1
