"""Constant folding: what is known when compiling is computed when compiling."""

from __future__ import annotations

import numpy as np

from whet.errors import WhetError
from whet.ir.element import F32, I8, Quant
from whet.ir.graph import Graph, symbols_of
from whet.ir.leaf import constant, constant_op, parameter
from whet.ir.node import Node, Value
from whet.ir.type import Type
from whet.ops.convert import convert
from whet.ops.elementwise import add
from whet.ops.evaluate import evaluate_node
from whet.rewrite.rule import Replacement, Uses, rule

LIMIT_BYTES = 256 << 20
FREE_BYTES = 1 << 20
GROWTH = 4


def _example() -> Graph:
    x = parameter("x", Type((2,), F32))
    c = add(constant(np.array([1, 2], np.float32)), constant(np.float32(3)))
    return Graph((x,), (add(x, c),), ("y",))


@rule(example=_example)
def fold_constants(node: Node, uses: Uses) -> Replacement:
    """op(constants) -> constant, where the results stay small. What quantised constants stand for
    is left to be read as codes."""
    if node.op.family in ("leaf", "control") or node["random"]:
        return None
    return None if _dequantizes(node) else folded(node)


def _codes_example() -> Graph:
    x = parameter("x", Type((2,), F32))
    codes = constant(np.array([1, 2], np.int8), Quant(I8, (0.5,), (1,)))
    return Graph((x,), (add(x, convert(codes, to=F32)),), ("y",))


@rule(convert, example=_codes_example)
def fold_dequantized(node: Node, uses: Uses) -> Replacement:
    """convert(quantised constant) -> constant: nothing took the codes as they are."""
    return folded(node) if _dequantizes(node) else None


def _dequantizes(node: Node) -> bool:
    x = node.operand(0)
    if node.op is not convert or x is None or not isinstance(x.type, Type):
        return False
    return isinstance(x.type.element, Quant) and not isinstance(node["to"], Quant)


def folded(node: Node) -> Replacement:
    """The constants a node over constants computes, or None."""
    if not node.inputs or any(v.op is not constant_op for v in node.operands):
        return None
    types = [t for t in node.types if isinstance(t, Type) and t.static]
    made = sum(t.nbytes for t in types)
    held = sum(v.tensor.nbytes for v in node.operands)
    if len(types) != len(node.types) or made > min(LIMIT_BYTES, FREE_BYTES + GROWTH * held):
        return None
    if any(True for a in node.attrs.values() for _ in symbols_of(a)):
        return None
    values: dict[Value, object] = {v: v.node["data"] for v in node.operands}
    try:
        evaluate_node(node, values, {})
    except (WhetError, ArithmeticError, ValueError):
        return None
    results = [np.asarray(values[v]) for v in node.outputs]
    if any(r.shape != t.shape for r, t in zip(results, types, strict=True)):
        return None
    return tuple(constant(r, t.element) for r, t in zip(results, types, strict=True))
