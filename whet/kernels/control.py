"""Branches and loops: bodies run as functions over scratch memory of their node."""

from __future__ import annotations

from whet.emit.lowered import Branch, Carried, In, Lowered, Repeat
from whet.ir.graph import Graph, symbols_of
from whet.ir.node import Node, Value
from whet.ir.type import Type
from whet.kernels.kernel import kernel
from whet.kernels.scratch import whole_lines
from whet.ops.control import branch, loop
from whet.targets.target import Target


def _tensors(values: tuple[Value | None, ...]) -> list[Type] | None:
    types = [v.type for v in values if v is not None]
    if not all(isinstance(t, Type) for t in types):
        return None
    return [t for t in types if isinstance(t, Type)]


@kernel("branch", branch)
def choose(node: Node, target: Target) -> Lowered | None:
    if _tensors((*node.inputs, *node.outputs)) is None:
        return None
    return Lowered((Branch(In(0)),), scratch=64)


@kernel("loop", loop)
def repeat(node: Node, target: Target) -> Lowered | None:
    count = node.integer("carried")
    begins = _tensors(node.inputs[2 : 2 + count])
    ends, captured = _tensors(node.outputs), _tensors(node.inputs[2 + count :])
    if begins is None or ends is None or captured is None:
        return None
    scratch, carried, body = 64, [], node["body"]
    assert isinstance(body, Graph)
    made = body.outputs[1 : 1 + count]
    for begin, end, value in zip(begins, ends[:count], made, strict=True):
        first = begin.elements * begin.element.size
        carried.append(Carried(end.nbytes, first, scratch))
        scratch += whole_lines(max(end.nbytes, value.tensor.nbytes))
    slices = [Type(t.shape[1:], t.element) for t in ends[count:-1]]
    if any(True for t in slices for _ in symbols_of(t)):
        return None
    scanned = tuple(t.elements * t.element.size for t in slices)
    repeat = Repeat(tuple(carried), scanned, node.integer("limit"), 0)
    return Lowered((repeat,), scratch=scratch)
