"""LSTM and GRU layers with constant weights and the usual activations: recurrent_f32.h.

Results are floats; weights, and the inputs beside them, are floats or codes.
"""

from __future__ import annotations

from whet.emit.headers import header_number
from whet.emit.lowered import Argument, Call, In, Lowered, Name, Out, Record, Scratch, Weight
from whet.ir.dim import static_shape
from whet.ir.element import F32, Quant
from whet.ir.leaf import data_of, known
from whet.ir.node import Array, Node, Value
from whet.kernels.kernel import kernel
from whet.kernels.packing_recurrent import PLACES, Layout, are_even
from whet.kernels.tiling import Tile, tile_f32
from whet.kernels.tiling_s8 import tile_s8
from whet.ops.convert import dequantize
from whet.ops.recurrent import GATES, gru, is_usual, lstm, starts_bounded
from whet.targets.target import Target

MOST_STEPS = 128  # whose gates are computed together
DIGITS = header_number("recurrent_s8.h", "RECURRENT_DIGITS")  # of h, each a sum of its own
SUMS = header_number("recurrent_f32.h", "RECURRENT_SUMS")  # of a block
MEETING = header_number("recurrent_f32.h", "RECURRENT_MEETING")  # floats for threads to meet by

CONSTANTS = ("w", "bias", "r", "back", "w_start", "w_scale", "r_start", "r_scale")
THREAD = Record(
    "recurrent_thread",
    (
        ("part", Name("part")), ("parts", Name("parts")),
        ("wait", Name("host->wait")), ("pool", Name("host->pool")),
    ),
)  # fmt: skip


@kernel("recurrent_f32", gru, lstm)
def lower(node: Node, target: Target) -> Lowered | None:
    x, w, r = node.inputs[:3]
    if x is None or w is None or r is None or not is_usual(node):
        return None
    bias = known(node.operand(3))
    if known(w) is None or known(r) is None or node.outputs[0].tensor.element != F32:
        return None
    if node.operand(3) is not None and bias is None:
        return None
    bounded = starts_bounded(node, known(node.operand(5)))
    if (_coded(r) and not bounded) or (_coded(x) and not _coded(w)):
        return None
    gates, (directions, _, hidden) = GATES[node.op.name], static_shape(r.shape)
    steps, batch, size = static_shape(x.shape)
    if node["batch_first"]:
        steps, batch = batch, steps
    if not steps * batch * hidden * size:
        return None
    places, coded = _places(r, bounded, target), _coded(x)
    vectors = block(gates, hidden, target, digits=places > 0)
    chunk = -(-steps // -(-steps // MOST_STEPS))
    units = -(-hidden // (vectors * target.lanes)) * vectors * target.lanes
    tile = _tile(chunk, gates * units, size, coded, target)
    layout = Layout(
        gates, vectors * target.lanes, tile.vectors, target.lanes, target.dot8_shift,
        target.dot8_pairs,
    )  # fmt: skip
    constants, record = _constants(layout, places, node, bias)
    flags = (bool(node["reverse"]), bool(node["batch_first"]))
    shape = (target.threads, places, coded, steps, batch, size, hidden, directions, *flags)
    sizes = (gates, *map(int, shape), vectors, chunk, tile.rows, tile.vectors)
    outputs = [Out(i) for i in range(len(node.outputs))] + [0] * (node.op is gru)
    pointers: list[Argument] = [In(0), record, *_states(node), *outputs, Scratch(), THREAD]
    digits = 2 * DIGITS * units * (2 if target.dot8_pairs else 1) if places else 0
    scratch = 4 * (MEETING + chunk * gates * units + 3 * units) + digits
    call = Call("recurrent_f32", (*sizes, *pointers))
    return Lowered((call,), ("recurrent_f32.h",), constants, scratch, together=True)


def _coded(value: Value) -> bool:
    return isinstance(value.tensor.element, Quant)


def _places(r: Value, bounded: bool, target: Target) -> int:
    """Bytes of a recurrent weight where r is bytes: 1 of codes; of floats 3, which are fewer than 4
    to read, where the machine multiplies bytes in wide vectors and the first cache does not hold
    the weights; and 0 for floats as they are. bounded: whether h always lies in [-1, 1]."""
    if _coded(r):
        return 1
    floats = data_of(r)
    wide = target.dot8_shift != 0 and target.registers >= 32
    heavy = floats[0].nbytes > 2 * target.l1
    return PLACES if wide and heavy and bounded and are_even(floats) else 0


def block(gates: int, hidden: int, target: Target, *, digits: bool = False) -> int:
    """Vectors of hidden units whose gates are summed together, shared evenly by the blocks."""
    most = 4 if target.registers >= 32 else 2
    most = max(1, target.registers // (DIGITS * gates)) if digits else most
    assert most * gates <= SUMS
    vectors = -(-hidden // target.lanes)
    return -(-vectors // -(-vectors // most))


def _tile(rows: int, columns: int, size: int, codes: bool, target: Target) -> Tile:
    if codes:
        return tile_s8(rows, columns, size, target.lanes, target.registers)
    return tile_f32(rows, columns, size, target)


def _states(node: Node) -> list[Argument]:
    return [0 if node.operand(i) is None else In(i) for i in (5, 6)]


def _constants(
    layout: Layout, places: int, node: Node, bias: Array | None
) -> tuple[tuple[Array, ...], Record]:
    """What is packed, and the pointers to it."""
    x, w, r = (node.input(i) for i in range(3))
    data, back = data_of(w), data_of(r)
    elements = [v.tensor.element for v in (x, w, r)]
    given, inner, recurrent = (e if isinstance(e, Quant) else None for e in elements)
    first_scale: list[Array | None] = [None, None]
    second_scale: list[Array | None] = [None, None]
    if given is not None and inner is not None:
        first, *first_scale = layout.coded_inputs(data, inner, given)
    else:
        first = layout.inputs(data if inner is None else dequantize(data, inner))
    if places == PLACES:
        second, *second_scale = layout.digits_recurrent(back)
    elif recurrent is not None:
        second, *second_scale = layout.coded_recurrent(back, recurrent)
    else:
        second = layout.recurrent(back)
    sums, last = layout.biases(bias, back)
    found = zip(CONSTANTS, (first, sums, second, last, *first_scale, *second_scale), strict=True)
    held = {name: array for name, array in found if array is not None}
    pointers = tuple((name, Weight(i)) for i, name in enumerate(held))
    return tuple(held.values()), Record("recurrent_constants", pointers)
