"""`channels_last`: planes of reals as codes, the channels of a pixel side by side."""

from __future__ import annotations

from whet.errors import ShapeError
from whet.ir.element import F32, Quant
from whet.ir.node import Array, Node, Op
from whet.ir.type import Type
from whet.ops.convert import quantize


def order(rank: int) -> tuple[int, ...]:
    """The axes of a value of planes, the second one last."""
    return (0, *range(2, rank), 1)


def _infer(x: Type, *, to: Quant) -> Type:
    """x: f32[B, C, ...]; to: one scale for all. The result is [B, ..., C]."""
    if x.rank < 3 or x.element != F32 or to.axis is not None:
        raise ShapeError(f"{x} as {to}, channels last")
    return Type(tuple(x.shape[p] for p in order(x.rank)), to)


def _evaluate(node: Node, x: Array) -> Array:
    to = node["to"]
    assert isinstance(to, Quant)
    return quantize(x, to).transpose(order(x.ndim))


channels_last = Op("channels_last", _infer, _evaluate, family="movement")
