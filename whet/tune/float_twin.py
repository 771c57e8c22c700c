"""The float twin of a quantised model: the reals its codes stand for, without their rounding."""

from __future__ import annotations

from collections import Counter

import numpy as np

from whet.ir.element import F32, Element, Quant, Scalar
from whet.ir.graph import Graph
from whet.ir.leaf import constant, known
from whet.ir.node import Node, Value
from whet.ir.type import Type
from whet.ops.convert import bitcast, convert, dequantize, integer_limits
from whet.ops.elementwise import maximum, minimum
from whet.rewrite.driver import rewrite
from whet.rewrite.rule import Replacement, Rule, Uses


def float_twin(graph: Graph) -> Graph | None:
    """The graph with `dequantise(quantise(x))` as x clipped to what the codes can stand for.

    None where nothing is quantised, or codes are used in another way: as inputs, outputs or states,
    as plain integers, or read with another scale or zero than they were made with.
    """
    fired: Counter[str] = Counter()
    twin = rewrite(graph, [Rule("real", (convert,), _real)], fired)
    return twin if fired and not any(map(_codes, twin.nodes)) else None


def _codes(node: Node) -> bool:
    """Whether a node makes codes, constants left out."""
    elements = [t.element for t in node.types if isinstance(t, Type)]
    return any(isinstance(e, Quant) for e in elements) and known(node.outputs[0]) is None


def _real(node: Node, uses: Uses) -> Replacement:
    """convert(... convert(x to codes) ... to f32) -> min(max(x, low), high).

    On the way the codes stand for the same reals: read back with another scale they are others.
    """
    value = node.inputs[0]
    if node["to"] != F32 or value is None:
        return None
    read = value.tensor.element
    if not isinstance(read, Quant) or read.axis is not None:
        return None
    while value.type != node.types[0]:
        source = value.node.inputs[0] if value.op in (convert, bitcast) else None
        if source is None or not _same_reals(value, source, read):
            return None
        value = source
    ends = np.array(integer_limits(read.store)).astype(np.int64)
    low, high = dequantize(ends, read)
    return _clipped(value, float(low), float(high))


def _same_reals(value: Value, source: Value, read: Quant) -> bool:
    """Whether a convert or bitcast of source to value leaves the reals that codes of read are.

    A convert makes such codes, of f32 or of others alike; a bitcast reads them as their own store,
    or that as them.
    """
    to, of = value.tensor.element, source.tensor.element
    if value.op is convert:
        return _reals(to) == _reals(read) and (of == F32 or _reals(of) == _reals(read))
    codes = [e for e in (to, of) if isinstance(e, Quant)]
    return (
        bool(codes) and _store(to) == _store(of) and all(_reals(e) == _reals(read) for e in codes)
    )


def _store(element: Element) -> Scalar:
    return element.store if isinstance(element, Quant) else element


def _reals(element: Element) -> tuple[object, ...] | None:
    """The scale, and the least and greatest code less the zero; None of plain numbers."""
    if not isinstance(element, Quant) or element.axis is not None:
        return None
    least, most = integer_limits(element.store)
    return element.scale, least - element.zero[0], most - element.zero[0]


def _clipped(x: Value, low: float, high: float) -> Value:
    return minimum(maximum(x, constant(np.float32(low))), constant(np.float32(high)))
