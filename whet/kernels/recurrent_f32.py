"""LSTM and GRU layers with constant f32 weights and the usual activations: recurrent_f32.h."""

from __future__ import annotations

import numpy as np

from whet.emit.program import Argument, Call, In, Lowered, Name, Out, Scratch, Weight
from whet.ir.dim import static_shape
from whet.ir.element import F32
from whet.ir.leaf import known
from whet.ir.node import Array, Node
from whet.kernels.kernel import kernel
from whet.kernels.packing import pack_panels
from whet.kernels.tiling import Tile, tile_f32
from whet.ops.recurrent import GATES, activations_of, gru, lstm
from whet.targets.target import Target

USUAL = {"lstm": ("sigmoid", "tanh", "tanh"), "gru": ("sigmoid", "tanh")}
MOST_STEPS = 128  # whose gates are computed together


@kernel("recurrent_f32", gru, lstm)
def lower(node: Node, target: Target) -> Lowered | None:
    if not _usual(node):
        return None
    w, r, bias = (known(v) for v in (*node.inputs[1:3], node.operand(3)))
    x = node.inputs[0]
    if w is None or r is None or x is None or (node.operand(3) is not None and bias is None):
        return None
    gates, (directions, _, hidden) = GATES[node.op.name], r.shape
    steps, batch, size = static_shape(x.shape)
    if node["batch_first"]:
        steps, batch = batch, steps
    if not steps * batch * hidden * size:
        return None
    vectors = _block(hidden, target)
    chunk = -(-steps // -(-steps // MOST_STEPS))
    layout = _Layout(gates, vectors * target.lanes)
    columns = gates * layout.units(hidden)
    tile = tile_f32(chunk, columns, size, target)
    shape = (gates, steps, batch, size, hidden, directions, node["reverse"], node["batch_first"])
    pointers: list[Argument] = [In(0), *(Weight(i) for i in range(4)), *_states(node)]
    pointers += [Out(i) for i in range(len(node.outputs))] + [0] * (node.op is gru)
    sizes = (*map(int, shape), vectors, chunk, tile.rows, tile.vectors)
    threads = map(Name, ("part", "parts", "host->wait", "host->pool"))
    call = Call("recurrent_f32", (*sizes, *pointers, Scratch(), *threads))
    constants = layout.pack(w, r, bias, tile, target)
    scratch = 4 * (chunk * columns + 3 * layout.units(hidden))
    return Lowered((call,), ("recurrent_f32.h",), constants, scratch, together=True)


def _usual(node: Node) -> bool:
    """Whether the layer is plain: f32 of static shape, no lengths, peepholes or clipping."""
    t = node.inputs[0].tensor if node.inputs[0] is not None else None
    if t is None or t.element != F32 or not t.static or node["clip"] or node["input_forget"]:
        return False
    if node.operand(4) is not None or node.operand(7) is not None:
        return False
    usual = USUAL[node.op.name]
    names = [tuple(name for name, _, _ in each[: len(usual)]) for each in activations_of(node)]
    if any(each != usual for each in names):
        return False
    return node.op is lstm or bool(node["linear_before_reset"])


def _block(hidden: int, target: Target) -> int:
    """Vectors of hidden units whose gates are summed together, shared evenly by the blocks."""
    most = 4 if target.registers >= 32 else 2
    vectors = -(-hidden // target.lanes)
    return -(-vectors // -(-vectors // most))


def _states(node: Node) -> list[Argument]:
    return [0 if node.operand(i) is None else In(i) for i in (5, 6)]


class _Layout:
    """Gates of `width` hidden units at a time, units beyond the last one zero."""

    def __init__(self, gates: int, width: int) -> None:
        self.gates, self.width = gates, width

    def units(self, hidden: int) -> int:
        return -(-hidden // self.width) * self.width

    def columns(self, a: Array) -> Array:
        """[gates * hidden, ...] as [blocks, gates, width, ...]."""
        hidden = len(a) // self.gates
        padding = [(0, 0), (0, self.units(hidden) - hidden), *[(0, 0)] * (a.ndim - 1)]
        whole = np.pad(a.reshape(self.gates, hidden, *a.shape[1:]), padding)
        return whole.reshape(self.gates, -1, self.width, *a.shape[1:]).swapaxes(0, 1)

    def pack(
        self, w: Array, r: Array, bias: Array | None, tile: Tile, target: Target
    ) -> tuple[Array, ...]:
        """w, bias, r and the last gate's recurrent bias as recurrent_f32.h reads them."""
        directions, rows, hidden = r.shape
        both = np.zeros((directions, 2, rows), np.float32)
        both += 0 if bias is None else bias.reshape(both.shape)
        back = both[:, 1, rows - hidden :].copy()
        if self.gates == GATES["gru"]:
            both[:, 1, rows - hidden :] = 0
        inputs = [
            pack_panels(self.columns(each).reshape(-1, w.shape[2]).T, target.lanes, tile.vectors)
            for each in w
        ]
        sums = [self.columns(each) for each in both.sum(axis=1)]
        recurrent = [self.columns(each).transpose(0, 3, 1, 2) for each in r]
        padding = [(0, 0), (0, self.units(hidden) - hidden)]
        made = (np.stack(inputs), np.stack(sums), np.stack(recurrent), np.pad(back, padding))
        return tuple(np.ascontiguousarray(a).ravel() for a in made)
