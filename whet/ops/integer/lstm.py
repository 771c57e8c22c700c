"""A long short-term memory layer with int8 (or int16) activations and an int16 cell state.

A step: (input, hidden, cell) -> (hidden', cell'); gates are int16 in Q3.12 before and Q0.15 after
their non-linearity. `double` is TensorFlow Lite Micro's UNIDIRECTIONAL_SEQUENCE_LSTM.
"""

import math
from dataclasses import dataclass

import numpy as np

from whet.ops.integer.contraction import Contraction, contraction_constants, fully_connected
from whet.ops.integer.quantization import Activation, Affine, Integers, Rounding
from whet.ops.integer.requantize import Multiplier, multiplier, multiply, stored
from whet.ops.integer.sigmoid import Scaling, logistic16, tanh16

GATES = ("input", "forget", "cell", "output")
_GATE = Affine(2.0**-12, 0, "int16")
_Q15 = 2.0**-15


@dataclass(frozen=True, slots=True)
class LstmWeights:
    """Tensors of the four gates, in the order of GATES.

    inputs [state, in] and recurrent [state, state], int8; biases [state], int32 (int64 with int16
    activations).
    """

    inputs: tuple[Integers, Integers, Integers, Integers]
    recurrent: tuple[Integers, Integers, Integers, Integers]
    biases: tuple[Integers, Integers, Integers, Integers]


@dataclass(frozen=True, slots=True)
class Lstm:
    """Compile-time constants; gate constants are in the order of GATES."""

    inputs: tuple[Contraction, ...]
    recurrent: tuple[Contraction, ...]
    forget_by: Multiplier
    update_by: Multiplier
    hidden_by: Multiplier
    cell_tanh: Scaling
    cell_clip: int
    hidden: Affine
    rounding: Rounding


def lstm_constants(
    x: Affine,
    hidden: Affine,
    cell_scale: float,
    input_scales: tuple[float, ...],
    recurrent_scales: tuple[float, ...],
    cell_clip: float,
    rounding: Rounding,
) -> Lstm:
    """Constants for per-tensor symmetric weights; cell_scale is a power of two, cell_clip 0 = none.

    The scale lists follow GATES.
    """
    wide = x.store == "int16"

    def gate(source: Affine, scale: float) -> Contraction:
        return contraction_constants(
            source, [scale], _GATE, Activation.NONE, rounding, wide=wide, float32_product=True
        )

    left = round(math.log2(cell_scale)) + 12
    clip = int(min(max(cell_clip / cell_scale, -32768.0), 32767.0))
    return Lstm(
        inputs=tuple(gate(x, s) for s in input_scales),
        recurrent=tuple(gate(hidden, s) for s in recurrent_scales),
        forget_by=multiplier(_Q15 * cell_scale / cell_scale),
        update_by=multiplier(_Q15 * _Q15 / cell_scale),
        hidden_by=multiplier(_Q15 * _Q15 / hidden.scale),
        cell_tanh=Scaling(3 << left, 0) if left >= 0 else Scaling(3, -left),
        cell_clip=clip,
        hidden=hidden,
        rounding=rounding,
    )


def _product(a: Integers, b: Integers, by: Multiplier, y: Affine, rounding: Rounding) -> Integers:
    scaled = multiply(a.astype(np.int64) * b.astype(np.int64), by, rounding)
    return stored(scaled + y.zero, y.low, y.high, y.store)


def _saturating_sum(a: Integers, b: Integers) -> Integers:
    return stored(a.astype(np.int64) + b.astype(np.int64), -32768, 32767, "int16")


def lstm_step(
    x: Integers, hidden: Integers, cell: Integers, w: LstmWeights, c: Lstm
) -> tuple[Integers, Integers]:
    """One time step: x [batch, in], hidden and cell [batch, state] -> (hidden', cell').

    gate = sat16(fc(x) + fc(hidden)); cell' = sat16(forget * cell + input * tanh(cell gate)),
    clipped; hidden' = tanh(cell') * output. Every product is requantised on its own.
    """
    gates = []
    for g in range(4):
        from_input = fully_connected(x, w.inputs[g], w.biases[g], c.inputs[g])
        from_hidden = fully_connected(hidden, w.recurrent[g], None, c.recurrent[g])
        total = _saturating_sum(from_input, from_hidden)
        function = tanh16 if GATES[g] == "cell" else logistic16
        gates.append(function(total, Scaling(3, 0)))
    state = Affine(1.0, 0, "int16")
    kept = _product(gates[1], cell, c.forget_by, state, c.rounding)
    update = _product(gates[0], gates[2], c.update_by, state, c.rounding)
    cell = _saturating_sum(kept, update)
    if c.cell_clip > 0:
        cell = stored(cell.astype(np.int64), -c.cell_clip, c.cell_clip, "int16")
    squashed = tanh16(cell, c.cell_tanh)
    return _product(squashed, gates[3], c.hidden_by, c.hidden, c.rounding), cell


def lstm(
    x: Integers, hidden: Integers, cell: Integers, w: LstmWeights, c: Lstm
) -> tuple[Integers, Integers, Integers]:
    """All time steps of x [batch, time, in]: (y [batch, time, state], hidden', cell')."""
    steps = []
    for t in range(x.shape[1]):
        hidden, cell = lstm_step(x[:, t], hidden, cell, w, c)
        steps.append(hidden)
    return np.stack(steps, axis=1), hidden, cell
