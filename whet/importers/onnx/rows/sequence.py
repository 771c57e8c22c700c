"""Sequences and optionals. One whose elements are all known as values is taken apart when read."""

from __future__ import annotations

from whet.errors import ModelError
from whet.importers.onnx.layer import Layer, row
from whet.importers.onnx.rows.constant import element_named
from whet.ir.dim import UNBOUNDED, Dim, Size, of, symbol_of
from whet.ir.element import F32
from whet.ir.leaf import constant
from whet.ir.node import Value
from whet.ir.type import AnyType, Optional, Sequence, Type
from whet.ops import sequence as s
from whet.ops.movement import concat, reshape, slice_op


def sequence_of(values: tuple[Value, ...], of_: AnyType | None = None) -> Value:
    """A sequence of these values."""
    kind = of_
    for v in values:
        kind = v.type if kind is None else s.common_type(kind, v.type)
    assert kind is not None
    return s.sequence(*values, of=kind)


def elements(value: Value) -> tuple[Value, ...] | None:
    """The values in a sequence, where they are known."""
    if value.op is not s.sequence:
        return None
    return value.node.operands


def told(layer: Layer, results: tuple[Value, ...]) -> Value:
    """The first of the results, the symbols of its sizes bound to the others."""
    t, numbers = results[0].type, iter(results[1:])
    assert isinstance(t, Type)
    for symbol in filter(None, map(symbol_of, t.shape)):
        layer.scope.bindings.append((symbol, next(numbers)))
    return results[0]


def fresh(layer: Layer, t: AnyType) -> AnyType:
    """The type with a symbol of its own for every size that is not fixed."""
    if not isinstance(t, Type):
        return t
    shape: tuple[Size, ...] = tuple(
        of(layer.scope.fresh(f"{layer.name} size", 0, UNBOUNDED)) if isinstance(d, Dim) else d
        for d in t.shape
    )
    return Type(shape, t.element)


@row("SequenceConstruct")
def constructed(layer: Layer) -> Value:
    return sequence_of(tuple(layer[i] for i in range(len(layer.inputs))))


@row("SequenceEmpty")
def empty(layer: Layer) -> Value:
    return sequence_of((), Type((), element_named(layer, "dtype", F32)))


@row("SequenceLength")
def length(layer: Layer) -> Value:
    known = elements(layer[0])
    return s.sequence_length(layer[0]) if known is None else constant(len(known))


@row("SequenceAt")
def at(layer: Layer) -> Value:
    known, index = elements(layer[0]), layer.known_ints(1)
    if known is not None and index is not None and -len(known) <= index[0] < len(known):
        return known[index[0]]
    kind = layer[0].type
    if not isinstance(kind, Sequence):
        raise ModelError(f"a {kind} where a sequence is needed", where=layer.name)
    return told(layer, s.sequence_at.many(layer[0], layer[1], made=fresh(layer, kind.of)))


@row("SequenceInsert")
def inserted(layer: Layer) -> Value:
    known, index = elements(layer[0]), layer.known_ints(2)
    if known is not None and (index is not None or layer.optional(2) is None):
        place = len(known) if index is None else index[0]
        return sequence_of((*known[:place], layer[1], *known[place:]))
    return s.sequence_insert(layer[0], layer[1], layer.optional(2))


@row("SequenceErase")
def erased(layer: Layer) -> Value:
    known, index = elements(layer[0]), layer.known_ints(1)
    if known and (index is not None or layer.optional(1) is None):
        place = (-1 if index is None else index[0]) % len(known)
        kind = layer[0].type
        assert isinstance(kind, Sequence)
        return sequence_of((*known[:place], *known[place + 1 :]), kind.of)
    return s.sequence_erase(layer[0], layer.optional(1))


@row("SplitToSequence")
def split(layer: Layer) -> Value:
    x = layer[0]
    axis, keep = layer.axis("axis", len(x.shape), 0), bool(layer.integer("keepdims", 1))
    sizes, extent = layer.known_ints(1), x.shape[axis]
    unit = layer.optional(1) is None
    if isinstance(extent, int) and (unit or sizes is not None):
        return _parts(x, axis, _lengths(layer, extent, sizes), keep or not unit)
    shape = (*x.shape[:axis], s.ANY, *x.shape[axis + 1 :])
    if unit:
        shape = (*x.shape[:axis], *((1,) if keep else ()), *x.shape[axis + 1 :])
    kind = Type(shape, x.tensor.element)
    return s.sequence_split(x, layer.whole(1), axis=axis, keep=keep, of=kind)


def _lengths(layer: Layer, extent: int, sizes: tuple[int, ...] | None) -> tuple[int, ...]:
    if sizes is None:
        return (1,) * extent
    if layer[1].shape:
        return sizes
    return tuple(min(sizes[0], extent - i) for i in range(0, extent, sizes[0]))


def _parts(x: Value, axis: int, lengths: tuple[int, ...], keep: bool) -> Value:
    begin, found = 0, []
    for n in lengths:
        begins = tuple(begin if i == axis else 0 for i in range(len(x.shape)))
        shape = (*x.shape[:axis], n, *x.shape[axis + 1 :])
        part = slice_op(x, begin=begins, size=shape, step=(1,) * len(shape))
        found.append(part if keep else reshape(part, shape=(*shape[:axis], *shape[axis + 1 :])))
        begin += n
    return sequence_of(tuple(found))


@row("ConcatFromSequence")
def joined(layer: Layer) -> Value:
    known, stack = elements(layer[0]), bool(layer.integer("new_axis"))
    kind = layer[0].type
    if not isinstance(kind, Sequence) or not isinstance(kind.of, Type):
        raise ModelError(f"a {kind} where a sequence is needed", where=layer.name)
    rank = kind.of.rank + stack
    axis = layer.axis("axis", rank, 0)
    if known:
        if stack:
            known = tuple(reshape(v, shape=(*v.shape[:axis], 1, *v.shape[axis:])) for v in known)
        return concat(*known, axis=axis)
    shape = list(kind.of.shape)
    shape[axis : axis + 1 - stack] = [s.ANY]
    made = fresh(layer, Type(tuple(shape), kind.of.element))
    return told(layer, s.sequence_concat.many(layer[0], axis=axis, stack=stack, made=made))


@row("Optional")
def optional(layer: Layer) -> Value:
    x = layer.optional(0)
    if x is None:
        return s.optional(of=layer.kind("type"))
    return s.optional(x, of=x.type)


@row("OptionalHasElement")
def has_element(layer: Layer) -> Value:
    x = layer.optional(0)
    if x is None or not isinstance(x.type, Optional):
        return constant(x is not None)
    return s.optional_has(x)


@row("OptionalGetElement")
def get_element(layer: Layer) -> Value:
    x = layer[0]
    if not isinstance(x.type, Optional):
        return x
    return x.node.inputs[0] or x if x.op is s.optional else s.optional_get(x)
