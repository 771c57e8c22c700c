"""Fourier transforms of real signals."""

from __future__ import annotations

import numpy as np

from whet.emit.lowered import Call, In, Lowered, Out, Scratch, Weight
from whet.ir.dim import static_size
from whet.ir.node import Array, Node
from whet.kernels.kernel import kernel
from whet.ops.rfft import rfft
from whet.targets.target import Target


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
    half, rows = length // 2, static_size(x.tensor.elements) // length
    phase = -np.pi * np.arange(half) / half
    twiddles = np.stack([np.cos(phase), np.sin(phase)], axis=-1).astype(np.float32)
    lanes = max(1, min(rows, target.lanes))
    arguments = (rows, lanes, half, In(0), Weight(0), Weight(1), Scratch(), Out())
    call = Call("rfft_f32", arguments)
    tables = (bit_reversal(half), twiddles)
    return Lowered((call,), ("rfft_f32.h",), tables, scratch=half * 8 * lanes)
