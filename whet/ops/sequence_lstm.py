"""`sequence_lstm`: a long short-term memory layer over time, in floats or in integers."""

from __future__ import annotations

import numpy as np

from whet.errors import ShapeError
from whet.ir.element import F32, Quant
from whet.ir.node import Array, Node, Op
from whet.ir.type import Type
from whet.ops.affine import affine, operand, quant_of, rounding
from whet.ops.integer import lstm as integer
from whet.ops.integer.quantization import Integers

GATES = 4
X, HIDDEN, CELL, WEIGHTS, RECURRENT, BIASES = 0, 1, 2, 3, 7, 11


def _infer(x: Type, hidden: Type, cell: Type, *gates: Type, clip: float = 0.0) -> tuple[Type, ...]:
    """x [batch, time, in], hidden and cell [batch, state], then for the gates input, forget, cell
    and output: weights [state, in] each, recurrent weights [state, state] each, biases [state]
    each -> y [batch, time, state], hidden', cell'.

    All are f32, or x, hidden and weights are quantised 8-bit (or 16-bit x and hidden) codes with an
    int16 cell state. clip: the cell state's largest magnitude, 0 for none.
    """
    if x.rank != 3 or not x.static or len(gates) != 3 * GATES:
        raise ShapeError(f"an LSTM over {x} with {len(gates)} weights")
    batch, time, depth = x.shape
    state = cell.shape[-1]
    shapes = [(state, depth)] * 4 + [(state, state)] * 4 + [(state,)] * 4
    if hidden.shape != (batch, state) or cell.shape != (batch, state):
        raise ShapeError(f"an LSTM of {batch} sequences with states {hidden} and {cell}")
    if any(g.shape != s for g, s in zip(gates, shapes, strict=True)):
        raise ShapeError("an LSTM whose weights do not fit its state")
    quantised = isinstance(x.element, Quant)
    if not quantised and any(t.element != F32 for t in (x, hidden, cell, *gates)):
        raise ShapeError(f"an LSTM of {x.element} with states {hidden.element}, {cell.element}")
    if quantised and not all(isinstance(t.element, Quant) for t in (hidden, cell, *gates[:8])):
        raise ShapeError("an LSTM with quantised input and float weights")
    return Type((batch, time, state), hidden.element), hidden, cell


def is_integer(node: Node) -> bool:
    """Whether the layer is computed on codes."""
    return isinstance(node.inputs[0] and node.inputs[0].tensor.element, Quant)


def constants_of(node: Node) -> integer.Lstm:
    """The integer constants of a quantised layer."""
    scales = [quant_of(v).scale[0] for v in node.inputs[WEIGHTS:BIASES]]
    clip = node.attrs.get("clip", 0.0)
    assert isinstance(clip, int | float)
    return integer.lstm_constants(
        operand(node, X), operand(node, HIDDEN), affine(quant_of(node.inputs[CELL])).scale,
        tuple(scales[:GATES]), tuple(scales[GATES:]), float(clip), rounding(node),
    )  # fmt: skip


def _four(arrays: tuple[Array, ...], first: int) -> tuple[Integers, Integers, Integers, Integers]:
    a, b, c, d = arrays[first : first + GATES]
    return a, b, c, d


def _evaluate(node: Node, *arrays: Array) -> tuple[Array, ...]:
    x, hidden, cell = arrays[:3]
    if is_integer(node):
        w = integer.LstmWeights(
            _four(arrays, WEIGHTS), _four(arrays, RECURRENT), _four(arrays, BIASES)
        )
        return integer.lstm(x, hidden, cell, w, constants_of(node))
    clip = node.attrs.get("clip", 0.0)
    assert isinstance(clip, int | float)
    weights, recurrent, biases = (_four(arrays, i) for i in (WEIGHTS, RECURRENT, BIASES))
    steps = []
    for t in range(x.shape[1]):
        i, f, c, o = (
            x[:, t] @ w.T + hidden @ r.T + b
            for w, r, b in zip(weights, recurrent, biases, strict=True)
        )
        cell = _sigmoid(f) * cell + _sigmoid(i) * np.tanh(c)
        cell = np.clip(cell, -clip, clip) if clip > 0 else cell
        hidden = _sigmoid(o) * np.tanh(cell)
        steps.append(hidden)
    return np.stack(steps, axis=1), hidden, cell


def _sigmoid(x: Array) -> Array:
    half = np.asarray(0.5, x.dtype)
    return np.asarray(np.tanh(x * half) * half + half)


sequence_lstm = Op("sequence_lstm", _infer, _evaluate, "recurrent")
"""Source: TensorFlow Lite's UNIDIRECTIONAL_SEQUENCE_LSTM without peepholes and projection."""
