"""sequence_s8.h against the integers of whet/ops/integer/lstm.py: one result on every machine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import whet
from tests.kernels.native import LEVELS
from tests.kernels.native_s8 import PATHS, Emulated, Library, library
from whet.emit.lowered import Call, Record
from whet.emit.program import Step
from whet.ir.element import I8, I16, Quant
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.node import Array, Value
from whet.ir.type import Type
from whet.kernels.kernel import load_all, lower
from whet.kernels.packing_recurrent import Layout
from whet.ops.evaluate import evaluate
from whet.ops.sequence_lstm import GATES, sequence_lstm
from whet.targets.host import host

RNG = np.random.default_rng(31)
BATCH, CHUNK, VECTORS = 2, 3, 2
ZERO = 4  # of the hidden state, and -ZERO of the inputs


@dataclass(frozen=True, slots=True)
class Layer:
    """scale: of the inputs. cell: the exponent of the cell's scale."""

    steps: int
    inputs: int
    hidden: int
    scale: float = 0.02
    cell: int = -11
    clip: float = 0.0
    store: str = "int8"
    rounding: str = "double"


LAYERS = (
    Layer(7, 5, 37, clip=3.0),
    Layer(4, 30, 6, cell=-15),
    Layer(1, 1, 1, scale=40.0, cell=-10, clip=9.0),
)
"""The last one's multipliers of the inputs shift left."""
SCALAR = (Layer(2, 5, 6, store="int16"), Layer(2, 5, 6, rounding="single"))


def _random(shape: tuple[int, ...], store: str) -> Array:
    info = np.iinfo(store)
    return RNG.integers(info.min, info.max, shape, store, endpoint=True)


def _element(store: str, scale: float, zero: int, layer: Layer) -> Quant:
    return Quant({"int8": I8, "int16": I16}[store], (scale,), (zero,), rounding=layer.rounding)


def _states(layer: Layer) -> dict[str, tuple[Quant, tuple[int, ...]]]:
    zero = 0 if layer.store == "int16" else -ZERO
    scale = layer.scale / (1 << 8 if layer.store == "int16" else 1)
    state = (BATCH, layer.hidden)
    return {
        "x": (_element(layer.store, scale, zero, layer), (BATCH, layer.steps, layer.inputs)),
        "h": (_element(layer.store, 1 / 130, -zero, layer), state),
        "c": (_element("int16", 2.0**layer.cell, 0, layer), state),
    }


def _weights(layer: Layer) -> list[Array]:
    sizes = (layer.inputs,) * GATES + (layer.hidden,) * GATES
    kind = np.int64 if layer.store == "int16" else np.int32
    biases = [RNG.integers(-3000, 3000, layer.hidden).astype(kind) for _ in range(GATES)]
    return [*(_random((layer.hidden, n), "int8") for n in sizes), *biases]


def _made(layer: Layer, weights: list[Array], name: str) -> tuple[list[Value], tuple[Value, ...]]:
    """Parameters of a layer and what it makes."""
    ports = [parameter(f"{key}{name}", Type(shape, element))
             for key, (element, shape) in _states(layer).items()]  # fmt: skip
    scales = [0.002 * (1 + i % 3) for i in range(2 * GATES)]
    held = [constant(w, _element("int8", s, 0, layer))
            for w, s in zip(weights, scales, strict=False)]  # fmt: skip
    biases = [constant(w) for w in weights[2 * GATES :]]
    return ports, sequence_lstm.many(*ports, *held, *biases, clip=layer.clip)


def _feeds(layer: Layer, name: str = "") -> dict[str, Array]:
    return {f"{key}{name}": _random(shape, element.store.dtype.name)
            for key, (element, shape) in _states(layer).items()}  # fmt: skip


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return f"{{{', '.join(map(_text, value))}}}"
    return str(value)


def _lowered(made: tuple[Value, ...]) -> tuple[Record, Array]:
    """Of a layer what no machine changes: its numbers, and the table of the non-linearities."""
    load_all()
    lowered = lower(made[0].node, host())
    (call,) = lowered.statements
    assert isinstance(call, Call)
    records = [a for a in call.arguments if isinstance(a, Record)]
    return records[0], lowered.constants[-1]


def _case(i: int, layer: Layer, numbers: Record) -> str:
    constants = ", ".join(f".{name} = {_text(value)}" for name, value in numbers.fields)
    codes = BATCH * layer.hidden * (layer.steps + 1)
    sizes = (BATCH, layer.steps, layer.inputs, layer.hidden, VECTORS, CHUNK, 2, 2)
    return f"""
void case{i}(ARGS) {{
    static const integer_lstm_constants c = {{{constants}}};
    const sequence_weights_s8 k = {{w, bias, extra[2], extra[3], extra[4]}};
    s8 *const of = y;
    sequence_lstm_s8({", ".join(map(str, sizes))}, &c, x, &k, extra[0], extra[1], of,
                     of + {codes - BATCH * layer.hidden}, (short *)(of + {codes}), (int *)scratch);
}}
"""


def _call(made: Library | Emulated, i: int, layer: Layer, weights: list[Array],
          feeds: dict[str, Array], table: Array) -> Array:  # fmt: skip
    """y, y_h and y_c, one after the other, as bytes."""
    width = VECTORS * made.lanes
    layout = Layout(GATES, width, 2, made.lanes, made.shift, made.pairs)
    w, r, bias = (np.concatenate(weights[at : at + GATES]) for at in (0, GATES, 2 * GATES))
    packed, start = layout.integer_inputs(w, bias, -ZERO)
    back, back_start = layout.integer_recurrent(r, ZERO)
    y = np.zeros(BATCH * layer.hidden * (layer.steps + 3), np.int8)
    units = layout.units(layer.hidden)
    words = CHUNK * GATES * units + units
    scratch = np.zeros(4 * words + 2 * (2 * units + CHUNK * layer.inputs), np.int8)
    made.call(i, 0, 0, feeds["x"], packed, start, y, scratch, feeds["h"], feeds["c"], back,
              back_start, table)  # fmt: skip
    return y


@pytest.mark.parametrize("path", PATHS)
def test_every_vocabulary(path: tuple[str, bool]) -> None:
    weights = [_weights(layer) for layer in LAYERS]
    nodes = [_made(layer, w, "") for layer, w in zip(LAYERS, weights, strict=True)]
    lowered = [_lowered(made) for _, made in nodes]
    cases = [_case(i, layer, lowered[i][0]) for i, layer in enumerate(LAYERS)]
    compiled = library('#include "sequence_s8.h"\n' + "".join(cases), path)
    for i, layer in enumerate(LAYERS):
        feeds = _feeds(layer)
        graph = Graph(tuple(nodes[i][0]), nodes[i][1], ("y", "next h", "next c"))
        want = np.concatenate([a.ravel().view(np.int8) for a in evaluate(graph, feeds).values()])
        found = _call(compiled, i, layer, weights[i], feeds, lowered[i][1])
        np.testing.assert_array_equal(found, want)


@pytest.mark.parametrize("cpu", LEVELS)
def test_layers_of_a_model(cpu: str) -> None:
    """One compilation of all layers: those of int8 codes with two roundings go in vectors."""
    layers = LAYERS + SCALAR
    parts = [_made(layer, _weights(layer), str(i)) for i, layer in enumerate(layers)]
    feeds = {k: v for i, layer in enumerate(layers) for k, v in _feeds(layer, str(i)).items()}
    names = tuple(f"{key}{i}" for i in range(len(layers)) for key in ("y", "next h", "next c"))
    graph = Graph(
        tuple(p for ports, _ in parts for p in ports), tuple(v for _, m in parts for v in m), names
    )
    compiled = whet.compile(graph, cpu=cpu)
    calls = [
        call.function
        for step in compiled.program.main.steps
        if isinstance(step, Step)
        for call in step.stage.lowered.statements
        if isinstance(call, Call)
    ]
    assert calls.count("sequence_lstm_s8") == len(LAYERS)
    assert calls.count("lstm_sequence_integer") == len(SCALAR)
    found, want = compiled.session()(feeds), evaluate(graph, feeds)
    for name in want:
        np.testing.assert_array_equal(found[name], want[name])
