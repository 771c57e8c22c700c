"""Control flow: ops whose bodies are closed graphs; what a body needs from outside is an operand.

The types of the results stand in the attribute `made`: a size that the bodies decide is a symbol
bound to a result of the same node.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from whet.errors import ShapeError
from whet.ir.dim import Dim, Size, Symbol
from whet.ir.graph import Graph
from whet.ir.node import Node, Op
from whet.ir.type import AnyType, Type
from whet.ops.evaluate import call

Sizes = Mapping[Symbol, Size]


def _branch(
    condition: Type, *given: AnyType, then: Graph, otherwise: Graph, made: tuple[AnyType, ...]
) -> tuple[AnyType, ...]:
    """One of two bodies over the operands after a bool scalar."""
    for body in (then, otherwise):
        if len(body.inputs) != len(given) or len(body.outputs) != len(made):
            raise ShapeError(f"a body of {len(body.inputs)} inputs and {len(body.outputs)} outputs")
    return made


def _evaluate_branch(
    node: Node, condition: object, *given: object, sizes: Sizes
) -> tuple[object, ...]:
    body = node["then"] if bool(np.asarray(condition).reshape(())) else node["otherwise"]
    assert isinstance(body, Graph)
    return tuple(call(body, given, sizes))


def _loop(
    trip: Type | None, condition: Type | None, *given: AnyType,
    body: Graph, carried: int, made: tuple[AnyType, ...], limit: int,
) -> tuple[AnyType, ...]:  # fmt: skip
    """ONNX Loop: trip count (i64) and condition (bool), either may be absent, then carried values
    and what the body captures. The body takes (iteration, condition, carried, captured) and gives
    (condition, carried, a slice of each scanned result). Results: carried, scanned, iterations.

    limit: the most iterations that the scanned results have room for.
    """
    if len(body.inputs) != 2 + len(given) or len(body.outputs) != len(made):
        raise ShapeError(f"a body of {len(body.inputs)} inputs and {len(body.outputs)} outputs")
    return made


def _evaluate_loop(
    node: Node, trip: object, condition: object, *given: object, sizes: Sizes
) -> tuple[object, ...]:
    body, count = node["body"], node.integer("carried")
    assert isinstance(body, Graph)
    values, captured = list(given[:count]), given[count:]
    scanned: list[list[object]] = [[] for _ in body.outputs[1 + count :]]
    alive = True if condition is None else bool(np.asarray(condition).reshape(()))
    most = None if trip is None else int(np.asarray(trip).reshape(()))
    done = 0
    while alive and (most is None or done < most):
        arguments = (np.array(done, np.int64), np.array(alive), *values, *captured)
        flag, *results = call(body, arguments, sizes)
        alive = bool(np.asarray(flag).reshape(()))
        values = results[:count]
        for kept, result in zip(scanned, results[count:], strict=True):
            kept.append(result)
        done += 1
    stacked = [
        np.stack(kept) if kept else _none(value.type)  # type: ignore[arg-type]
        for kept, value in zip(scanned, body.outputs[1 + count :], strict=True)
    ]
    return (*values, *stacked, np.array(done, np.int64))


def _none(t: AnyType) -> object:
    """No slices of a type."""
    assert isinstance(t, Type)
    shape = tuple(0 if isinstance(d, Dim) else d for d in t.shape)
    return np.zeros((0, *shape), t.element.dtype)


branch = Op("branch", _branch, _evaluate_branch, family="control")
loop = Op("loop", _loop, _evaluate_loop, family="control")
