"""`attention`: softmax(scale * Q K^T + mask) V for every head (Vaswani et al., 2017), heads beside
each other in a row, as projections leave them."""

from __future__ import annotations

import numpy as np

from whet.errors import ShapeError
from whet.ir.node import Array, Node, Op
from whet.ir.type import Type
from whet.ops.broadcast import broadcast_shapes, same_element


def _infer(q: Type, k: Type, v: Type, mask: Type | None = None, *, scale: float = 1.0) -> Type:
    """q: [B, T, H, D]; k: [B, S, H, D]; v: [B, S, H, E]; mask: added to scores [B, H, T, S], which
    it broadcasts to. Result [B, T, H, E]."""
    if not q.rank == k.rank == v.rank == 4:
        raise ShapeError(f"attention of {q}, {k}, {v}: all need four axes")
    (b, t, h, d), (_, s, _, e) = q.shape, v.shape
    if k.shape != (b, s, h, d) or v.shape != (b, s, h, e):
        raise ShapeError(f"attention of {q}, {k}, {v}: batches, positions or heads differ")
    if mask is not None and broadcast_shapes(mask.shape, (b, h, t, s)) != (b, h, t, s):
        raise ShapeError(f"a mask {mask} for scores {b}, {h}, {t}, {s}")
    return Type((b, t, h, e), same_element(q, k, v).element)


def _evaluate(node: Node, q: Array, k: Array, v: Array, mask: Array | None = None) -> Array:
    heads = [x.swapaxes(1, 2) for x in (q, k, v)]
    wide = [x.astype(np.float32) if x.dtype.itemsize < 4 else x for x in heads]
    scale = node.attrs.get("scale", 1.0)
    assert isinstance(scale, float)
    scores = wide[0] @ wide[1].swapaxes(2, 3) * wide[0].dtype.type(scale)
    if mask is not None:
        scores = scores + mask
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    mixed = weights / weights.sum(axis=-1, keepdims=True) @ wide[2]
    return np.asarray(mixed.swapaxes(1, 2))


attention = Op("attention", _infer, _evaluate, "contraction")
