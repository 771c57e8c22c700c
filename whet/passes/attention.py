"""Products of queries, keys and values around a softmax become one op, and need no transposes."""

from __future__ import annotations

from dataclasses import dataclass

from whet.ir.element import F32
from whet.ir.graph import Graph
from whet.ir.leaf import parameter
from whet.ir.node import Node, Value
from whet.ir.type import Type
from whet.ops.attention import attention
from whet.ops.coded_attention import COLUMNS, ROWS
from whet.ops.elementwise import add, div, mul
from whet.ops.matmul import matmul
from whet.ops.movement import transpose
from whet.ops.normalization import softmax
from whet.passes.heads import side_by_side
from whet.passes.normalization import either, operands, scalar_of
from whet.rewrite.rule import Replacement, Rule, Uses, rule


@dataclass(frozen=True, slots=True)
class Scores:
    """scale * (q k^T) + mask, with q and k as [B, T, H, D]."""

    q: Value
    k: Value
    mask: Value | None
    scale: float


def _plain(value: Value | None, uses: Uses) -> bool:
    """Whether a value is a f32 product of two, read once."""
    if value is None or value.op is not matmul or uses(value) > 1 or value.tensor.element != F32:
        return False
    return len(value.node.inputs) == 2 and value.node["epilogue"] is None


def _scores(value: Value, uses: Uses) -> Scores | None:
    """What a value is as scores; each part of it is read once."""
    mask: Value | None = None
    for x, other in either(value, add):
        if _scaled(x, uses) and other.shape[-1:] == value.shape[-1:] and x.shape == value.shape:
            value, mask = x, other
            break
    found = _scaled(value, uses)
    if found is None:
        return None
    product, scale = found
    q, k = side_by_side(product.node.inputs[0], ROWS), side_by_side(product.node.inputs[1], COLUMNS)
    return Scores(q, k, mask, scale) if q is not None and k is not None else None


def _scaled(value: Value, uses: Uses) -> tuple[Value, float] | None:
    """(product, scale) of a product times one number, or over it."""
    if uses(value) > 1:
        return None
    if _plain(value, uses):
        return value, 1.0
    for x, number in either(value, mul):
        scale = scalar_of(number)
        if scale is not None and _plain(x, uses) and x.shape == value.shape:
            return x, scale
    pair = operands(value, div)
    divisor = scalar_of(pair[1]) if pair else None
    if pair and divisor and _plain(pair[0], uses) and pair[0].shape == value.shape:
        return pair[0], 1 / divisor
    return None


def _example() -> Graph:
    q, k = parameter("q", Type((1, 5, 2, 4), F32)), parameter("k", Type((1, 6, 2, 4), F32))
    v, mask = parameter("v", Type((1, 6, 2, 3), F32)), parameter("mask", Type((1, 1, 1, 6), F32))
    scores = matmul(transpose(q, perm=ROWS), transpose(k, perm=COLUMNS))
    mixed = matmul(softmax(add(scores, mask), axis=3), transpose(v, perm=ROWS))
    return Graph((q, k, v, mask), (transpose(mixed, perm=ROWS),), ("y",))


@rule(matmul, example=_example)
def recognise_attention(node: Node, uses: Uses) -> Replacement:
    """softmax(scale * q k^T + mask) v, heads apart -> attention(q, k, v, mask), heads beside each
    other, and a transpose of its result."""
    weights, v = node.inputs[0], side_by_side(node.inputs[1], ROWS)
    if not _plain(node.outputs[0], lambda _: 1) or weights is None or v is None:
        return None
    if weights.op is not softmax or uses(weights) > 1 or weights.node.integer("axis") != 3:
        return None
    if weights.node["beta"] not in (None, 1.0) or not weights.tensor.static:
        return None
    found = _scores(weights.node.input(0), uses)
    if found is None or not all(x.tensor.static for x in (found.q, found.k, v)):
        return None
    given = (found.q, found.k, v) if found.mask is None else (found.q, found.k, v, found.mask)
    if any(x.tensor.element != F32 for x in given) or found.q.shape[0] != v.shape[0]:
        return None
    if found.q.shape[0] != found.k.shape[0] or len({x.shape[2] for x in given[:3]}) > 1:
        return None
    return transpose(attention(*given, scale=found.scale), perm=ROWS)


ATTENTION: tuple[Rule, ...] = (recognise_attention,)
