"""Ops on text. They have a meaning but no kernels: strings have no place in an arena."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from whet.errors import ShapeError
from whet.ir.dim import Size
from whet.ir.element import BOOL, F32, I64, STRING
from whet.ir.node import Array, Node, Op
from whet.ir.type import Type
from whet.ops.broadcast import broadcast_shapes


def _texts(*types: Type) -> None:
    for t in types:
        if t.element != STRING:
            raise ShapeError(f"operand is {t.element}, not string")


def _concat(x: Type, y: Type) -> Type:
    _texts(x, y)
    return Type(broadcast_shapes(x.shape, y.shape), STRING)


def _split(x: Type, *, delimiter: str, limit: int, pieces: Size) -> tuple[Type, Type, Type]:
    """Each text's pieces, filled up with empty ones to the greatest number; how many each has; the
    greatest number. An empty delimiter splits at white space; limit: most cuts, -1 for all."""
    _texts(x)
    return Type((*x.shape, pieces), STRING), Type(x.shape, I64), Type((), I64)


def _evaluate_split(node: Node, x: Array) -> tuple[Array, Array, Array]:
    delimiter, limit = str(node["delimiter"]) or None, node.integer("limit")
    found = [str(text).split(delimiter, limit) for text in x.ravel()]
    most = max(map(len, found), default=0)
    pieces = np.full((len(found), most), "", object)
    for i, parts in enumerate(found):
        pieces[i, : len(parts)] = parts
    counts = np.array([len(parts) for parts in found], np.int64).reshape(x.shape)
    return pieces.reshape(*x.shape, most), counts, np.array(most, np.int64)


def _normalize(
    x: Type, *, case: str, stopwords: tuple[str, ...], sensitive: bool, kept: Size
) -> tuple[Type, Type]:
    """Words ([n] or [1,n]) without stop words, in another case (LOWER, UPPER or NONE); how many. If
    none is left, one empty word."""
    _texts(x)
    return Type((*x.shape[:-1], kept), STRING), Type((), I64)


def _evaluate_normalize(node: Node, x: Array) -> tuple[Array, Array]:
    sensitive, case = bool(node["sensitive"]), str(node["case"])
    stop = node["stopwords"]
    assert isinstance(stop, tuple)
    change = {"LOWER": str.lower, "UPPER": str.upper}.get(case, str)
    banned = {str(w) if sensitive else str(w).lower() for w in stop}
    words = [str(w) for w in x.ravel()]
    kept = [change(w) for w in words if (w if sensitive else w.lower()) not in banned] or [""]
    return np.array(kept, object).reshape(*x.shape[:-1], -1), np.array(len(kept), np.int64)


def _match(x: Type, *, pattern: str) -> Type:
    """Whether the pattern matches a text from end to end."""
    _texts(x)
    return Type(x.shape, BOOL)


def _evaluate_match(node: Node, x: Array) -> Array:
    pattern = re.compile(str(node["pattern"]))
    found = [pattern.fullmatch(str(text)) is not None for text in x.ravel()]
    return np.array(found, bool).reshape(x.shape)


def _look_up(x: Type, *, keys: Array, values: Array, default: Array, made: Type) -> Type:
    """The value of the equal key, else the default; NaN equals NaN. `made`: the value's type."""
    return Type(x.shape, made.element)


def _evaluate_look_up(node: Node, x: Array) -> Array:
    keys, values, default = node["keys"], node["values"], node["default"]
    assert isinstance(keys, np.ndarray)
    assert isinstance(values, np.ndarray)
    table = {_key(k): v for k, v in zip(keys.tolist(), values.tolist(), strict=True)}
    other = np.asarray(default).reshape(()).item()
    found = [table.get(_key(k), other) for k in x.ravel().tolist()]
    out = np.empty(len(found), values.dtype)
    out[:] = found
    return out.reshape(x.shape)


def _key(value: object) -> object:
    return "nan" if isinstance(value, float) and value != value else value


def _ngrams(x: Type, *, pool: Array, **_: object) -> Type:
    """Counts of n-grams in sequences [n] or [rows, n] (ONNX TfIdfVectorizer-9), f32."""
    indexes = _["indexes"]
    assert isinstance(indexes, tuple)
    return Type((*x.shape[:-1], max(indexes, default=-1) + 1), F32)


def _evaluate_ngrams(node: Node, x: Array) -> Array:
    rows = x.reshape(-1, x.shape[-1]) if x.ndim else x.reshape(1, 1)
    indexes, weights = node.integers("indexes"), node["weights"]
    table = dict(zip(_pool(node), indexes, strict=False))
    out = np.zeros((len(rows), max(indexes, default=-1) + 1), np.float32)
    for row, count in zip(rows.tolist(), out, strict=True):
        for gram in _grams(node, row):
            if gram in table:
                count[table[gram]] += 1
    scale = np.zeros(out.shape[1], np.float32)
    scale[list(indexes)] = np.asarray(weights) if weights else 1
    mode = str(node["mode"])
    if mode != "TF":
        out = out * scale if mode == "TFIDF" else (out > 0) * scale
    return out.astype(np.float32).reshape(*x.shape[:-1], out.shape[1])


def _pool(node: Node) -> Iterable[tuple[object, ...]]:
    """The n-grams of the pool in order: all of one word, then all of two, ..."""
    pool, starts = node["pool"], (*node.integers("counts"), None)
    assert isinstance(pool, np.ndarray)
    words = pool.tolist()
    for n, (begin, end) in enumerate(pairwise(starts), 1):
        part = words[begin:end]
        for i in range(0, len(part), n):
            yield tuple(part[i : i + n])


def _grams(node: Node, row: list[object]) -> Iterable[tuple[object, ...]]:
    """Every n-gram of a row, with up to `skip` words left out between neighbours."""
    low, high = node.integer("low"), node.integer("high")
    for step in range(1, node.integer("skip") + 2):
        for n in range(low, high + 1):
            if n == 1 and step > 1:
                continue
            for i in range(len(row) - step * (n - 1)):
                yield tuple(row[i : i + step * (n - 1) + 1 : step])


string_concat = Op("string_concat", _concat, lambda node, x, y: np.add(x, y))
string_split = Op("string_split", _split, _evaluate_split)
string_normalize = Op("string_normalize", _normalize, _evaluate_normalize)
regex_match = Op("regex_match", _match, _evaluate_match)
look_up = Op("look_up", _look_up, _evaluate_look_up)
ngrams = Op("ngrams", _ngrams, _evaluate_ngrams)
