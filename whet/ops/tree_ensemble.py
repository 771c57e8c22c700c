"""`tree_ensemble`: votes of decision trees over rows of features (ai.onnx.ml TreeEnsemble-5)."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from whet.errors import ShapeError
from whet.ir.dim import Size
from whet.ir.element import F32, F64
from whet.ir.node import Array, Attr, Node, Op
from whet.ir.type import Type

MODES = ("<=", "<", ">=", ">", "==", "!=", "member")
AGGREGATES = ("average", "sum", "min", "max")


@dataclass(frozen=True, slots=True)
class Trees:
    """All nodes of all trees, one array a column.

    Node i compares x[feature[i]] with value[i] by MODES[mode[i]] and goes to yes[i] or no[i]: a
    node, or leaf l as ~l. NaN goes to yes where missing_yes[i]. A member is one of
    members[member_start[i]:] up to the next NaN. Leaf l votes leaf_weight[k] for leaf_target[k],
    leaf_start[l] <= k < leaf_start[l + 1]. base is added last. roots: one entry a tree.
    """

    feature: Array
    mode: Array
    value: Array
    yes: Array
    no: Array
    missing_yes: Array
    member_start: Array
    members: Array
    leaf_start: Array
    leaf_target: Array
    leaf_weight: Array
    roots: Array
    base: Array


TABLES = tuple(f.name for f in fields(Trees))


def trees_of(node: Node) -> Trees:
    """The tables of a node."""
    found = [node[name] for name in TABLES]
    assert all(isinstance(t, np.ndarray) for t in found)
    return Trees(*found)  # type: ignore[arg-type]


def _infer(x: Type, *, targets: Size, aggregate: str, **tables: Attr) -> Type:
    """x: [batch, features], f32 or f64. Result [batch, targets]."""
    if x.rank != 2 or x.element not in (F32, F64) or aggregate not in AGGREGATES:
        raise ShapeError(f"trees over {x}, {aggregate}")
    return Type((x.shape[0], targets), x.element)


def _leaf(t: Trees, at: int, row: Array) -> int:
    while at >= 0:
        x, mode = row[t.feature[at]], MODES[t.mode[at]]
        if np.isnan(x) and t.missing_yes[at]:
            taken = True
        elif mode == "member":
            rest = t.members[t.member_start[at] :]
            ends = np.flatnonzero(np.isnan(rest))
            taken = bool((rest[: ends[0] if len(ends) else None] == x).any())
        else:
            v = t.value[at]
            taken = bool((x <= v, x < v, x >= v, x > v, x == v, x != v)[t.mode[at]])
        at = int(t.yes[at] if taken else t.no[at])
    return ~at


def _evaluate(node: Node, x: Array) -> Array:
    t, aggregate = trees_of(node), str(node["aggregate"])
    function = {"min": np.minimum, "max": np.maximum}.get(aggregate, np.add)
    start = {"min": np.inf, "max": -np.inf}.get(aggregate, 0.0)
    y = np.full((len(x), node.integer("targets")), start, x.dtype)
    for b, row in enumerate(x):
        for root in t.roots:
            leaf = _leaf(t, int(root), row)
            for k in range(t.leaf_start[leaf], t.leaf_start[leaf + 1]):
                target = t.leaf_target[k]
                y[b, target] = function(y[b, target], t.leaf_weight[k])
    if aggregate == "average":
        y /= len(t.roots)
    return np.asarray(y + t.base)


tree_ensemble = Op("tree_ensemble", _infer, _evaluate)
