"""Layers with a memory, and variables: both are states of the graph."""

from __future__ import annotations

import numpy as np

from whet.errors import ModelError
from whet.importers.tflite.layer import Layer, row
from whet.importers.tflite.rows.activation import activated
from whet.ir.dim import static_size
from whet.ir.element import Quant
from whet.ir.leaf import constant
from whet.ir.node import Value
from whet.ir.type import Type
from whet.ops.movement import reshape, transpose
from whet.ops.sequence_lstm import sequence_lstm
from whet.ops.svdf import svdf

TANH = 4
PEEPHOLES, PROJECTION, NORMALIZATION = (9, 10, 11), (16, 17), (20, 21, 22, 23)


@row("UNIDIRECTIONAL_SEQUENCE_LSTM")
def lstm(layer: Layer) -> tuple[Value, ...]:
    """Inputs: x, 4 weights, 4 recurrent weights, 3 peepholes, 4 biases, 2 of a projection, the
    hidden and the cell state, 4 of layer normalisation.
    """
    for what, indices in (
        ("peepholes", PEEPHOLES), ("a projection", PROJECTION), ("normalisation", NORMALIZATION),
    ):  # fmt: skip
        if any(layer.optional(i) is not None for i in indices):
            raise ModelError(f"an LSTM with {what}", where=layer.name, why="not known")
    if layer.option(0, "b") != TANH or layer.optional(1) is None:
        raise ModelError("an LSTM of another form", where=layer.name, why="tanh and four gates")
    gates = [layer[i] for i in range(1, 9)]
    biases = [_bias(layer, 12 + g, gates[g]) for g in range(4)]
    time_major = bool(layer.option(3, "B"))
    x = transpose(layer[0], perm=(1, 0, 2)) if time_major else layer[0]
    y, hidden, cell = sequence_lstm.many(
        x, layer[18], layer[19], *gates, *biases, clip=layer.real(1)
    )
    return transpose(y, perm=(1, 0, 2)) if time_major else y, hidden, cell


def _bias(layer: Layer, index: int, weight: Value) -> Value:
    given = layer.optional(index)
    if given is not None:
        return given
    element = layer[0].tensor.element
    kind = np.float32
    if isinstance(element, Quant):
        kind = np.int64 if element.store.size == 2 else np.int32  # type: ignore[assignment]
    return constant(np.zeros(static_size(weight.shape[0]), kind))


@row("SVDF")
def filter_over_time(layer: Layer) -> tuple[Value, Value]:
    """Inputs: x, feature weights, time weights, bias, state."""
    x, feature, time = layer[0], layer[1], layer[2]
    memory = (x.shape[0], *time.shape)
    kept = reshape(layer[4], shape=memory)
    y, following = svdf.many(
        x, kept, feature, time, layer.optional(3), rank=layer.option(0), to=layer.elements[0]
    )
    y = activated(layer, y, layer.activation(1)) if not layer.quantized else y
    return y, reshape(following, shape=layer[4].shape)


@row("VAR_HANDLE")
def handle(layer: Layer) -> Value:
    """A handle is the name of its variable."""
    options = layer.operator.options
    name = "" if options is None else f"{options.text(0)}/{options.text(1)}".lstrip("/")
    return constant(np.array(name, object))


def _variable(layer: Layer) -> str:
    return str(layer.constant(0).reshape(()).item())


@row("READ_VARIABLE")
def read(layer: Layer) -> Value:
    return layer.variables.read(_variable(layer), Type(layer.shapes[0], layer.elements[0]))


@row("ASSIGN_VARIABLE")
def assign(layer: Layer) -> tuple[Value, ...]:
    layer.variables.assign(_variable(layer), layer[1])
    return ()
