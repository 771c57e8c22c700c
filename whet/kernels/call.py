"""What a kernel call is known by: the same text for nodes that are computed alike."""

from __future__ import annotations

import numpy as np

from whet.ir.element import Element, Quant
from whet.ir.graph import Graph
from whet.ir.leaf import known
from whet.ir.node import Attr, Node, Value
from whet.ir.type import AnyType, Type


def call_key(node: Node) -> str:
    """The op, its operands' types, its attributes and its results' types, on one line.

    `*` marks a constant. Of a quantised element only the storage, the rounding and the axis are
    told, and of a constant whether it has zero points: the values of scales do not matter.

    The key is for speed, not for meaning. How the nodes of an epilogue are wired, and the values of
    weights, are not in it, so calls of one key may compute different things: a choice found by key
    is checked against the call that takes it, and one that does not fit is left out.
    """
    operands = ", ".join(_operand(v) for v in node.inputs)
    attrs = " ".join(f"{k}={_attr(v)}" for k, v in sorted(node.attrs.items()) if v is not None)
    made = ", ".join(map(_type, node.types))
    return f"{node.op.name}({operands}) {{{attrs}}} -> {made}"


def _operand(value: Value | None) -> str:
    if value is None:
        return "none"
    if known(value) is None:
        return _type(value.type)
    element = value.tensor.element
    zero = " zero" if isinstance(element, Quant) and any(element.zero) else ""
    return f"*{_type(value.type)}{zero}"


def _type(t: AnyType) -> str:
    if not isinstance(t, Type):
        return str(t)
    return f"{_element(t.element)}[{','.join(map(str, t.shape))}]"


def _element(element: Element) -> str:
    if not isinstance(element, Quant):
        return element.name
    axis = "" if element.axis is None else f" axis {element.axis}"
    return f"q<{element.store} {element.rounding}{axis}>"


def _attr(attr: Attr) -> str:
    if isinstance(attr, Graph):
        return f"[{' '.join(_inner(n) for n in attr.nodes)}]"
    if isinstance(attr, np.ndarray):
        return f"{attr.dtype}{list(attr.shape)}"
    if isinstance(attr, tuple):
        return f"({','.join(map(_attr, attr))})"
    return _element(attr) if isinstance(attr, Quant) else str(attr)


def _inner(node: Node) -> str:
    """A node of an epilogue: leaves by their type alone."""
    if node.op.family == "leaf":
        return ("*" if known(node.outputs[0]) is not None else "") + _type(node.types[0])
    attrs = [_attr(v) for _, v in sorted(node.attrs.items()) if v is not None]
    return f"{node.op.name}({','.join(attrs)})"
