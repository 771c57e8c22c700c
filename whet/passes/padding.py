"""Explicit padding becomes the padding of the window that reads it."""

from __future__ import annotations

import numpy as np

from whet.ir.element import F32, Scalar
from whet.ir.graph import Graph
from whet.ir.leaf import constant, known, parameter
from whet.ir.node import Node
from whet.ir.type import Type
from whet.ops.convert import integer_limits
from whet.ops.convolution import conv
from whet.ops.movement import pad
from whet.ops.pooling import average_pool, max_pool
from whet.rewrite.rule import Replacement, Rule, Uses, rule


def _example() -> Graph:
    x = parameter("x", Type((1, 4, 4, 2), F32))
    w = constant(np.linspace(-1, 1, 24, dtype=np.float32).reshape(3, 2, 2, 2))
    wide = pad(x, constant(np.float32(0)), low=(0, 1, 0, 0), high=(0, 1, 2, 0))
    y = conv(wide, w, stride=(1, 1), dilation=(1, 1), low=(0, 0), high=(0, 1))
    return Graph((x,), (y,), ("y",))


@rule(conv, max_pool, average_pool, example=_example)
def pad_into_window(node: Node, uses: Uses) -> Replacement:
    """conv(pad(x, 0)) -> conv(x) with more padding; max_pool of a pad with the least value;
    average_pool that counts its padding."""
    x = node.inputs[0]
    if x is None or x.op is not pad or x.node["mode"] not in (None, "constant"):
        return None
    fill, element = known(x.node.inputs[1]), x.tensor.element
    if fill is None or not isinstance(element, Scalar) or element.kind not in "fiu":
        return None
    if node.op is max_pool:
        least = -np.inf if element.kind == "f" else integer_limits(element)[0]
        fits = bool(np.all(fill == least))
    else:
        fits = not fill.any() and node["element"] is None
    low, high = x.node.integers("low"), x.node.integers("high")
    rank = x.tensor.rank
    if not fits or len(low) != rank or len(high) != rank:
        return None
    if low[0] or high[0] or low[-1] or high[-1]:
        return None
    if node.op is average_pool and not (node["count_pad"] or not any((*low, *high))):
        return None
    grown = {
        side: tuple(a + b for a, b in zip(node.integers(side), more[1:-1], strict=True))
        for side, more in (("low", low), ("high", high))
    }
    return node.replace((x.node.inputs[0], *node.inputs[1:]), **grown).outputs[0]


PADDING: tuple[Rule, ...] = (pad_into_window,)
