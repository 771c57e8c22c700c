"""Singular value decomposition filters: integer_svdf.h and svdf_f32.h."""

from __future__ import annotations

from whet.emit.lowered import Argument, Call, In, Lowered, Out
from whet.ir.dim import static_shape
from whet.ir.element import I8, I16, Quant
from whet.ir.node import Node
from whet.kernels.kernel import kernel
from whet.kernels.quantized import rounding_name, scalar, store
from whet.ops.affine import operand
from whet.ops.svdf import constants_of, svdf
from whet.targets.target import Target


@kernel("svdf", svdf)
def lower(node: Node, target: Target) -> Lowered | None:
    x, state = node.input(0), node.input(1)
    batch, depth = static_shape(x.shape)
    _, filters, memory = static_shape(state.shape)
    rank = node.integer("rank")
    shape = (batch, depth, filters // rank, rank, memory)
    copy = Call("__builtin_memmove", (Out(1), In(1), state.tensor.nbytes))
    bias: Argument = 0 if node.operand(4) is None else In(4)
    if not isinstance(node["to"], Quant):
        step = Call("svdf_f32", (*shape, In(0), In(2), In(3), bias, Out(1), Out(0)))
        return Lowered((copy, step), ("svdf_f32.h",))
    stores = [q.store for q in _elements(node)]
    if stores[0] != I8 or stores[2] != I8 or node["to"].store != I8:
        return None
    if stores[1] not in (I8, I16) or stores[3] != stores[1]:
        return None
    c = constants_of(node)
    feature = (scalar(c.feature_by.m), scalar(c.feature_by.t))
    time = (scalar(c.time_by.m), scalar(c.time_by.t))
    head: tuple[Argument, ...] = (*shape, store(operand(node, 1)), In(0), c.x_zero, In(2), *feature)
    ends: tuple[Argument, ...] = (In(3), c.state.zero, bias, *time, c.y.zero, rounding_name(node))
    call = Call("integer_svdf", (*head, *ends, Out(1), Out(0)))
    return Lowered((copy, call), ("integer_svdf.h",))


def _elements(node: Node) -> list[Quant]:
    found = [v.tensor.element for v in node.inputs[:4] if v is not None]
    return [e for e in found if isinstance(e, Quant)]
