"""Whole numbers as far as they are known when a model is read: constants, sizes, and sums of them.

A shape is often computed in the model (Shape, Gather, Mul, Concat, Reshape). Its elements are
followed here as sizes, symbols included, so that the shape is known although the numbers are not.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from whet.ir.dim import Size, bounds, dim_max, dim_min
from whet.ir.element import BOOL, I32, I64
from whet.ir.leaf import known
from whet.ir.node import Array, Node, Op, Value
from whet.ir.type import Type
from whet.ops import elementwise as e
from whet.ops import movement as m
from whet.ops.convert import convert
from whet.ops.gather import gather
from whet.ops.reduction import reduce_prod, reduce_sum
from whet.ops.size import sizes_op

LIMIT = 4096
WHOLE = (I64, I32, BOOL)
MOVES = (m.reshape, m.transpose, m.slice_op, m.concat, m.broadcast, gather)

Memo = dict[Value, "Array | None"]


def _equal(a: Size, b: Size) -> bool | None:
    if a == b:
        return True
    apart = bounds(a)[1] < bounds(b)[0] or bounds(b)[1] < bounds(a)[0]
    return False if apart else None


def _less(a: Size, b: Size) -> bool | None:
    if bounds(a)[1] < bounds(b)[0]:
        return True
    return False if bounds(a)[0] >= bounds(b)[1] else None


def _less_equal(a: Size, b: Size) -> bool | None:
    opposite = _less(b, a)
    return None if opposite is None else not opposite


def _divide(a: Size, b: Size) -> Size | None:
    """Division that truncates; the same as // where neither side can be negative."""
    if b == 1:
        return a
    if bounds(b)[0] <= 0 and bounds(b)[1] >= 0:
        return None
    if isinstance(a, int) and isinstance(b, int):
        return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return a // b if bounds(a)[0] >= 0 and bounds(b)[0] > 0 else None


def _mod(a: Size, b: Size) -> Size | None:
    if bounds(b)[0] <= 0 and bounds(b)[1] >= 0:
        return None
    return a % b if isinstance(a, int) and isinstance(b, int) else a - (a // b) * b


SCALARS: dict[Op, Callable[..., object]] = {
    e.add: lambda a, b: a + b, e.sub: lambda a, b: a - b, e.mul: lambda a, b: a * b,
    e.div: _divide, e.mod: _mod, e.neg: lambda a: -a, e.maximum: dim_max, e.minimum: dim_min,
    e.equal: _equal, e.less: _less, e.less_equal: _less_equal,
    e.bit_and: lambda a, b: a & b, e.bit_or: lambda a, b: a | b, convert: lambda a: a,
}  # fmt: skip


NEUTRAL = {e.add: 0, e.sub: 0, e.mul: 1, e.div: 1, e.maximum: 0}


def sizes_of(value: Value, memo: Memo) -> Array | None:
    """The elements of a whole-number tensor as sizes, None where one is not known.

    None altogether for a tensor of other elements, of unknown shape, or too long to be a shape.
    """
    if value not in memo:
        memo[value] = _sizes_of(value, memo)
    return memo[value]


def _sizes_of(value: Value, memo: Memo) -> Array | None:
    t, node = value.type, value.node
    if not isinstance(t, Type) or not t.static or t.element not in WHOLE:
        return None
    if not isinstance(t.elements, int) or t.elements > LIMIT:
        return None
    data = known(value)
    if data is not None:
        return data.astype(object)
    if node.op is sizes_op:
        return _objects(node["sizes"], t)
    operands = [None if v is None else sizes_of(v, memo) for v in node.inputs]
    if all(o is None for o in operands):
        return None
    arrays = [_unknown(v) if o is None else o for v, o in zip(node.inputs, operands, strict=True)]
    if any(a is None for a in arrays):
        return None
    return _applied(node, [a for a in arrays if a is not None], t)


def _unknown(value: Value | None) -> Array | None:
    """As many elements as the value has, none of them known."""
    if value is None or not isinstance(value.type, Type) or not value.type.static:
        return None
    shape = tuple(d for d in value.shape if isinstance(d, int))
    return None if prod(shape) > LIMIT else np.full(shape, None, object)


def _applied(node: Node, arrays: list[Array], t: Type) -> Array | None:
    if node.op in SCALARS:
        if node.op is convert and _narrows(node):
            return None
        return _objects(np.frompyfunc(_guarded(SCALARS[node.op]), len(arrays), 1)(*arrays), t)
    if node.op is e.select:
        return _objects(np.frompyfunc(_select, 3, 1)(*arrays), t)
    if node.op in MOVES:
        if node.op is gather and None in arrays[1].ravel().tolist():
            return None
        if node.op is gather:
            arrays[1] = arrays[1].astype(np.int64)
        return _objects(node.op.evaluate(node, *arrays), t)
    if node.op in (reduce_sum, reduce_prod) and arrays[0].size:
        function = SCALARS[e.add if node.op is reduce_sum else e.mul]
        result = np.frompyfunc(_guarded(function), 2, 1).reduce(
            arrays[0], axis=node.integers("axes"), keepdims=bool(node.attrs.get("keep", True))
        )
        return _objects(result, t)
    return None


def _narrows(node: Node) -> bool:
    to = node["to"]
    return to not in (I64, I32) or any(v is not None and v.tensor.element == BOOL and to == BOOL
                                       for v in node.inputs)  # fmt: skip


def _guarded(function: Callable[..., object]) -> Callable[..., object]:
    def run(*values: object) -> object:
        return None if any(v is None for v in values) else function(*values)

    return run


def _select(condition: bool | None, a: object, b: object) -> object:
    if condition is None:
        return a if a is not None and a == b else None
    return a if condition else b


def _objects(values: object, t: Type) -> Array:
    """An object array of the type's shape."""
    shape = tuple(d for d in t.shape if isinstance(d, int))
    if isinstance(values, np.ndarray):
        return values.astype(object).reshape(shape)
    out: Array = np.empty(shape, np.dtype(object))
    out[...] = values
    return out


def source_of(value: Value, memo: Memo) -> tuple[Value, tuple[int, ...]]:
    """Where the only element of a value comes from: a value that is not a part of another one, and
    the element's place in it."""
    place: tuple[int, ...] = (0,) * value.tensor.rank
    while True:
        found = _step(value, place, memo)
        if found is None:
            return value, place
        value, place = found


def _step(value: Value, place: tuple[int, ...], memo: Memo) -> tuple[Value, tuple[int, ...]] | None:
    """The operand that the element at `place` is copied from, and its place there."""
    node, x = value.node, value.node.operand(0)
    if node.op in NEUTRAL and value.tensor.elements == 1:
        return _unchanged(node, memo)
    if x is None or not isinstance(x.type, Type) or not x.type.static or not value.tensor.static:
        return None
    own = tuple(d for d in x.shape if isinstance(d, int))
    if node.op is m.reshape:
        shape = tuple(d for d in value.shape if isinstance(d, int))
        flat = int(np.ravel_multi_index(place, shape)) if place else 0
        return x, tuple(int(i) for i in np.unravel_index(flat, own)) if own else ()
    if node.op is m.slice_op:
        begin, step = node.integers("begin"), node.integers("step")
        if len(begin) < len(own) or len(step) < len(own):
            return None
        return x, tuple(b + i * s for b, i, s in zip(begin, place, step, strict=True))
    if node.op is gather:
        return _gathered(node, place, memo)
    if node.op is m.concat:
        return _part(node, place)
    return None


def _unchanged(node: Node, memo: Memo) -> tuple[Value, tuple[int, ...]] | None:
    """The operand of x + 0, x * 1 and the like; max(x, 0) is x too, for x is a size."""
    for x, other in (node.inputs, node.inputs[::-1]):
        found = None if other is None else sizes_of(other, memo)
        same = found is not None and found.reshape(-1).tolist() == [NEUTRAL[node.op]]
        if x is not None and same and (x is node.inputs[0] or node.op not in (e.sub, e.div)):
            return x, (0,) * x.tensor.rank
    return None


def _gathered(
    node: Node, place: tuple[int, ...], memo: Memo
) -> tuple[Value, tuple[int, ...]] | None:
    x, indices = node.input(0), node.input(1)
    axis, found = node.integer("axis"), sizes_of(indices, memo)
    index = None if found is None else found[place[axis : axis + len(indices.shape)]]
    extent = x.shape[axis]
    if not isinstance(index, int) or not isinstance(extent, int):
        return None
    return x, (*place[:axis], index % extent, *place[axis + len(indices.shape) :])


def _part(node: Node, place: tuple[int, ...]) -> tuple[Value, tuple[int, ...]] | None:
    axis = node.integer("axis")
    at = place[axis]
    for part in node.inputs:
        assert part is not None
        extent = part.shape[axis]
        if not isinstance(extent, int):
            return None
        if at < extent:
            return part, (*place[:axis], at, *place[axis + 1 :])
        at -= extent
    return None
