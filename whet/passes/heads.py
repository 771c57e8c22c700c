"""Heads of an attention layer: matrices of their own, or side by side in rows."""

from __future__ import annotations

from whet.ir.node import Value
from whet.ops.movement import transpose


def side_by_side(value: Value | None, perm: tuple[int, ...]) -> Value | None:
    """x, [B, rows, heads, size], where the value is transpose(x, perm)."""
    if value is None or value.op is not transpose or value.node.integers("perm") != perm:
        return None
    return value.node.input(0)
