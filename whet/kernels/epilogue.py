"""What an epilogue reads, as the f32 kernels pass it."""

from __future__ import annotations

from whet.emit.epilogue import VECTOR_OPS
from whet.emit.program import Epilogue, Extra, In
from whet.ir.element import F32
from whet.ir.graph import Graph
from whet.ir.leaf import parameter
from whet.ir.node import Node, Value
from whet.ir.type import Type

IDENTITY_INPUT = parameter("acc", Type((), F32))
IDENTITY = Graph((IDENTITY_INPUT,), (IDENTITY_INPUT,), ("y",))


def row_stride(extra: Value, result: Type) -> int | None:
    """Elements between rows of an epilogue operand; None where the kernels cannot read it.

    It is either one element a channel, or laid out like the result.
    """
    if extra.tensor.element != F32 or not extra.tensor.static:
        return None
    channels = result.shape[-1]
    if not isinstance(channels, int):
        return None
    if extra.shape == result.shape:
        return channels
    aligned = (1,) * (result.rank - len(extra.shape)) + extra.shape
    return 0 if aligned == (1,) * (result.rank - 1) + (channels,) else None


def vector_epilogue(node: Node, first: int) -> Epilogue | None:
    """The node's epilogue for a vector kernel; inputs from `first` on are its extras.

    None where the kernels cannot compute it.
    """
    body = node["epilogue"]
    if not isinstance(body, Graph):
        return Epilogue(IDENTITY, (), "f32")
    if any(n.op.family != "leaf" and n.op.name not in VECTOR_OPS for n in body.nodes):
        return None
    result, extras = node.outputs[0].tensor, []
    for i, value in enumerate(node.inputs[first:], first):
        stride = None if value is None else row_stride(value, result)
        if stride is None:
            return None
        extras.append(Extra(In(i), stride))
    return Epilogue(body, tuple(extras), "f32")
