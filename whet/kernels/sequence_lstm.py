"""Long short-term memory layers over time: sequence_f32.h and sequence_s8.h, and
lstm_sequence.h for weights that are not constant and other integers."""

from __future__ import annotations

import numpy as np

from whet.emit.lowered import Argument, Call, In, Lowered, Out, Record, Scratch, Weight
from whet.ir.dim import static_shape, static_size
from whet.ir.element import I8, I16, Quant
from whet.ir.leaf import known
from whet.ir.node import Array, Node
from whet.kernels.kernel import kernel
from whet.kernels.packing_recurrent import Layout
from whet.kernels.quantized import rounding_name, store
from whet.kernels.recurrent_f32 import MOST_STEPS, block
from whet.kernels.sequence_s8 import code_vectors, record
from whet.kernels.tiling import tile_f32
from whet.ops.affine import operand
from whet.ops.integer.sigmoid import sigmoid_table
from whet.ops.sequence_lstm import (
    CELL,
    GATES,
    HIDDEN,
    WEIGHTS,
    X,
    is_integer,
    sequence_lstm,
)
from whet.targets.target import Target

OPERANDS = tuple(In(i) for i in range(15))
RESULTS = (Out(0), Out(1), Out(2))
ORDER = (0, 3, 1, 2)  # the gates i o f c of recurrent_f32.h, of i f c o


@kernel("sequence_lstm", sequence_lstm)
def lower(node: Node, target: Target) -> Lowered | None:
    x, cell = node.input(X), node.input(CELL)
    shape = (*static_shape(x.shape), static_size(cell.shape[-1]))
    if is_integer(node):
        return _integer(node, shape, target)
    clip = node.attrs.get("clip", 0.0)
    assert isinstance(clip, int | float)
    weights = [known(v) for v in node.inputs[WEIGHTS:]]
    held = [w for w in weights if w is not None]
    if len(held) == len(weights) and all(shape):
        return _vectors(shape, float(clip), held, target)
    arguments: tuple[Argument, ...] = (*shape, float(clip), *OPERANDS, *RESULTS)
    return Lowered((Call("lstm_sequence_f32", arguments),), ("lstm_sequence.h",))


def _vectors(shape: tuple[int, ...], clip: float, weights: list[Array], target: Target) -> Lowered:
    """The layer in vectors of units; weights: of the gates i f c o the inputs', the recurrent ones
    and the biases."""
    _, steps, size, hidden = shape
    vectors = block(GATES, hidden, target)
    chunk = -(-steps // -(-steps // MOST_STEPS))
    width = vectors * target.lanes
    units = -(-hidden // width) * width
    tile = tile_f32(chunk, GATES * units, size, target)
    layout = Layout(GATES, width, tile.vectors, target.lanes, target.dot8_shift, target.dot8_pairs)
    w, r, bias = (np.concatenate([weights[i + g] for g in ORDER])[None] for i in (0, 4, 8))
    sums, _ = layout.biases(np.concatenate([bias, np.zeros_like(bias)], axis=1), r)
    fields = tuple((name, Weight(i)) for i, name in enumerate(("w", "bias", "r")))
    sizes = (*shape, vectors, chunk, tile.rows, tile.vectors, clip)
    given = (In(X), Record("recurrent_constants", fields), In(HIDDEN), In(CELL))
    call = Call("sequence_lstm_f32", (*sizes, *given, *RESULTS, Scratch()))
    constants = (layout.inputs(w), sums, layout.recurrent(r))
    scratch = 4 * (chunk * GATES * units + 3 * units)
    return Lowered((call,), ("sequence_f32.h",), constants, scratch)


def _integer(node: Node, shape: tuple[int, ...], target: Target) -> Lowered | None:
    elements = [v.tensor.element for v in node.inputs[:11] if v is not None]
    stores = [e.store if isinstance(e, Quant) else e for e in elements]
    if stores[X] not in (I8, I16) or stores[HIDDEN] != stores[X] or stores[CELL] != I16:
        return None
    if any(s != I8 for s in stores[3:]):
        return None
    weights = [known(v) for v in node.inputs[WEIGHTS:]]
    held = [w for w in weights if w is not None]
    if stores[X] == I8 and len(held) == len(weights) and all(shape):
        made = code_vectors(node, shape, held, target)
        if made is not None:
            return made
    head: tuple[Argument, ...] = (*shape, store(operand(node, X)), record(node), Weight(0))
    call = Call("lstm_sequence_integer", (*head, rounding_name(node), *OPERANDS, *RESULTS))
    return Lowered((call,), ("lstm_sequence.h",), (sigmoid_table(),))
