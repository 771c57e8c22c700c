"""`svdf`: a rank-decomposed convolution over time, with a memory."""

from __future__ import annotations

import numpy as np

from whet.errors import ShapeError
from whet.ir.dim import static_size
from whet.ir.element import F32, Element, Quant
from whet.ir.node import Array, Node, Op
from whet.ir.type import Type
from whet.ops.affine import affine_of, operand, rounding
from whet.ops.integer import svdf as integer


def _infer(
    x: Type, state: Type, feature: Type, time: Type, bias: Type | None = None, *, rank: int,
    to: Element,
) -> tuple[Type, Type]:  # fmt: skip
    """x [batch, in], state [batch, filters, memory], feature [filters, in], time [filters, memory],
    bias [units], filters = units * rank -> y [batch, units] as `to`, and the next state.
    """
    fits = x.rank == feature.rank == time.rank == 2 and state.rank == 3 and x.static
    if not fits or state.shape != (x.shape[0], *time.shape) or feature.shape[1] != x.shape[1]:
        raise ShapeError(f"an SVDF of {x} with state {state} and weights {feature}, {time}")
    filters = static_size(time.shape[0])
    if feature.shape[0] != filters or rank < 1 or filters % rank:
        raise ShapeError(f"an SVDF of {filters} filters of rank {rank}")
    if isinstance(x.element, Quant) != isinstance(to, Quant):
        raise ShapeError(f"an SVDF of {x.element} as {to}")
    if not isinstance(to, Quant) and any(t.element != F32 for t in (x, state, feature, time)):
        raise ShapeError(f"an SVDF of {x.element} with weights {feature.element}")
    if bias is not None and bias.shape != (filters // rank,):
        raise ShapeError(f"bias {bias} for {filters // rank} units")
    return Type((x.shape[0], filters // rank), to), state


def constants_of(node: Node) -> integer.Svdf:
    """The integer constants of a quantised layer."""
    result = affine_of(node.outputs[0].tensor.element)
    return integer.svdf_constants(
        operand(node, 0), operand(node, 2).scale, operand(node, 3).scale, operand(node, 1), result,
        node.integer("rank"), rounding(node),
    )  # fmt: skip


def _evaluate(
    node: Node, x: Array, state: Array, feature: Array, time: Array, bias: Array | None = None
) -> tuple[Array, Array]:
    if isinstance(node["to"], Quant):
        return integer.svdf(x, state, feature, time, bias, constants_of(node))
    newest = x @ feature.T
    shifted = np.concatenate([state[:, :, 1:], newest[:, :, None]], axis=2)
    rank = node.integer("rank")
    y = (shifted * time).sum(axis=2).reshape(len(x), -1, rank).sum(axis=2)
    return (y if bias is None else y + bias), shifted


svdf = Op("svdf", _infer, _evaluate)
"""Source: TensorFlow Lite's SVDF without an activation; arXiv 1812.02802."""
