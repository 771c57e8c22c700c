"""A session takes arrays by name, gives the same bits on any number of threads, and keeps states.

What it computes is checked by tests/laws and tests/models; here NumPy's own arithmetic is enough.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

import whet
from tests.unit.ir.test_graph import accumulator
from whet.compiler.pipeline import compile_graph
from whet.errors import ArtifactError, InputError
from whet.importers import import_model
from whet.ir.dim import Symbol, dim_min, of
from whet.ir.element import F32, I64
from whet.ir.graph import Graph
from whet.ir.leaf import parameter
from whet.ir.node import Array
from whet.ir.type import Type
from whet.ops.elementwise import add, neg
from whet.ops.gather import gather
from whet.ops.movement import reshape, slice_op
from whet.session.address import address
from whet.session.session import RunError, Session
from whet.targets.host import host

N = Symbol("N", 1, 6)


def looked_up() -> Graph:
    table, index = parameter("table", Type((5, 3), F32)), parameter("index", Type((2,), I64))
    return Graph((table, index), (gather(table, index, axis=0),), ("rows",))


@pytest.fixture(scope="module")
def lookup() -> Session:
    return compile_graph(looked_up()).session()


@pytest.fixture(scope="module")
def growing() -> Session:
    x, y = (parameter(name, Type((of(N), 2), F32)) for name in "xy")
    return compile_graph(Graph((x, y), (add(x, y),), ("sum",))).session()


def table() -> Array:
    return np.arange(15, dtype=np.float32).reshape(5, 3)


def test_an_index_outside_stops_the_model_and_the_next_run_works(lookup: Session) -> None:
    with pytest.raises(RunError, match="an index lies outside its tensor") as caught:
        lookup({"table": table(), "index": np.array([0, 5])})
    assert "\n" not in str(caught.value)
    rows = lookup({"table": table(), "index": np.array([4, -5])})["rows"]
    assert rows.tolist() == table()[[4, 0]].tolist()


class Fresh(Mapping[str, Array]):
    """An array of its own for each look, as of a file of arrays."""

    def __init__(self, arrays: dict[str, Array]) -> None:
        self.arrays, self.made = arrays, list[weakref.ref[Array]]()

    def __getitem__(self, name: str) -> Array:
        array = self.arrays[name].copy()
        self.made.append(weakref.ref(array))
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)


def test_inputs_live_until_the_call_is_over() -> None:
    inputs = Fresh({"table": table(), "index": np.array([4, 0])})
    alive: list[bool] = []

    class Watched(Session):
        def _runner(self) -> Callable[[], int]:
            run = super()._runner()

            def watched() -> int:
                alive.extend(made() is not None for made in inputs.made)
                return run()

            return watched

    compiled = compile_graph(looked_up())
    session = Watched(compiled.session().interface, compiled.code, compiled.program.weights)
    assert session(inputs)["rows"].tolist() == table()[[4, 0]].tolist()
    assert alive == [True, True]


def test_a_missing_input_is_named(lookup: Session) -> None:
    with pytest.raises(InputError, match="an input is missing: index"):
        lookup({"table": table()})


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (np.zeros(2, np.float32), r"input is float32, the model takes i64\[2\]: index"),
        (np.zeros(3, np.int64), r"input has shape \[3\], the model takes i64\[2\]: index"),
        (np.zeros((2, 1), np.int64), r"input has shape \[2, 1\]"),
        (np.zeros((), np.int64), r"input has shape \[\]"),
    ],
)
def test_an_input_that_does_not_fit(lookup: Session, index: Array, message: str) -> None:
    with pytest.raises(InputError, match=message):
        lookup({"table": table(), "index": index})


def test_inputs_need_not_be_contiguous(lookup: Session) -> None:
    mirrored, index = np.asfortranarray(table())[::-1], np.arange(4)[::2]
    rows = lookup({"table": mirrored, "index": index})["rows"]
    assert rows.tolist() == mirrored[index].tolist()


@pytest.mark.parametrize("n", [1, 6, 3])
def test_a_free_size_is_what_the_input_has(growing: Session, n: int) -> None:
    x = np.ones((n, 2), np.float32)
    assert growing({"x": x, "y": x})["sum"].tolist() == [[2.0, 2.0]] * n


@pytest.mark.parametrize(("m", "n"), [(0, 0), (7, 7), (2, 3)])
def test_a_free_size_has_bounds_and_one_value(growing: Session, m: int, n: int) -> None:
    with pytest.raises(InputError, match=r"the model takes f32\[N, 2\]"):
        growing({"x": np.ones((m, 2), np.float32), "y": np.ones((n, 2), np.float32)})


@pytest.mark.parametrize("n", [1, 3, 6])
def test_a_copied_output_is_of_the_lesser_size(n: int) -> None:
    x = parameter("x", Type((of(N),), F32))
    least = dim_min(of(N), 3)
    y = neg(slice_op(x, begin=(0,), size=(least,), step=(1,)))
    graph = Graph((x,), (y, reshape(y, shape=(least, 1))), ("flat", "column"))
    given = np.arange(n, dtype=np.float32)
    made = compile_graph(graph).session()({"x": given})
    assert made["flat"].tolist() == (-given[:3]).tolist()
    assert made["column"].tolist() == (-given[:3, None]).tolist()


def test_states_are_kept_between_runs_and_reset() -> None:
    session = compile_graph(accumulator()).session()
    x = np.arange(4, dtype=np.float32)
    for step in (1, 2, 3):
        assert session({"x": x})["y"].tolist() == (step * x).tolist()
    session.reset()
    assert session({"x": x})["y"].tolist() == x.tolist()


def test_outputs_are_the_callers_own(lookup: Session) -> None:
    first = lookup({"table": table(), "index": np.array([1, 2])})["rows"]
    kept = first.copy()
    lookup({"table": table() + 1, "index": np.array([3, 4])})
    assert first.tolist() == kept.tolist()


@pytest.mark.parametrize("name", ["digits_f32", "digits_int8"])
def test_any_number_of_threads_gives_the_same_bits(name: str, tmp_path: Path) -> None:
    demo = files("whet") / "demo"
    graph = import_model((demo / f"{name}.onnx").read_bytes())
    target = replace(host(), threads=8)
    path = compile_graph(graph, target).artifact().save(tmp_path / "m.whet")
    (port,) = whet.load(path).interface.inputs
    images = np.random.default_rng(0).random((4, *map(int, port.shape)), np.float32)
    found = []
    for threads in (1, 2, 3, 8):
        session = whet.load(path, threads)
        found.append([session({port.name: image})["scores"].tobytes() for image in images])
    assert all(scores == found[0] for scores in found)
    assert len(set(found[0])) == len(images)


@pytest.mark.parametrize("threads", [-1, 0, 4])
def test_more_threads_than_there_is_scratch_for(threads: int) -> None:
    compiled = compile_graph(accumulator(), replace(host(), threads=3))
    with pytest.raises(InputError, match=f"bad number of threads: {threads}; try: 1 to 3"):
        compiled.session(threads)


def test_an_artifact_for_another_machine_is_refused(tmp_path: Path) -> None:
    path = whet.compile(accumulator(), "cortex-m4").artifact().save(tmp_path / "m.whet")
    with pytest.raises(ArtifactError, match="built for cortex-m4"):
        whet.load(path)


def test_a_cpu_is_not_ignored() -> None:
    with pytest.raises(InputError, match="cpu x86-64 with target wasm: a cpu is for the host"):
        whet.compile(accumulator(), "wasm", cpu="x86-64")


def test_addresses_are_numpys_own() -> None:
    for array in (np.zeros(3), np.zeros((2, 4), np.int8)[:, 1:], np.zeros(0), np.zeros(())):
        assert address(array).value == array.__array_interface__["data"][0]
