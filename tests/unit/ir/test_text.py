"""A graph's text is read back as the same graph, and damaged text is one line."""

from __future__ import annotations

import random
from importlib.resources import files

import numpy as np
import pytest

from tests.laws.random_graphs import Maker
from tests.unit.ir.test_graph import accumulator
from whet.errors import WhetError
from whet.importers import import_model
from whet.ir.dim import Dim, Operation, Symbol, dim_max, of
from whet.ir.element import F32, I8, I64, Quant
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.node import origin
from whet.ir.parse import parse_graph
from whet.ir.text import graph_text
from whet.ir.type import Optional, Sequence, Type
from whet.ir.verify import signature, verify
from whet.ops.elementwise import add
from whet.ops.registry import ops
from whet.passes.pipeline import optimize

MODELS = ("digits_f32.onnx", "digits_int8.onnx")


def returned(graph: Graph) -> Graph:
    """The graph after a round trip; its text and its arrays must be the same again."""
    text, arrays = graph_text(graph)
    again = parse_graph(text, arrays, ops())
    shown, kept = graph_text(again)
    assert shown == text
    pairs = zip(arrays, kept, strict=True)
    assert all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in pairs)
    assert signature(again) == signature(graph)
    assert [n.origin for n in again.nodes] == [n.origin for n in graph.nodes]
    verify(again)
    return again


@pytest.mark.parametrize("seed", range(12))
def test_random_graphs(seed: int) -> None:
    returned(random_graph(seed, quantized=seed % 2 == 1))


def random_graph(seed: int, quantized: bool) -> Graph:
    return Maker(seed, quantized).graph(8)


@pytest.mark.parametrize("name", MODELS)
def test_bundled_models(name: str) -> None:
    graph = import_model((files("whet") / "demo" / name).read_bytes())
    returned(graph)
    returned(optimize(graph))


def test_states_and_symbols() -> None:
    again = returned(accumulator())
    assert [s.name for s in again.states] == ["sum"]
    n, m = of(Symbol('N "quoted"', 1, 7)), of(Symbol("M", 0, 1 << 31))
    shape = (n * m * 3 - 2, dim_max(n, m // 2), Dim((((Operation("//", n + 1, m),), 1),)), 4)
    x = parameter("x", Type(shape, F32))
    again = returned(Graph((x,), (add(x, x),), ("y",)))
    assert again.inputs[0].shape == shape


def test_types_of_every_kind() -> None:
    per_axis = Quant(I8, (0.1, 2.5e-8, 3.0), (0, -1, 127), 0, "double")
    types = (
        Type((3,), per_axis),
        Type((), Quant(I8, (float("1e30"),), (5,))),
        Sequence(Optional(Type((2,), I64))),
        Optional(Sequence(Type((of(Symbol("N", 1, 2)),), F32))),
    )
    inputs = tuple(parameter(f"x{i}", t) for i, t in enumerate(types))
    again = returned(Graph(inputs, inputs, tuple("abcd")))
    assert tuple(v.type for v in again.inputs) == types


@pytest.mark.parametrize("name", ["", "a b", "line\nbreak", '"', "# }", "\u202e", "é", "\\"])
def test_names_are_kept_whatever_they_hold(name: str) -> None:
    with origin(f"Add {name!r} {name}"):
        x = parameter(name, Type((), F32))
        y = add(x, constant(np.float32(1)))
    again = returned(Graph((x,), (y,), (name,), name=name))
    assert again.input_names == (name,)
    assert again.output_names == (name,)
    assert again.name == name


def test_damaged_text_is_one_line() -> None:
    text, arrays = graph_text(random_graph(3, quantized=True))
    generator = random.Random(0)
    messages = []
    for _ in range(300):
        at, kind = generator.randrange(len(text)), generator.randrange(3)
        rest = text[at + generator.randrange(1, 9) :]
        damaged = (text[:at], text[:at] + rest, text[:at] + generator.choice('%@({"=]') + rest)
        try:
            parse_graph(damaged[kind], arrays, ops())
        except WhetError as error:
            messages.append(str(error))
    assert len(messages) > 200
    assert not any("\n" in message for message in messages)


@pytest.mark.parametrize("text", [
    "graph " + "(" * 100_000,
    'graph "a" %0 = input() {type=' + "(+ " * 5000,
    'graph "a" ' + '%0 = constant() {data=[graph "a" ' * 5000,
])  # fmt: skip
def test_nesting_is_bounded(text: str) -> None:
    with pytest.raises(WhetError, match="malformed"):
        parse_graph(text, [], ops())
