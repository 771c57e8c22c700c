"""Movement that moves nothing, and movement of movement."""

from __future__ import annotations

import numpy as np

from whet.ir.dim import Size, bounds
from whet.ir.element import F32, Element, Quant
from whet.ir.graph import Graph
from whet.ir.leaf import constant, known, parameter
from whet.ir.node import Node, Value
from whet.ir.type import Type
from whet.ops.broadcast import broadcast_shapes, is_row
from whet.ops.convert import convert
from whet.ops.elementwise import add, mul
from whet.ops.lookup import lookup
from whet.ops.movement import broadcast, concat, pad, reshape, slice_op, transpose
from whet.rewrite.rule import Replacement, Rule, Uses, rule


def unary(shape: tuple[Size, ...], make: object, element: Element = F32) -> Graph:
    """The graph y = make(x) of one input, for examples."""
    x = parameter("x", Type(shape, element))
    y = make(x)  # type: ignore[operator]
    return Graph((x,), (y,), ("y",))


@rule(transpose, example=lambda: unary((2, 3), lambda x: transpose(x, perm=(0, 1))))
def identity_transpose(node: Node, uses: Uses) -> Replacement:
    """transpose(x, perm=(0, 1, ...)) -> x."""
    x = node.input(0)
    return x if node.integers("perm") == tuple(range(len(x.shape))) else None


@rule(
    transpose,
    example=lambda: unary(
        (2, 3, 4), lambda x: transpose(transpose(x, perm=(1, 2, 0)), perm=(1, 0, 2))
    ),
)
def transpose_of_transpose(node: Node, uses: Uses) -> Replacement:
    """transpose(transpose(x, p), q) -> transpose(x, p[q])."""
    inner = node.input(0)
    if inner.op is not transpose:
        return None
    first = inner.node.integers("perm")
    return transpose(inner.node.input(0), perm=tuple(first[q] for q in node.integers("perm")))


@rule(
    transpose,
    example=lambda: unary(
        (2, 3), lambda x: add(x, transpose(convert(_codes(), to=x.tensor.element), perm=(1, 0)))
    ),
)
def hoist_to_constant(node: Node, uses: Uses) -> Replacement:
    """transpose(convert(constant)) -> convert(transpose(constant))."""
    x = node.input(0)
    if x.op is not convert or known(x.node.input(0)) is None:
        return None
    perm = node.integers("perm")
    inner = transpose(x.node.input(0), perm=perm)
    to = x.node["to"]
    assert isinstance(to, Element)
    if isinstance(to, Quant) and to.axis is not None:
        to = Quant(to.store, to.scale, to.zero, perm.index(to.axis), to.rounding)
    return x.node.replace((inner,), to=to).outputs[0]


def _codes() -> Value:
    return constant(np.arange(6, dtype=np.int8).reshape(3, 2))


@rule(transpose, example=lambda: unary((1, 3, 1, 4), lambda x: transpose(x, perm=(1, 0, 3, 2))))
def transpose_of_unit_axes(node: Node, uses: Uses) -> Replacement:
    """A transpose that keeps the order of all axes longer than one -> reshape."""
    x = node.input(0)
    moved = [p for p in node.integers("perm") if x.shape[p] != 1]
    if moved != sorted(moved) or _per_axis(x):
        return None
    return reshape(x, shape=node.outputs[0].shape)


def _per_axis(x: Value) -> bool:
    element = x.tensor.element
    return isinstance(element, Quant) and element.axis is not None


@rule(reshape, example=lambda: unary((2, 3), lambda x: reshape(x, shape=(2, 3))))
def identity_reshape(node: Node, uses: Uses) -> Replacement:
    """reshape(x, x.shape) -> x."""
    x = node.input(0)
    return x if x.shape == node.outputs[0].shape else None


@rule(
    reshape, example=lambda: unary((2, 6), lambda x: reshape(reshape(x, shape=(12,)), shape=(3, 4)))
)
def reshape_of_reshape(node: Node, uses: Uses) -> Replacement:
    """reshape(reshape(x, s), t) -> reshape(x, t)."""
    inner = node.input(0)
    if inner.op is not reshape:
        return None
    return reshape(inner.node.input(0), shape=node.outputs[0].shape)


@rule(
    slice_op,
    example=lambda: unary((4, 3), lambda x: slice_op(x, begin=(0, 0), size=(4, 3), step=(1, 1))),
)
def identity_slice(node: Node, uses: Uses) -> Replacement:
    """A slice of everything in order -> x."""
    x = node.input(0)
    steps = node.sizes("step")
    whole = x.shape == node.outputs[0].shape and all(b == 0 for b in node.sizes("begin"))
    forward = all(s == 1 or d == 1 for s, d in zip(steps, x.shape, strict=True))
    return x if whole and forward else None


@rule(
    slice_op,
    example=lambda: unary(
        (8,),
        lambda x: slice_op(
            slice_op(x, begin=(1,), size=(3,), step=(2,)), begin=(2,), size=(2,), step=(-1,)
        ),
    ),
)
def slice_of_slice(node: Node, uses: Uses) -> Replacement:
    """slice(slice(x)) -> one slice, offsets and steps composed."""
    inner = node.input(0)
    if inner.op is not slice_op:
        return None
    outer_begin, inner_begin = node.sizes("begin"), inner.node.sizes("begin")
    outer_step, inner_step = node.sizes("step"), inner.node.sizes("step")
    begin = tuple(a + b * s for a, b, s in zip(inner_begin, outer_begin, inner_step, strict=True))
    step = tuple(a * b for a, b in zip(inner_step, outer_step, strict=True))
    return slice_op(inner.node.input(0), begin=begin, size=node.sizes("size"), step=step)


@rule(
    slice_op,
    example=lambda: unary(
        (2, 3), lambda x: slice_op(concat(x, x, axis=0), begin=(2, 1), size=(2, 2), step=(1, 1))
    ),
)
def slice_of_concat(node: Node, uses: Uses) -> Replacement:
    """slice(concat(..., x, ...)) that stays within x -> slice(x)."""
    joined = node.input(0)
    if joined.op is not concat:
        return None
    axis = joined.node.integer("axis")
    begin, size, step = (node.sizes(name) for name in ("begin", "size", "step"))
    low, n, by = begin[axis], size[axis], step[axis]
    if not (isinstance(low, int) and isinstance(n, int) and isinstance(by, int)) or n == 0:
        return None
    first, last = sorted((low, low + (n - 1) * by))
    at = 0
    for part in joined.node.operands:
        length = part.shape[axis]
        if not isinstance(length, int):
            return None
        if at <= first and last < at + length:
            moved = tuple(b - at if i == axis else b for i, b in enumerate(begin))
            return slice_op(part, begin=moved, size=size, step=step)
        at += length
    return None


@rule(pad, example=lambda: unary((2, 3), lambda x: pad(x, _zero(), low=(0, 0), high=(0, 0))))
def identity_pad(node: Node, uses: Uses) -> Replacement:
    """A pad of nothing -> x."""
    nothing = all(n == 0 for n in (*node.sizes("low"), *node.sizes("high")))
    return node.input(0) if nothing else None


@rule(
    pad,
    example=lambda: unary(
        (2, 3),
        lambda x: pad(pad(x, _zero(), low=(1, 0), high=(0, 1)), _zero(), low=(0, 2), high=(1, 1)),
    ),
)
def pad_of_pad(node: Node, uses: Uses) -> Replacement:
    """pad(pad(x, v), v) -> one pad, both constant with the same fill."""
    inner = node.input(0)
    if (
        inner.op is not pad
        or uses(inner) > 1
        or {node["mode"], inner.node["mode"]} - {None, "constant"}
    ):
        return None
    a, b = known(node.inputs[1]), known(inner.node.inputs[1])
    if a is None or b is None or a.tobytes() != b.tobytes():
        return None
    both = {
        side: tuple(m + n for m, n in zip(node.sizes(side), inner.node.sizes(side), strict=True))
        for side in ("low", "high")
    }
    return node.replace((inner.node.input(0), node.inputs[1]), **both).outputs[0]


def _zero() -> Value:
    return constant(np.float32(0))


@rule(concat, example=lambda: unary((2, 3), lambda x: concat(x, axis=0)))
def identity_concat(node: Node, uses: Uses) -> Replacement:
    """A concat of one -> x; empty parts are dropped."""
    axis = node.integer("axis")
    kept = tuple(v for v in node.operands if v.shape[axis] != 0)
    if len(kept) == 1 and kept[0].type == node.types[0]:
        return kept[0]
    return node.replace(kept).outputs[0] if 0 < len(kept) < len(node.inputs) else None


@rule(
    concat,
    example=lambda: unary((2, 3), lambda x: concat(concat(x, x, axis=1), x, axis=1)),
)
def concat_of_concat(node: Node, uses: Uses) -> Replacement:
    """concat(concat(a, b), c) -> concat(a, b, c) along the same axis."""
    axis, grown = node.integer("axis"), False
    parts: list[Value] = []
    for v in node.operands:
        if v.op is concat and v.node.integer("axis") == axis and uses(v) == 1:
            parts.extend(v.node.operands)
            grown = True
        else:
            parts.append(v)
    return node.replace(tuple(parts)).outputs[0] if grown else None


def _halves(x: Value) -> Value:
    parts = (slice_op(x, begin=(0, b), size=(2, n), step=(1, 1)) for b, n in ((0, 1), (1, 2)))
    return concat(*parts, axis=1)


@rule(concat, example=lambda: unary((2, 3), _halves))
def concat_of_slices(node: Node, uses: Uses) -> Replacement:
    """concat(x[a:b], x[b:c], y) -> concat(x[a:c], y)."""
    axis = node.integer("axis")
    parts: list[Value] = []
    for v in node.operands:
        joined = _neighbours(parts[-1], v, axis) if parts else None
        parts = [*parts[:-1], joined] if joined is not None else [*parts, v]
    return node.replace(tuple(parts)).outputs[0] if len(parts) < len(node.operands) else None


def _neighbours(a: Value, b: Value, axis: int) -> Value | None:
    """One slice for two that follow each other along an axis."""
    if a.op is not slice_op or b.op is not slice_op or a.node.input(0) is not b.node.input(0):
        return None
    begin, size, step = (a.node.sizes(name) for name in ("begin", "size", "step"))
    low, more, by = (b.node.sizes(name) for name in ("begin", "size", "step"))
    ones = all(isinstance(s, int) and s == 1 for s in (step[axis], by[axis]))
    past = begin[axis] + size[axis]
    if not ones or low != (*begin[:axis], past, *begin[axis + 1 :]) or step != by:
        return None
    both = (*size[:axis], size[axis] + more[axis], *size[axis + 1 :])
    return slice_op(a.node.input(0), begin=begin, size=both, step=step)


@rule(broadcast, example=lambda: unary((2, 3), lambda x: broadcast(x, shape=(2, 3))))
def identity_broadcast(node: Node, uses: Uses) -> Replacement:
    """A broadcast to the same shape -> x, to more unit axes -> reshape."""
    x, out = node.input(0), node.outputs[0]
    if x.shape == out.shape:
        return x
    lead = len(out.shape) - len(x.shape)
    if out.shape == (1,) * lead + x.shape and not _per_axis(x):
        return reshape(x, shape=out.shape)
    return None


@rule(convert, example=lambda: unary((2, 3), lambda x: convert(x, to=F32)))
def identity_convert(node: Node, uses: Uses) -> Replacement:
    """convert(x) to the element x has -> x."""
    x = node.input(0)
    return x if x.type == node.types[0] else None


@rule(example=lambda: unary((3,), lambda x: add(broadcast(x, shape=(2, 3)), _matrix())))
def broadcast_operand(node: Node, uses: Uses) -> Replacement:
    """elementwise(broadcast(x), y) -> elementwise(x, y) where y alone gives the shape; of codes, a
    product with a row."""
    if node.op.family != "elementwise" or node.op is lookup:
        return None
    coded = node["element"] is not None
    if coded and (node.op is not mul or all(v.op is broadcast for v in node.operands)):
        return None
    if not any(v.op is broadcast for v in node.operands):
        return None
    chosen = list(node.inputs)
    for i, v in enumerate(node.inputs):
        if v is None or v.op is not broadcast:
            continue
        x = v.node.input(0)
        if coded and not is_row(x.shape, node.outputs[0].shape):
            continue
        trial = [x if j == i else w for j, w in enumerate(chosen)]
        shapes = [w.shape for w in trial if w is not None]
        if broadcast_shapes(*shapes) == node.outputs[0].shape and all(
            bounds(d)[0] > 0 for d in node.outputs[0].shape
        ):
            chosen = trial
    if chosen == list(node.inputs):
        return None
    return node.replace(tuple(chosen)).outputs


def _matrix() -> Value:
    return constant(np.arange(6, dtype=np.float32).reshape(2, 3))


MOVEMENT: tuple[Rule, ...] = (
    identity_transpose, transpose_of_transpose, hoist_to_constant, transpose_of_unit_axes,
    identity_reshape, reshape_of_reshape, identity_slice, slice_of_slice, slice_of_concat,
    identity_pad, pad_of_pad, identity_concat, concat_of_concat, concat_of_slices,
    identity_broadcast,
    identity_convert, broadcast_operand,
)  # fmt: skip
