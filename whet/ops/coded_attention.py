"""`coded_attention`: attention over heads that lie side by side in rows of codes."""

from __future__ import annotations

from whet.errors import ShapeError
from whet.ir.dim import static_shape
from whet.ir.graph import Graph
from whet.ir.node import Array, Attr, Node, Op
from whet.ir.type import Type
from whet.ops.evaluate import call


def _infer(q: Type, k: Type, v: Type, *extras: Type, heads: int, body: Attr) -> Type:
    """q: [B, M, heads * D]; k: [B, N, heads * D]; v: [B, N, heads * E]. Result [B, M, heads * E].

    body: a graph over q as [B, heads, M, D], k as [B, heads, D, N], v as [B, heads, N, E] and the
    extras as they are, whose output is [B, heads, M, E].
    """
    batch, rows, _ = static_shape(q.shape)
    if not isinstance(body, Graph) or len(body.inputs) != 3 + len(extras):
        raise ShapeError(f"attention of {q}, {k} and {v} without a body for {len(extras)} extras")
    split = body.outputs[0].tensor
    if split.shape[:3] != (batch, heads, rows) or heads * split.shape[3] != v.shape[-1]:
        raise ShapeError(f"attention of {q}, {k} and {v} in {heads} heads gives {split}")
    return Type((batch, rows, v.shape[-1]), split.element)


def _evaluate(node: Node, q: Array, k: Array, v: Array, *extras: Array) -> Array:
    heads, body = node.integer("heads"), node["body"]
    assert isinstance(body, Graph)
    split = [x.reshape(*x.shape[:2], heads, -1) for x in (q, k, v)]
    q, k, v = (x.transpose(p) for x, p in zip(split, (ROWS, COLUMNS, ROWS), strict=True))
    y = call(body, (q, k, v, *extras), {})[0]
    assert hasattr(y, "transpose")
    made: Array = y.transpose(ROWS)
    return made.reshape(*made.shape[:2], -1)


ROWS, COLUMNS = (0, 2, 1, 3), (0, 2, 3, 1)
"""Orders of axes that bring the heads of [B, rows, heads, size] to the front."""

coded_attention = Op("coded_attention", _infer, _evaluate, "composite")
