"""What part of its operands a part of a node's result needs: windows grow, padding stays outside.

        rows of y   [4 ....... 8)            3 taps by steps of 2, 1 row of padding
        rows of x   [7 ........... 16)       7 = 4 * 2 - 1, 16 = 7 * 2 - 1 + 3

A new op joins by one function under `@reaches(op)`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from whet.ir.element import Quant
from whet.ir.leaf import known
from whet.ir.node import Attr, Node, Op, Value
from whet.ops.channels_last import channels_last, order
from whet.ops.convert import bitcast
from whet.ops.convolution import conv
from whet.ops.lookup import lookup
from whet.ops.movement import concat, pad, transpose
from whet.ops.pooling import average_pool, extra_of, max_pool

__all__ = ["Box", "Reach", "reach", "whole"]

Span = tuple[int, int]
Box = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Reach:
    """boxes: of each operand, the part [low, high) along each axis; None takes it as it is.
    attrs: what changes of the node when it computes its part alone."""

    boxes: tuple[Box | None, ...]
    attrs: dict[str, Attr] = field(default_factory=dict)


Reacher = Callable[[Node, Box], "Reach | None"]
REACHERS: dict[Op, Reacher] = {}


def reaches(*ops: Op) -> Callable[[Reacher], Reacher]:
    """Register what ops need for a part of their result."""

    def register(reacher: Reacher) -> Reacher:
        for op in ops:
            REACHERS[op] = reacher
        return reacher

    return register


def whole(value: Value) -> Box | None:
    """All of a value as a box; None where a size is free."""
    sizes = [d for d in value.shape if isinstance(d, int)]
    return tuple((0, d) for d in sizes) if len(sizes) == len(value.shape) else None


def reach(node: Node, box: Box) -> Reach | None:
    """What the part `box` of the node's only result needs; None where parts cannot be computed."""
    if len(node.outputs) != 1 or node["random"] or whole(node.outputs[0]) is None:
        return None
    if any(v is not None and whole(v) is None for v in node.inputs):
        return None
    reacher = REACHERS.get(node.op)
    if reacher is None and node.op.family == "elementwise":
        reacher = _elementwise
    return reacher(node, box) if reacher else None


def _elementwise(node: Node, box: Box) -> Reach | None:
    return Reach(tuple(None if v is None else _aligned(v, box) for v in node.inputs))


def _aligned(value: Value, box: Box) -> Box | None:
    """The part of an operand that is broadcast to the part `box` of a result."""
    if known(value) is not None and value.tensor.elements == 1:
        return None
    own = box[len(box) - len(value.shape) :]
    return tuple(
        (0, 1) if d == 1 else span for d, span in zip(value.shape, own, strict=True)
    )  # fmt: skip


@reaches(lookup, bitcast)
def _first_alone(node: Node, box: Box) -> Reach | None:
    return Reach((box, *(None for _ in node.inputs[1:])))


@reaches(transpose)
def _transpose(node: Node, box: Box) -> Reach | None:
    perm = node.integers("perm")
    return Reach((tuple(box[perm.index(i)] for i in range(len(perm))),))


@reaches(channels_last)
def _planes(node: Node, box: Box) -> Reach | None:
    return Reach((tuple(box[order(len(box)).index(i)] for i in range(len(box))),))


@reaches(concat)
def _concat(node: Node, box: Box) -> Reach | None:
    axis = node.integer("axis")
    if box[axis] != (0, node.outputs[0].shape[axis]):
        return None
    parts = [(*box[:axis], (0, _size(v, axis)), *box[axis + 1 :]) for v in node.operands]
    return Reach(tuple(parts))


@reaches(pad)
def _pad(node: Node, box: Box) -> Reach | None:
    if node["mode"] not in (None, "constant"):
        return None
    x = node.input(0)
    spans, low, high = list[Span](), list[int](), list[int]()
    for axis, (begin, end) in enumerate(box):
        shift = node.integers("low")[axis]
        span, before, after = _clipped(begin - shift, end - shift, _size(x, axis))
        if span[0] >= span[1]:
            return None
        spans, low, high = [*spans, span], [*low, before], [*high, after]
    return Reach((tuple(spans), None), {"low": tuple(low), "high": tuple(high)})


@reaches(conv, max_pool, average_pool)
def _window(node: Node, box: Box) -> Reach | None:
    """Spatial axes; batch and channels stay whole but for the batch of the part."""
    x = node.input(0)
    rank = len(x.shape)
    if box[-1] != (0, node.outputs[0].shape[-1]):
        return None
    kernel = _taps(node)
    spans, low, high, extra = [box[0]], list[int](), list[int](), list[int]()
    for i, (begin, end) in enumerate(box[1:-1]):
        taps = node.integers("dilation")[i] * (kernel[i] - 1) + 1
        stride, size = node.integers("stride")[i], _size(x, i + 1)
        first = begin * stride - node.integers("low")[i]
        last = (end - 1) * stride - node.integers("low")[i] + taps
        span, before, after = _clipped(first, last, size)
        if span[0] >= span[1]:
            return None
        spans, low, high = [*spans, span], [*low, before], [*high, after]
        if node.op is not conv:
            counted = node.integers("high")[i] - extra_of(node)[i]
            extra.append(max(0, last - size - counted))
    boxes: list[Box | None] = [(*spans, (0, _size(x, rank - 1)))]
    boxes += [None] * (len(node.inputs) - 1)
    for i, v in enumerate(node.inputs[3:] if node.op is conv else (), 3):
        boxes[i] = None if v is None else _aligned(v, box)
    attrs: dict[str, Attr] = {"low": tuple(low), "high": tuple(high)}
    if node["extra"]:
        attrs["extra"] = tuple(extra)
    return Reach(tuple(boxes), attrs)


def _clipped(begin: int, end: int, size: int) -> tuple[Span, int, int]:
    """[begin, end) inside [0, size), and how much of it lies before and after."""
    return (max(begin, 0), min(end, size)), max(-begin, 0), max(end - size, 0)


def _taps(node: Node) -> tuple[int, ...]:
    if node.op is conv:
        w = node.input(1)
        return tuple(_size(w, i) for i in range(1, len(w.shape) - 1))
    return node.integers("kernel")


def _size(value: Value, axis: int) -> int:
    size = value.shape[axis]
    assert isinstance(size, int)
    return size


def cuts_scales(value: Value, box: Box) -> bool:
    """Whether a part would take some of the scales of an axis."""
    element = value.tensor.element
    if not isinstance(element, Quant) or element.axis is None:
        return False
    return box[element.axis] != (0, value.shape[element.axis])
