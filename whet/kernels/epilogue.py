"""What an epilogue reads, as the f32 kernels pass it."""

from __future__ import annotations

from whet.emit.epilogue import VECTOR_OPS
from whet.emit.lowered import Argument, Epilogue, Extra, In, Pitch, Weight
from whet.ir.element import BF16, F32
from whet.ir.graph import Graph
from whet.ir.leaf import parameter
from whet.ir.node import Node, Value
from whet.ir.type import Type
from whet.ops.convert import convert
from whet.targets.target import Target

IDENTITY_INPUT = parameter("acc", Type((), F32))
IDENTITY = Graph((IDENTITY_INPUT,), (IDENTITY_INPUT,), ("y",))


AWAY = 4
"""What tensors take of the second cache, one over this, from which on they are not near."""
FLOATS = (F32, BF16)
"""What the vector kernels of floats read in an epilogue, and store."""


def out_bytes(node: Node) -> int | None:
    """The size of a result; None where the kernels do not store such."""
    element = node.outputs[0].tensor.element
    return element.size if element in FLOATS else None


def row_stride(extra: Value, result: Type) -> int | None:
    """Elements between rows of an epilogue operand; None where the kernels cannot read it.

    It is either one element a channel, or laid out like the result.
    """
    if extra.tensor.element not in FLOATS or not extra.tensor.static:
        return None
    channels = result.shape[-1]
    if not isinstance(channels, int):
        return None
    if extra.shape == result.shape:
        return channels
    aligned = (1,) * (result.rank - len(extra.shape)) + extra.shape
    return 0 if aligned == (1,) * (result.rank - 1) + (channels,) else None


def vector_epilogue(node: Node, first: int) -> Epilogue | None:
    """The node's epilogue for a vector kernel; inputs from `first` on are its extras. None where it
    cannot compute the epilogue."""
    body = node["epilogue"]
    if not isinstance(body, Graph):
        return Epilogue(IDENTITY, ())
    if not all(_computed(n) for n in body.nodes):
        return None
    result, extras = node.outputs[0].tensor, []
    for i, value in enumerate(node.inputs[first:], first):
        stride = None if value is None else row_stride(value, result)
        if stride is None:
            return None
        extras.append(Extra(In(i), Pitch(In(i), stride) if stride else 0))
    return Epilogue(body, tuple(extras))


def far(epilogue: Epilogue, node: Node, target: Target) -> tuple[Argument, ...]:
    """FAR, beside and ldbeside of gemm_f32: whether a result of floats is too large to have stayed
    near, and the first tensor of its size that the epilogue reads."""
    result = node.outputs[0].tensor
    if any(v.tensor.element != F32 for v in (*node.outputs, *node.operands[2:])):
        return 0, 0, 0
    beside = next((e for e in epilogue.extras if isinstance(e.row_stride, Pitch)), None)
    tensors = 1 if beside is None else 2
    large = isinstance(result.nbytes, int) and result.nbytes * tensors >= target.l2 // AWAY
    if beside is None or isinstance(beside.operand, Weight):
        return (large, 0, 0)
    return (large, beside.operand, beside.row_stride)


def _computed(node: Node) -> bool:
    """Whether a node of a body has a vector form."""
    if any(t.element not in FLOATS for t in node.types if isinstance(t, Type)):
        return False
    if node.op.family == "leaf" or node.op is convert:
        return True
    return node.op.name in VECTOR_OPS and node.types[0] == Type((), F32)
