"""Layers in strips: threads have room for the rows they hold, hold what they read, and make each
row once. The validator steps what the emitted C does, and refuses what is wrong by name.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.kernels.native import compile_c
from whet.emit import writer
from whet.emit.lowered import Lowered
from whet.emit.program import Group, Link, Place, Stage, Step, Strips
from whet.emit.strips import strips as strips_c
from whet.errors import CompileError
from whet.ir.element import F32
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.type import Type
from whet.ops.convolution import conv
from whet.ops.cost import Cost
from whet.plan import strips
from whet.plan.strips import find_chains
from whet.plan.validate_strips import Turn, validate_strips, walk
from whet.targets.host import host

NONE, THREADS = Cost(), 5


@pytest.fixture(autouse=True)
def all_results_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strips, "LARGE", 1 << 30)
    monkeypatch.setattr(strips, "LESS", 1)


@dataclass(frozen=True)
class Layer:
    """A convolution down the rows of an image one pixel wide, and how it is lowered."""

    taps: int = 1
    stride: int = 1
    low: int = 0
    high: int = 0
    grain: int = 1
    scratch: int = 0


def planned(rows: int, layers: list[Layer], l2: int, threads: int = THREADS) -> list[Strips]:
    """The chains among the layers, where the second cache has so many bytes."""
    y = x = parameter("x", Type((1, rows, 1, 16), F32))
    whole = {}
    for layer in layers:
        w = constant(np.ones((16, layer.taps, 1, 1), np.float32))
        y = conv(
            y, w, stride=(layer.stride, 1), dilation=(1, 1), low=(layer.low, 0),
            high=(layer.high, 0), groups=16,
        )  # fmt: skip
        turns = -(-int(str(y.shape[1])) // layer.grain)
        whole[y.node] = Lowered(
            (), parallel=2 * turns, grain=layer.grain, scratch_each=layer.scratch
        )
    on = replace(host("x86-64"), l1=1 << 20, l2=l2, threads=threads)
    found = find_chains(Graph((x,), (y,), ("y",)), whole, whole.get, on, shared=False)
    made = []
    for chain in found:
        steps = tuple(
            step(layer.node.outputs[0].type, layer.lowered, chain.room(layer.lowered)[0])
            for layer in chain.layers
        )
        made.append(Strips(chain.linked(steps), chain.strip, Place("arena", 256), chain.each))
    return made


def step(title: object, lowered: Lowered, scratch: Place | None) -> Step:
    return Step(Stage(lowered, (), (), (), str(title)), (), (), (), scratch, "", NONE)


@st.composite
def layers(draw: st.DrawFn, padded: bool = True) -> list[Layer]:
    made = []
    for _ in range(draw(st.integers(2, 5))):
        taps = draw(st.sampled_from([1, 1, 2, 3, 5]))
        edge = st.integers(0, taps - 1 if padded else 0)
        grain = draw(st.integers(1, 4)) if padded else 1
        scratch = draw(st.sampled_from([0, 64, 100]))
        made.append(
            Layer(taps, draw(st.integers(1, min(taps, 2))), draw(edge), draw(edge), grain, scratch)
        )
    return made


SIZES = {"rows": st.integers(130, 190), "l2": st.sampled_from([1 << 13, 1 << 14, 1 << 15, 1 << 17])}
QUICK = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(**SIZES, layers=layers())
def test_what_is_planned_is_valid(rows: int, layers: list[Layer], l2: int) -> None:
    found = planned(rows, layers, l2)
    assume(found)
    for chain in found:
        validate_strips(chain, THREADS)


@QUICK
@given(**SIZES, layers=layers(padded=False), which=st.integers(0, 9))
def test_one_row_less_than_is_planned_is_refused(
    rows: int, layers: list[Layer], l2: int, which: int
) -> None:
    """Without padding, and a row at a turn, counts are exact."""

    def less(*given: object) -> list[int]:
        counts = right(*given)
        i = which % len(counts)
        return [count - (i == j) for j, count in enumerate(counts)]

    found = planned(rows, layers, l2, threads=1)
    assume(found)
    right: Callable[..., list[int]] = strips._counts
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strips, "_counts", less)
        found = planned(rows, layers, l2, threads=1)
    assume(found)
    with pytest.raises(CompileError, match=r"what a thread holds|scratch overlaps"):
        validate_strips(found[0], 1)


CHAIN = [Layer(grain=2, scratch=64), Layer(3, low=1, high=1, scratch=128), Layer(), Layer(3, 2, 1)]


def chain() -> Strips:
    (made,) = planned(61, CHAIN, 1 << 16)
    assert [len(group.links) for group in made.groups] == [1, 2, 1]
    validate_strips(made, THREADS)
    return made


def with_link(made: Strips, number: int, change: Callable[[Link], Link]) -> Strips:
    at = made.links[number]
    groups = (
        replace(g, links=tuple(change(v) if v is at else v for v in g.links)) for g in made.groups
    )
    return replace(made, groups=tuple(groups))


def with_group(made: Strips, number: int, change: Callable[[Group], Group]) -> Strips:
    groups = (change(g) if i == number else g for i, g in enumerate(made.groups))
    return replace(made, groups=tuple(groups))


def closer(link: Link) -> Link:
    assert link.held is not None
    return replace(link, held=link.held - link.row_bytes)


def further(link: Link) -> Link:
    assert link.held is not None
    return replace(link, held=link.held + link.row_bytes)


def with_scratch(link: Link, offset: int) -> Link:
    return replace(link, step=replace(link.step, scratch=Place("held", offset)))


def with_units(link: Link, units: int) -> Link:
    lowered = replace(link.step.stage.lowered, parallel=units)
    return replace(link, step=replace(link.step, stage=replace(link.step.stage, lowered=lowered)))


MUTANTS: dict[str, tuple[str, Callable[[Strips], Strips]]] = {
    "rows of the next begin early": (
        "outside what a thread holds", lambda s: with_link(s, 2, closer)),
    "rows begin late": ("outside what a thread holds", lambda s: with_link(s, 2, further)),
    "rows begin where others do": (
        "outside what a thread holds",
        lambda s: with_link(s, 2, lambda v: replace(v, held=s.links[1].held))),
    "scratch over rows": (
        "outside what a thread holds", lambda s: with_link(s, 3, lambda v: with_scratch(v, 64))),
    "rows over scratch": (
        "scratch overlaps", lambda s: with_link(s, 0, lambda v: with_scratch(v, 0))),
    "less memory": ("scratch overlaps", lambda s: replace(s, each=s.each - 64)),
    "longer strips": ("outside what a thread holds", lambda s: replace(s, strip=s.strip + 1)),
    "no strips": ("strips without rows", lambda s: replace(s, strip=0)),
    "longer turns": (
        "outside what a thread holds", lambda s: with_group(s, 1, lambda g: replace(g, turn=2))),
    "turns within a grain": (
        "rows read that are not held",
        lambda s: with_link(s, 2, lambda v: replace(v, grain=2))),
    "wider windows": (
        "outside what a thread holds", lambda s: with_group(s, 1, lambda g: replace(g, taps=5))),
    "longer strides": (
        "outside what a thread holds", lambda s: with_group(s, 2, lambda g: replace(g, stride=3))),
    "longer rows": (
        "outside what a thread holds",
        lambda s: with_link(s, 0, lambda v: replace(v, row_bytes=v.row_bytes + 8))),
    "less units": ("rows left out", lambda s: with_link(s, 3, lambda v: with_units(v, 64))),
    "less rows": (
        "rows left out", lambda s: with_link(s, 3, lambda v: replace(v, rows=v.rows - 1))),
    "a grain of turns": (
        "rows not made once|rows left out",
        lambda s: with_link(s, 3, lambda v: replace(v, grain=2))),
}  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS)
def test_what_is_wrong_is_refused(mutant: str) -> None:
    said, change = MUTANTS[mutant]
    with pytest.raises(CompileError, match=said):
        validate_strips(change(chain()), THREADS)


TRACE = """
#include "strips.h"
#include "share.h"
static int *note(int *log, const int number, const long base, const int begin, const int end) {
    log[0] = number, log[1] = (int)base, log[2] = begin, log[3] = end;
    return log + 4;
}
"""


def trace_c(i: int, made: Strips) -> str:
    numbers = {id(link.step): n for n, link in enumerate(made.links)}

    def call(step: Step, span: str) -> str:
        n = numbers[id(step)]
        link = made.links[n]
        front = f"(held + {link.held} - (u8 *)rows_{n}) / {link.row_bytes}"
        return f"log = note(log, {n}, {'0' if link.held is None else front}, {span});"

    body = strips_c(made, call)
    return f"int f{i}(int part, int parts, u8 *arena, int *const logs) {{\nint *log = logs;\n" + (
        f"{body}\nreturn (int)(log - logs);\n}}\n"
    )


def test_the_emitted_c_takes_the_turns_that_are_checked() -> None:
    cases = [
        (61, CHAIN, 1 << 16),
        (90, [Layer(5, 2, 4, 1, grain=3), Layer(3, 1, 2, 0, grain=4), Layer()], 1 << 14),
        (70, [Layer(grain=2), Layer(grain=3), Layer(2, 2), Layer(3, 2, 1, 1)], 1 << 15),
        (41, [Layer(), Layer(grain=4), Layer(5, 1, 3, 3), Layer(5, 2, 4, 4, grain=2)], 1 << 17),
    ]
    found = [made for case in cases for made in planned(*case)]
    assert len(found) == len(cases)
    source = TRACE + writer.MACROS + "".join(trace_c(i, made) for i, made in enumerate(found))
    library = ctypes.CDLL(str(compile_c(source, "native", "-shared")))
    arena, log = np.zeros(1 << 20, np.uint8), np.zeros(1 << 16, np.int32)
    places = ctypes.c_void_p(arena.ctypes.data), ctypes.c_void_p(log.ctypes.data)
    for i, made in enumerate(found):
        for part, parts in [(a, b) for b in range(1, THREADS + 1) for a in range(b)]:
            noted = log[: library[f"f{i}"](part, parts, *places)].reshape(-1, 4).tolist()
            assert noted == [turn_of(t, made) for t in walk(made, part, parts)]
    assert not arena.any()


def turn_of(turn: Turn, made: Strips) -> list[int]:
    held = made.links[turn.number].held is not None
    return [turn.number, turn.base if held else 0, turn.begin, turn.end]


def test_results_beyond_any_image_do_not_hold_up_a_plan() -> None:
    begin = time.process_time()
    (made,) = planned(10**9, CHAIN, 1 << 16)
    validate_strips(made, THREADS)
    assert time.process_time() - begin < 5
