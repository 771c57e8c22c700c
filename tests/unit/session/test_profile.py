"""A profile tells of every step of a run, in place, and what threads lose adds up to their time."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest

from tests.laws.agreement import Arrays, random_inputs
from tests.laws.random_images import Chain
from whet import api
from whet.compiler.build import shared_library
from whet.compiler.pipeline import Compiled, compile_graph
from whet.emit import watch
from whet.emit.c import model_c, model_units
from whet.emit.program import Strips
from whet.emit.watch import Watched
from whet.importers import import_model
from whet.ir.dim import Symbol, of
from whet.ir.element import F32
from whet.ir.graph import Graph
from whet.ir.leaf import parameter
from whet.ir.type import Type
from whet.kernels import share
from whet.ops.elementwise import exp
from whet.ops.reduction import reduce_sum
from whet.plan import program, strips
from whet.session.pool import pool_c
from whet.session.profile import Profile, profile
from whet.session.watched import Runs, WatchedSession, spent
from whet.targets.host import host

TWO = replace(host(), threads=2)
LEAST = 10  # steps take more than one part of so many, even of a call that is mostly Python's


@pytest.fixture
def everything_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "SHORTEST_NANOSECONDS", 0)
    monkeypatch.setattr(share, "WORTH", 0.0)
    monkeypatch.setattr(share, "GRAIN", 8)


def adds_up(found: Profile) -> None:
    """Steps take a call but for what Python takes of it, and so does what threads lose."""
    steps = sum(step.seconds for step in found.steps)
    assert found.call / LEAST < steps < found.call
    if found.threads > 1:
        assert found.together / LEAST < found.together - found.lost()["call"] < found.together
    for step in found.steps:
        if step.spread is not None:
            assert len(step.spread.each) == found.threads
            assert min(step.spread.each) >= 0


def test_a_profile_names_the_layers_of_the_user() -> None:
    compiled = api.compile(import_model((files("whet") / "demo" / "digits_f32.onnx").read_bytes()))
    inputs = random_inputs(compiled.graph, np.random.default_rng(0))
    found = profile(compiled, inputs)
    adds_up(found)
    steps = compiled.program.main.steps
    assert len(found.steps) == sum(len(s.links) if isinstance(s, Strips) else 1 for s in steps)
    origins = {node.origin for node in compiled.model.nodes if node.origin}
    assert {s.layer for s in found.steps if s.cost.operations} <= origins
    assert any("Conv" in step.layer for step in found.steps)


def test_links_of_strips_are_told_one_by_one(
    everything_is_shared: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strips, "LARGE", 1 << 30)
    monkeypatch.setattr(strips, "LESS", 1 << 30)
    graph = Chain(300, False).graph(8)
    compiled = compile_graph(graph, TWO)
    chains = [s for s in compiled.program.main.steps if isinstance(s, Strips)]
    assert chains
    inputs = random_inputs(graph, np.random.default_rng(0))
    found = profile(compiled, inputs, 2)
    adds_up(found)
    for number, chain in enumerate(chains, 1):
        links = [step for step in found.steps if step.strips == number]
        assert [s.kernel for s in links] == [k.step.stage.lowered.kernel for k in chain.links]
        assert all(s.seconds > 0 for s in links)
        assert all(s.spread and min(s.spread.each) > 0 for s in links)


def outputs(compiled: Compiled, inputs: Arrays, threads: int) -> tuple[Arrays, WatchedSession]:
    """Of the build that notes its time, and its session."""
    made = compiled.program
    watched = Watched(made)
    code = shared_library((*model_units(made, 2, watched), pool_c()), compiled.target)
    session = WatchedSession(made, code, watched, threads)
    session.keep(inputs, 4)
    return session(inputs), session


def test_waits_inside_a_stage_are_noted(everything_is_shared: None) -> None:
    x = parameter("x", Type((64, 512), F32))
    compiled = compile_graph(Graph((x,), (reduce_sum(x, axes=(0,), keep=False),), ("y",)), TWO)
    inputs = random_inputs(compiled.graph, np.random.default_rng(0))
    made, session = outputs(compiled, inputs, 2)
    np.testing.assert_array_equal(made["y"], compiled.session(2)(inputs)["y"])
    runs = session.runs()
    assert runs.came.shape[1:] == (2, 1)
    assert (runs.left > runs.came).all()
    adds_up(profile(compiled, inputs, 2))


def test_waits_that_are_not_noted_are_told(
    everything_is_shared: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "MOST_WAITS", 1)
    x = parameter("x", Type((64, 512), F32))
    sums = tuple(reduce_sum(v, axes=(0,), keep=False) for v in (x, exp(x), exp(exp(x))))
    compiled = compile_graph(Graph((x,), sums, ("a", "b", "c")), TWO)
    inputs = random_inputs(compiled.graph, np.random.default_rng(0))
    made, session = outputs(compiled, inputs, 2)
    for name, expected in compiled.session(2)(inputs).items():
        np.testing.assert_array_equal(made[name], expected)
    assert session.runs().came.shape[1:] == (2, 1)
    assert session.runs().unnoted == 2
    found = profile(compiled, inputs, 2)
    adds_up(found)
    assert found.unnoted == 2


def test_sizes_of_a_run_may_vary(everything_is_shared: None) -> None:
    x = parameter("x", Type((of(Symbol("N", 1, 60)), 700), F32))
    compiled = compile_graph(Graph((x,), (exp(x),), ("y",)), TWO)
    adds_up(profile(compiled, {"x": np.ones((50, 700), np.float32)}, 2))


def test_what_is_not_watched_is_written_as_ever() -> None:
    compiled = api.compile(import_model((files("whet") / "demo" / "digits_f32.onnx").read_bytes()))
    made = compiled.program
    watched = Watched(made)
    source = model_c(made, watched)
    assert model_c(made) == compiled.source != source
    assert "watch" in source
    assert "watch" not in compiled.source
    *stages, _ = model_units(made, 2, watched)
    assert stages
    assert stages == list(model_units(made, 2)[:-1])


def test_lost_time_by_hand() -> None:
    """Two threads, seconds: a step that both share, a wait, a step of one, a wait, one of both."""
    times = [
        [0.0, 10.0, 14.0, 19.0, 19.5, 24.0],  # works 10, waits 4, works 5 alone, waits 0.5
        [1.0, 13.0, 14.0, 99.0, 20.0, 26.0],
    ]
    runs = Runs(
        2, 2, (0, None, 1, None, 2), np.array([30.0]), np.array([times]), np.zeros((1, 2, 1)),
        np.zeros((1, 2, 0)), np.zeros((1, 2, 0)), 0.0, 0.0,
    )  # fmt: skip
    found = spent(runs, [False, True, False])
    assert found.work[0].tolist() == [[10.0, 5.0, 4.5], [12.0, 0.0, 6.0]]
    assert found.uneven[0].tolist() == [1.5, 0.0, 1.0]
    assert found.waits[0].tolist() == [1.0, 0.75, 0.0]
    began = 0.5  # the mean
    ends = began + found.work.mean(axis=1).sum() + found.uneven.sum() + found.waits.sum()
    assert ends + 5.0 / 2 == 26.0  # one thread's step holds the other up


def test_lost_time_inside_a_step_by_hand() -> None:
    times = np.array([[[0.0, 10.0], [0.0, 11.0]]])
    came, left = np.array([[[4.0], [6.0]]]), np.array([[[7.0], [6.5]]])
    runs = Runs(2, 2, (0,), np.array([12.0]), times, np.zeros((1, 2, 1)), came, left, 0.25, 2.0)
    found = spent(runs, [False])
    assert found.work[0, :, 0].tolist() == [10.0 - 3.0 - 0.5, 11.0 - 0.5 - 0.5]
    assert found.uneven[0, 0] == 1.0 + 0.5
    assert found.waits[0, 0] == 0.75 - 0.25
