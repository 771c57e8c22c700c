"""Epilogues: a scalar body a contraction applies to each result before it is stored."""

from __future__ import annotations

from whet.errors import ShapeError
from whet.ir.graph import Graph
from whet.ir.node import Array, Attr, Node
from whet.ir.type import Type
from whet.ops.broadcast import broadcast_shapes
from whet.ops.evaluate import call

FUSABLE = frozenset({
    "add", "sub", "mul", "div", "max", "min", "neg", "abs", "sqrt", "floor", "ceil", "round", "exp",
    "log", "tanh", "sigmoid", "gelu", "erf", "sin", "cos",
})  # fmt: skip
"""Elementwise ops that an epilogue may hold: those with a vector form."""


def channel_or_full(extra: Type, result: Type) -> bool:
    """Whether an epilogue operand has one element a channel, or the shape of the result."""
    if not extra.static or extra.shape == result.shape:
        return extra.static
    aligned = (1,) * (result.rank - len(extra.shape)) + extra.shape
    return aligned == (1,) * (result.rank - 1) + (result.shape[-1],)


def checked(result: Type, extras: tuple[Type, ...], epilogue: Attr) -> Type:
    """The type after an epilogue whose first input is the result and whose others are `extras`."""
    if not isinstance(epilogue, Graph):
        return result
    if len(epilogue.inputs) != len(extras) + 1:
        raise ShapeError(f"an epilogue of {len(epilogue.inputs)} inputs with {len(extras)} extras")
    for t in extras:
        if broadcast_shapes(t.shape, result.shape) != result.shape:
            raise ShapeError(f"epilogue operand {t} for {result}")
    return Type(result.shape, epilogue.outputs[0].tensor.element)


def applied(node: Node, result: Array, extras: tuple[Array, ...]) -> Array:
    """The result after the node's epilogue, if it has one."""
    body = node["epilogue"]
    if not isinstance(body, Graph):
        return result
    made = call(body, (result, *extras), {})[0]
    assert hasattr(made, "dtype")
    return made  # type: ignore[return-value]
