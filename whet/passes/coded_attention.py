"""Attention on codes becomes one node, which reads heads where they lie in rows."""

from __future__ import annotations

from collections.abc import Mapping

from whet.ir.dim import static_size
from whet.ir.element import F32, I8, Quant
from whet.ir.graph import Graph
from whet.ir.leaf import parameter
from whet.ir.node import Node, Value
from whet.ir.type import Type
from whet.ops.affine import quant_of
from whet.ops.coded_attention import COLUMNS, ROWS, coded_attention
from whet.ops.convert import bitcast, convert
from whet.ops.elementwise import add
from whet.ops.matmul import matmul
from whet.ops.movement import broadcast, reshape, transpose
from whet.ops.normalization import softmax
from whet.passes.heads import side_by_side
from whet.rewrite.rule import Replacement, Rule, Uses, rule


def _example() -> Graph:
    x = parameter("x", Type((1, 5, 16), F32))
    mask = parameter("mask", Type((1, 1, 1, 5), F32))
    codes = Quant(I8, (0.03,), (3,))
    parts = reshape(convert(x, to=codes), shape=(1, 5, 2, 8))
    q, k, v = (transpose(parts, perm=p) for p in (ROWS, COLUMNS, ROWS))
    scores = bitcast(matmul(q, k, element=Quant(I8, (0.1,), (2,))), to=Quant(I8, (0.05,), (2,)))
    masked = broadcast(convert(mask, to=Quant(I8, (0.04,), (-3,))), shape=(1, 2, 5, 5))
    logits = add(scores, masked, element=Quant(I8, (0.08,), (1,)))
    weights = softmax(logits, axis=3, element=Quant(I8, (1 / 255,), (-128,)))
    y = transpose(matmul(weights, v, element=Quant(I8, (0.02,), (-4,))), perm=ROWS)
    return Graph((x, mask), (convert(y, to=F32),), ("y",))


@rule(transpose, example=_example)
def attention_of_codes(node: Node, uses: Uses) -> Replacement:
    """transpose(softmax(transpose(q) @ transpose(k) [+ mask]) @ transpose(v)) ->
    coded_attention(q, k, v, mask), on codes."""
    mixed = node.input(0)
    if node["perm"] != ROWS or not _product(mixed, uses):
        return None
    weights, v = mixed.node.inputs
    if weights is None or weights.op is not softmax or weights.node["element"] is None:
        return None
    logits = weights.node.input(0)
    scores, mask = _masked(logits, uses)
    if scores is None or uses(weights) > 1 or weights.node.integer("axis") != 3:
        return None
    through = scores
    while through.op is bitcast and uses(through) == 1:
        through = through.node.input(0)
    if not _product(through, uses):
        return None
    q, k = through.node.inputs
    heads = [_heads(x, p) for x, p in ((q, ROWS), (k, COLUMNS), (v, ROWS))]
    if any(x is None for x in heads):
        return None
    given = [x for x in (q, k, v, mask) if x is not None]
    inputs = [parameter(f"x{i}", x.tensor) for i, x in enumerate(given)]
    body = Graph(tuple(inputs), (_rebuilt(mixed, dict(zip(given, inputs, strict=True))),), ("y",))
    split = node.outputs[0]
    operands = [x for x in (*heads, mask) if x is not None]
    made = coded_attention(*operands, heads=static_size(split.shape[2]), body=body)
    return reshape(made, shape=split.shape)


def _product(value: Value, uses: Uses) -> bool:
    """Whether a value is a product of two tensors of codes, of four axes, that one node reads."""
    node = value.node
    if node.op is not matmul or uses(value) > 1 or len(node.inputs) != 2 or node["epilogue"]:
        return False
    elements = [v.tensor.element for v in (*node.inputs, value) if v is not None]
    coded = all(isinstance(e, Quant) and e.store == I8 and len(e.scale) == 1 for e in elements)
    sizes = {v.shape[:2] for v in (*node.inputs, value) if v is not None}
    return coded and len(value.shape) == 4 and len(sizes) == 1 and value.tensor.static


def _masked(logits: Value, uses: Uses) -> tuple[Value | None, Value | None]:
    """Scores and the mask of one row that is added to each of theirs; no mask is no sum."""
    if uses(logits) > 1:
        return None, None
    if logits.op is not add:
        return logits, None
    a, b = logits.node.inputs
    if a is None or b is None or logits.node["clamp"] is not None:
        return None, None
    if quant_of(logits).rounding != "single":
        return None, None
    for scores, wide in ((a, b), (b, a)):
        mask = wide.node.input(0) if wide.op is broadcast else None
        if mask is not None and len(mask.shape) == 4 and mask.shape[1:3] == (1, 1):
            whole = mask.shape[0] in (1, wide.shape[0]) and mask.shape[3] == wide.shape[3]
            return (scores, mask) if whole and scores is not wide else (None, None)
    return None, None


def _heads(value: Value | None, perm: tuple[int, ...]) -> Value | None:
    """Rows in which the heads of a value lie side by side."""
    x = side_by_side(value, perm)
    if x is None:
        return None
    batch, rows, heads, size = (static_size(d) for d in x.shape)
    return reshape(x, shape=(batch, rows, heads * size))


def _rebuilt(value: Value, given: Mapping[Value, Value]) -> Value:
    """A value over other leaves."""
    if value in given:
        return given[value]
    inputs = tuple(None if v is None else _rebuilt(v, given) for v in value.node.inputs)
    return value.node.replace(inputs).outputs[value.index]


CODED_ATTENTION: tuple[Rule, ...] = (attention_of_codes,)
