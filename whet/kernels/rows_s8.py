"""Softmax and layer normalisation of rows of int8 codes: softmax_s8.h and layer_norm_s8.h."""

from __future__ import annotations

import numpy as np

from whet.emit.lowered import Argument, Call, In, Lowered, Name, Out, Weight
from whet.ir.dim import static_size
from whet.ir.element import Quant
from whet.ir.leaf import known
from whet.ir.node import Array, Node
from whet.kernels.kernel import kernel
from whet.kernels.share import rows
from whet.ops.integer.softmax8 import Softmax8
from whet.ops.normalization import layer_norm, layer_norm_of, softmax, softmax8_of
from whet.targets.target import Target


def exponentials(c: Softmax8) -> Array:
    """The numbers of a softmax as softmax_s8.h takes them: low bytes, then high bytes."""
    parts = [c.exponentials & 255, c.exponentials >> 8]
    return np.concatenate(parts).astype(np.uint8)


def _span(count: int, nanoseconds: float) -> tuple[tuple[Argument, Argument], int | None]:
    """The rows of a call, and how many there are to share, None where it is not worth it."""
    if rows(count, nanoseconds).units is None:
        return (0, count), None
    return (Name("begin"), Name("end")), count


@kernel("softmax_s8", softmax)
def softmax_rows(node: Node, target: Target) -> Lowered | None:
    x, element = node.inputs[0], node["element"]
    if x is None or not isinstance(element, Quant) or not isinstance(x.tensor.element, Quant):
        return None
    if not x.tensor.static or node.integer("axis") != len(x.shape) - 1:
        return None
    c, n = softmax8_of(node), static_size(x.shape[-1])
    if c is None or not n:
        return None
    span, shared = _span(static_size(x.tensor.elements) // n, 20 + 0.2 * n)
    call = Call("softmax_s8", (n, c.factor, *span, In(0), Weight(0), Out()))
    return Lowered((call,), ("softmax_s8.h",), (exponentials(c),), parallel=shared)


@kernel("layer_norm_s8", layer_norm)
def layer_norm_rows(node: Node, target: Target) -> Lowered | None:
    x, scale, bias = (*node.inputs, None)[:3]
    gamma = known(scale)
    if node["element"] is None or x is None or not x.tensor.static or gamma is None:
        return None
    c = layer_norm_of(node, gamma, known(bias))
    room = np.zeros(4 * target.lanes, np.float32)
    arrays = tuple(np.concatenate([v, room]) for v in (c.gamma, c.beta))
    span, shared = _span(static_size(x.tensor.elements) // c.depth, 10 + 0.1 * c.depth)
    limits = (float(c.epsilon), c.y.zero, c.y.low, c.y.high)
    call = Call("layer_norm_s8", (c.depth, *limits, *span, In(0), Weight(0), Weight(1), Out()))
    return Lowered((call,), ("layer_norm_s8.h",), arrays, parallel=shared)
