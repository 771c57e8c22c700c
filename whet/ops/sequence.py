"""Sequences and optionals: run-time lists of values, with a meaning but no place in an arena."""

from __future__ import annotations

import numpy as np

from whet.errors import ShapeError
from whet.ir.dim import UNBOUNDED, Dim, Symbol, of
from whet.ir.element import BOOL, I64
from whet.ir.node import Array, Node, Op
from whet.ir.type import AnyType, Optional, Sequence, Type

ANY = of(Symbol("any", 0, UNBOUNDED))
NUMBER = Type((), I64)


def common_type(a: AnyType, b: AnyType) -> AnyType:
    """The type of an element that is either: sizes that differ may be any."""
    if not isinstance(a, Type) or not isinstance(b, Type) or a == b:
        return a
    if a.rank != b.rank or a.element != b.element:
        return b
    shape = tuple(d if d == n else ANY for d, n in zip(a.shape, b.shape, strict=True))
    return Type(shape, a.element)


def _list(sequence: AnyType) -> Sequence:
    if not isinstance(sequence, Sequence):
        raise ShapeError(f"a {sequence} where a sequence is needed")
    return sequence


def _sequence(*types: AnyType, of: AnyType) -> Sequence:
    return Sequence(of)


def _at(sequence: AnyType, index: Type, *, made: AnyType) -> tuple[AnyType, ...]:
    """The element at an index, and as i64 its sizes that only the element knows."""
    _list(sequence)
    free = [d for d in made.shape if isinstance(d, Dim)] if isinstance(made, Type) else []
    return (made, *(NUMBER for _ in free))


def _evaluate_at(node: Node, sequence: list[object], index: Array) -> tuple[object, ...]:
    return _told(node, sequence[int(index.reshape(()))])


def _told(node: Node, value: object) -> tuple[object, ...]:
    """The value and the sizes that the node's other results tell."""
    if len(node.types) == 1:
        return (value,)
    made = node["made"]
    assert isinstance(made, Type)
    assert isinstance(value, np.ndarray)
    pairs = zip(made.shape, value.shape, strict=True)
    return (value, *(np.int64(n) for d, n in pairs if isinstance(d, Dim)))


def _insert(sequence: AnyType, x: AnyType, index: Type | None = None) -> Sequence:
    return Sequence(common_type(_list(sequence).of, x))


def _evaluate_insert(
    node: Node, sequence: list[object], x: object, index: Array | None = None
) -> list[object]:
    place = len(sequence) if index is None else int(index.reshape(()))
    return [*sequence[:place], x, *sequence[place:]]


def _evaluate_erase(node: Node, sequence: list[object], index: Array | None = None) -> list[object]:
    place = -1 if index is None else int(index.reshape(()))
    return [x for i, x in enumerate(sequence) if i != place % len(sequence)]


def _split(x: Type, sizes: Type | None = None, *, axis: int, keep: bool, of: AnyType) -> Sequence:
    """Parts of x along an axis, of the sizes given or one each; those may lose the axis."""
    return Sequence(of)


def _evaluate_split(node: Node, x: Array, sizes: Array | None = None) -> list[object]:
    axis, extent = node.integer("axis"), x.shape[node.integer("axis")]
    if sizes is None:
        parts = np.split(x, extent, axis=axis) if extent else []
        return [p if node["keep"] else np.squeeze(p, axis) for p in parts]
    if sizes.ndim == 0:
        ends = np.arange(int(sizes), extent, int(sizes))
    else:
        ends = np.cumsum(sizes)[:-1]
    return list(np.split(x, ends, axis=axis))


def _concat(sequence: AnyType, *, axis: int, stack: bool, made: AnyType) -> tuple[AnyType, ...]:
    """Elements joined along an axis, a new one where `stack`; then sizes as in `sequence_at`."""
    return _at(sequence, NUMBER, made=made)


def _evaluate_concat(node: Node, sequence: list[Array]) -> tuple[object, ...]:
    join = np.stack if node["stack"] else np.concatenate
    return _told(node, join(sequence, axis=node.integer("axis")))


def _inner(t: AnyType) -> AnyType:
    return t.of if isinstance(t, Optional) else t


sequence = Op("sequence", _sequence, lambda node, *xs: list(xs))
sequence_at = Op("sequence_at", _at, _evaluate_at)
sequence_insert = Op("sequence_insert", _insert, _evaluate_insert)
sequence_erase = Op("sequence_erase", lambda s, *_: _list(s), _evaluate_erase)
sequence_length = Op(
    "sequence_length", lambda s: NUMBER, lambda node, s: np.array(len(s), np.int64)
)
sequence_split = Op("sequence_split", _split, _evaluate_split)
sequence_concat = Op("sequence_concat", _concat, _evaluate_concat)
optional = Op("optional", lambda *x, of: Optional(of), lambda node, *x: (x[0] if x else None,))
optional_get = Op("optional_get", _inner, lambda node, x: (x,))
optional_has = Op(
    "optional_has",
    lambda *x: Type((), BOOL),
    lambda node, *x: np.array(bool(x) and x[0] is not None),
)
