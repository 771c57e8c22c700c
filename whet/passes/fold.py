"""Constant folding: what is known when compiling is computed when compiling."""

from __future__ import annotations

import numpy as np

from whet.errors import WhetError
from whet.ir.graph import symbols_of
from whet.ir.leaf import constant, constant_op
from whet.ir.node import Node, Value
from whet.ir.type import Type
from whet.ops.evaluate import evaluate_node
from whet.rewrite.rule import Replacement, Uses, rule

LIMIT_BYTES = 256 << 20


@rule()
def fold_constants(node: Node, uses: Uses) -> Replacement:
    """op(constants) -> constant, where the results stay small."""
    if node.op.family in ("leaf", "control") or node["random"]:
        return None
    if not node.inputs or any(v is None or v.op is not constant_op for v in node.inputs if v):
        return None
    types = [t for t in node.types if isinstance(t, Type) and t.static]
    if len(types) != len(node.types) or sum(t.nbytes for t in types) > LIMIT_BYTES:
        return None
    if any(True for a in node.attrs.values() for _ in symbols_of(a)):
        return None
    values: dict[Value, object] = {v: v.node["data"] for v in node.inputs if v is not None}
    try:
        evaluate_node(node, values, {})
    except (WhetError, ArithmeticError, ValueError):
        return None
    results = [np.asarray(values[v]) for v in node.outputs]
    if any(r.shape != t.shape for r, t in zip(results, types, strict=True)):
        return None
    return tuple(constant(r, t.element) for r, t in zip(results, types, strict=True))
