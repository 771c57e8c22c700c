"""A transpose that met no inverse goes back before the growth it was moved through."""

from __future__ import annotations

import numpy as np

from whet.ir.dim import bounds
from whet.ir.graph import Graph
from whet.ir.leaf import constant
from whet.ir.node import Node, Value
from whet.ops.movement import transpose
from whet.ops.resize import resize
from whet.passes.movement import unary
from whet.rewrite.rule import Replacement, Rule, Uses, rule


def _example() -> Graph:
    def grown(x: Value) -> Value:
        rules = {"mode": "nearest", "transform": "half_pixel"}
        tall = resize(x, constant(np.float64(2)), axis=1, size=4, **rules)
        wide = resize(tall, constant(np.float64(3)), axis=2, size=9, **rules)
        return transpose(wide, perm=(0, 3, 1, 2))

    return unary((1, 2, 3, 4), grown)


@rule(transpose, example=_example)
def transpose_before_growth(node: Node, uses: Uses) -> Replacement:
    """transpose(resize(x)) -> resize(transpose(x)) where the axis grows and elements are only
    repeated; a filter is left where its neighbouring channels are taken together."""
    y = node.input(0)
    if y.op is not resize or uses(y) > 1 or y.node["mode"] != "nearest":
        return None
    x, axis, perm = y.node.input(0), y.node.integer("axis"), node.integers("perm")
    if bounds(y.shape[axis] - x.shape[axis])[0] <= 0:
        return None
    inner = transpose(x, perm=perm)
    return y.node.replace((inner, *y.node.inputs[1:]), axis=perm.index(axis)).outputs[0]


GROWTH: tuple[Rule, ...] = (transpose_before_growth,)
