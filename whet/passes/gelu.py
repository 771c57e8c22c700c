"""GELU written with an error function becomes one op."""

from __future__ import annotations

from math import sqrt

import numpy as np

from whet.ir.element import F32
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.node import Node, Value
from whet.ir.type import Type
from whet.ops.elementwise import add, div, erf, gelu, mul
from whet.passes.normalization import either, operands, scalar_of
from whet.rewrite.rule import Replacement, Rule, Uses, rule


def _near(value: float | None, wanted: float) -> bool:
    return value is not None and abs(value - wanted) <= 1e-6 * wanted


def _over_root_two(value: Value | None) -> Value | None:
    """x where the value is x / sqrt(2)."""
    pair = operands(value, div)
    if pair is not None and _near(scalar_of(pair[1]), sqrt(2)):
        return pair[0]
    if value is not None:
        for x, factor in either(value, mul):
            if _near(scalar_of(factor), sqrt(0.5)):
                return x
    return None


def _twice_share(value: Value) -> Value | None:
    """x where the value is 1 + erf(x / sqrt(2))."""
    for error, one in either(value, add):
        if error.op is erf and scalar_of(one) == 1:
            return _over_root_two(error.node.inputs[0])
    return None


def _example() -> Graph:
    x = parameter("x", Type((2, 5), F32))
    error = erf(div(x, constant(np.float32(sqrt(2)))))
    return Graph((x,), (mul(x, add(error, constant(np.float32(1)))),), ("y",))


@rule(mul, example=_example)
def recognise_gelu(node: Node, uses: Uses) -> Replacement:
    """x * (1 + erf(x / sqrt(2))) -> 2 * gelu(x); the first x may have been scaled."""
    out = node.outputs[0]
    for other, share in either(out, mul):
        x = _twice_share(share) if uses(share) == 1 else None
        if x is None or x.tensor.element != F32 or x.shape != out.shape:
            continue
        for base, factor in ((other, None), *either(other, mul)):
            scale = 1.0 if factor is None else scalar_of(factor)
            if base is x and scale is not None:
                return mul(gelu(x), constant(np.float32(2 * scale)))
    return None


GELU: tuple[Rule, ...] = (recognise_gelu,)
