"""Long short-term memory layers on int8 codes with constant weights: sequence_s8.h."""

from __future__ import annotations

import numpy as np

from whet.emit.lowered import Call, Field, In, Lowered, Out, Record, Scratch, Weight
from whet.ir.node import Array, Node
from whet.kernels.packing_recurrent import Layout
from whet.kernels.packing_s8 import accumulator_bounds
from whet.kernels.quantized import scalar
from whet.kernels.recurrent_f32 import MOST_STEPS
from whet.kernels.tiling import ACCUMULATORS
from whet.kernels.tiling_s8 import tile_s8
from whet.ops.affine import operand
from whet.ops.integer.contraction import Contraction
from whet.ops.integer.lstm import Lstm
from whet.ops.integer.sigmoid import sigmoid_table
from whet.ops.sequence_lstm import CELL, GATES, HIDDEN, X, constants_of
from whet.targets.target import Target

FREE = 4  # registers beside the sums of a block
LIMIT = 1 << 29  # of a sum, shifted left as its multiplier says


def record(node: Node) -> Record:
    """The constants of a quantised layer as integer_lstm.h reads them."""
    c = constants_of(node)
    products = {"forget": c.forget_by, "update": c.update_by, "hidden": c.hidden_by}
    fields: tuple[tuple[str, Field], ...] = (
        ("x_zero", operand(node, X).zero), ("hidden_zero", operand(node, HIDDEN).zero),
        *_by(c.inputs, "input"), *_by(c.recurrent, "recurrent"),
        *((f"{name}_m", scalar(by.m)) for name, by in products.items()),
        *((f"{name}_t", scalar(by.t)) for name, by in products.items()),
        ("cell_m", c.cell_tanh.m), ("cell_shift", c.cell_tanh.shift), ("cell_clip", c.cell_clip),
    )  # fmt: skip
    return Record("integer_lstm_constants", fields)


def _by(gates: tuple[Contraction, ...], name: str) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return (
        (f"{name}_m", tuple(scalar(g.by.m) for g in gates)),
        (f"{name}_t", tuple(scalar(g.by.t) for g in gates)),
    )


def code_vectors(
    node: Node, shape: tuple[int, ...], weights: list[Array], target: Target
) -> Lowered | None:
    """The layer in vectors of units, where its sums have room for their multipliers.

    shape: of batch, steps, input and hidden; weights: of the four gates the inputs', the recurrent
    ones and the biases.
    """
    c = constants_of(node)
    w, r, bias = (weights[i : i + GATES] for i in (0, GATES, 2 * GATES))
    if c.rounding != "double" or not _fits(c, w, r, bias):
        return None
    _, steps, size, hidden = shape
    vectors = _block(hidden, target)
    chunk = -(-steps // -(-steps // MOST_STEPS))
    units = -(-hidden // (vectors * target.lanes)) * vectors * target.lanes
    tile = tile_s8(chunk, GATES * units, size, target.lanes, target.registers)
    layout = Layout(
        GATES, vectors * target.lanes, tile.vectors, target.lanes, target.dot8_shift,
        target.dot8_pairs,
    )  # fmt: skip
    first = layout.integer_inputs(np.concatenate(w), np.concatenate(bias), c.inputs[0].x_zero)
    second = layout.integer_recurrent(np.concatenate(r), c.recurrent[0].x_zero)
    names = ("w", "start", "r", "r_start", "table")
    held = Record("sequence_weights_s8", tuple((n, Weight(i)) for i, n in enumerate(names)))
    sizes = (*shape, vectors, chunk, tile.rows, tile.vectors)
    given = (record(node), In(X), held, In(HIDDEN), In(CELL))
    call = Call("sequence_lstm_s8", (*sizes, *given, Out(0), Out(1), Out(2), Scratch()))
    ready = (2 * units + chunk * size) * (2 if target.dot8_pairs else 1)
    scratch = 4 * (chunk * GATES * units + units) + ready
    return Lowered((call,), ("sequence_s8.h",), (*first, *second, sigmoid_steps()), scratch)


def _block(hidden: int, target: Target) -> int:
    """Vectors of hidden units whose gates are summed together, shared evenly by the blocks."""
    most = min(target.registers - FREE, ACCUMULATORS) // GATES
    vectors = -(-hidden // target.lanes)
    return -(-vectors // -(-vectors // most))


def sigmoid_steps() -> Array:
    """Entries of sigmoid_table less 2^15, the step to the next one in the high half."""
    entries = sigmoid_table().astype(np.int32)
    return entries - (1 << 15) | np.diff(entries, append=entries[-1:]) << 16


def _fits(c: Lstm, w: list[Array], r: list[Array], bias: list[Array]) -> bool:
    """Whether no sum and no product leaves 32 bits on the way to its code."""
    rows = zip((*w, *r), (*bias, *[np.zeros(len(b), np.int64) for b in bias]), strict=True)
    gates = zip((*c.inputs, *c.recurrent), rows, strict=True)
    products = (c.forget_by, c.update_by, c.hidden_by)
    return (
        all(_has_room(by, a, b) for by, (a, b) in gates)
        and all(31 <= scalar(by.t) < 61 for by in products)
        and c.cell_tanh.m < 1 << 15
    )


def _has_room(gate: Contraction, w: Array, bias: Array) -> bool:
    t = scalar(gate.by.t)
    bounds = accumulator_bounds(w.T, bias.astype(np.int64), gate.x_zero)
    size = max(int(np.abs(bound).max()) for bound in bounds)
    return size << max(31 - t, 0) < LIMIT and t < 61
