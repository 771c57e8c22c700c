"""The float twin of a quantised model: the reals its codes stand for, without their rounding."""

from __future__ import annotations

from collections import Counter

import numpy as np

from whet.ir.element import F32, Quant
from whet.ir.graph import Graph
from whet.ir.leaf import constant, known
from whet.ir.node import Node, Value
from whet.ir.type import Type
from whet.ops.convert import bitcast, convert, dequantize, integer_limits
from whet.ops.elementwise import maximum, minimum
from whet.rewrite.driver import rewrite
from whet.rewrite.rule import Replacement, Rule, Uses


def real_twin(graph: Graph) -> Graph | None:
    """The graph with `dequantise(quantise(x))` as x clipped to what the codes can stand for.

    None where nothing is quantised, or codes are used in another way: as inputs, outputs or states.
    """
    fired: Counter[str] = Counter()
    twin = rewrite(graph, [Rule("real", (convert,), _real)], fired)
    return twin if fired and not any(map(_codes, twin.nodes)) else None


def _codes(node: Node) -> bool:
    """Whether a node makes codes, constants left out."""
    elements = [t.element for t in node.types if isinstance(t, Type)]
    return any(isinstance(e, Quant) for e in elements) and known(node.outputs[0]) is None


def _real(node: Node, uses: Uses) -> Replacement:
    """convert(... convert(x to codes) ... to f32) -> min(max(x, low), high)."""
    value = node.inputs[0]
    if node["to"] != F32 or value is None or not isinstance(value.tensor.element, Quant):
        return None
    low, high = -np.inf, np.inf
    while value is not None and value.op in (convert, bitcast):
        element = value.tensor.element
        if isinstance(element, Quant):
            if element.axis is not None:
                return None
            ends = np.array(integer_limits(element.store)).astype(np.int64)
            first, last = dequantize(ends, element)
            low, high = max(low, float(first)), min(high, float(last))
        value = value.node.inputs[0]
    if value is None or value.type != node.types[0]:
        return None
    return _clipped(value, low, high)


def _clipped(x: Value, low: float, high: float) -> Value:
    return minimum(maximum(x, constant(np.float32(low))), constant(np.float32(high)))
