"""Fourier transforms of real signals."""

from __future__ import annotations

import numpy as np

from whet.emit.lowered import Call, In, Lowered, Out, Scratch, Weight
from whet.ir.dim import static_size
from whet.ir.node import Array, Node
from whet.kernels.kernel import kernel
from whet.kernels.scratch import whole_lines
from whet.kernels.share import rows
from whet.ops.rfft import rfft
from whet.targets.target import Target

# About what a sample takes.
NANOSECONDS = 1.0


def bit_reversal(n: int) -> Array:
    """Where each input of a transform of `n` values, a power of two, goes."""
    order = np.zeros(1, np.int32)
    while len(order) < n:
        order = np.concatenate([2 * order, 2 * order + 1])
    return order.astype(np.int32)


@kernel("rfft", rfft)
def lower(node: Node, target: Target) -> Lowered | None:
    x = node.inputs[0]
    if x is None or not x.tensor.static:
        return None
    length = static_size(x.shape[-1])
    half, signals = length // 2, static_size(x.tensor.elements) // length
    phase = -np.pi * np.arange(half) / half
    twiddles = np.stack([np.cos(phase), np.sin(phase)], axis=-1).astype(np.float32)
    lanes = max(1, min(signals, target.lanes))
    each = rows(signals, NANOSECONDS * length, lanes)
    given, made = each.at(In(0), length), each.to(Out(), 2 * (half + 1))
    arguments = (each.count, lanes, half, given, Weight(0), Weight(1), Scratch(), made)
    call = Call("rfft_f32", arguments)
    tables = (bit_reversal(half), twiddles)
    room = whole_lines(half * 8 * lanes)
    return Lowered((call,), ("rfft_f32.h",), tables, 0, each.units, "rfft", room)
