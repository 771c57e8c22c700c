"""What a node costs at least."""

from __future__ import annotations

import pytest

from whet.ir.element import F32
from whet.ir.leaf import parameter
from whet.ir.node import Op
from whet.ir.type import Type
from whet.ops.cost import cost
from whet.ops.recurrent import gru, lstm
from whet.ops.sequence_lstm import sequence_lstm

STEPS, BATCH, SIZE, HIDDEN = 7, 2, 5, 3


@pytest.mark.parametrize(("op", "gates"), [(gru, 3), (lstm, 4)])
def test_a_recurrent_layer_reads_every_weight_at_every_step(op: Op, gates: int) -> None:
    shapes = [(STEPS, BATCH, SIZE), (2, gates * HIDDEN, SIZE), (2, gates * HIDDEN, HIDDEN)]
    x, w, r, b = (parameter(f"p{i}", Type(s, F32)) for i, s in enumerate([*shapes, (2, 6 * gates)]))
    functions = ("sigmoid", "tanh", "tanh")[: gates - 1]
    layer = op(x, w, r, b, activations=(tuple((f, 0.0, 0.0) for f in functions),) * 2)
    expected = 2 * STEPS * BATCH * 2 * gates * HIDDEN * (SIZE + HIDDEN)
    assert cost(layer.node).operations == expected


def test_so_does_one_of_tensorflow_lite() -> None:
    states, rest = [(BATCH, HIDDEN)] * 2, [(HIDDEN, SIZE)] * 4 + [(HIDDEN, HIDDEN)] * 4
    shapes = [(BATCH, STEPS, SIZE), *states, *rest, *[(HIDDEN,)] * 4]
    layer = sequence_lstm(*(parameter(f"p{i}", Type(s, F32)) for i, s in enumerate(shapes)))
    assert cost(layer.node).operations == 2 * STEPS * BATCH * 4 * HIDDEN * (SIZE + HIDDEN)
