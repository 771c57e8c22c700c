"""Text: splitting, normalising, matching, and turning words into numbers."""

from __future__ import annotations

import numpy as np

from whet.errors import ModelError
from whet.importers.onnx.layer import Layer, row
from whet.ir.dim import UNBOUNDED, of
from whet.ir.element import scalar_of
from whet.ir.node import Array, Value
from whet.ir.type import Type
from whet.ops import text as t


@row("StringConcat")
def concatenated(layer: Layer) -> Value:
    return t.string_concat(layer[0], layer[1])


@row("StringSplit")
def split(layer: Layer) -> tuple[Value, ...]:
    symbol = layer.scope.fresh(f"{layer.name} pieces", 0, UNBOUNDED)
    limit = layer.integer("maxsplit", -1)
    pieces, counts, most = t.string_split.many(
        layer[0], delimiter=layer.text("delimiter"), limit=limit, pieces=of(symbol)
    )
    layer.scope.bindings.append((symbol, most))
    return pieces, counts


@row("StringNormalizer")
def normalized(layer: Layer) -> Value:
    symbol = layer.scope.fresh(f"{layer.name} words", 0, UNBOUNDED)
    words, count = t.string_normalize.many(
        layer[0], case=layer.text("case_change_action", "NONE"),
        stopwords=layer.texts("stopwords"), sensitive=bool(layer.integer("is_case_sensitive")),
        kept=of(symbol),
    )  # fmt: skip
    layer.scope.bindings.append((symbol, count))
    return words


@row("RegexFullMatch")
def matched(layer: Layer) -> Value:
    return t.regex_match(layer[0], pattern=layer.text("pattern"))


@row("LabelEncoder", domain="ai.onnx.ml")
def encoded(layer: Layer) -> Value:
    keys, _ = _table(layer, "keys")
    values, kind = _table(layer, "values")
    default = layer.tensor("default_tensor")
    if default is None:
        name = f"default_{kind[:-1]}"
        default = _default(layer, name, kind, values)
    made = Type((), scalar_of(values.dtype))
    return t.look_up(layer[0], keys=keys, values=values, default=default, made=made)


def _table(layer: Layer, name: str) -> tuple[Array, str]:
    """Keys or values and how the attribute names their kind."""
    found = layer.tensor(f"{name}_tensor")
    if found is not None:
        return found.reshape(-1), "tensors"
    if layer.has(f"{name}_strings"):
        return np.array(layer.texts(f"{name}_strings"), object), "strings"
    if layer.has(f"{name}_int64s"):
        return np.array(layer.integers(f"{name}_int64s"), np.int64), "int64s"
    if layer.has(f"{name}_floats"):
        return np.array(layer.reals(f"{name}_floats"), np.float32), "floats"
    raise ModelError(f"no {name} are given", where=layer.name)


def _default(layer: Layer, name: str, kind: str, values: Array) -> Array:
    if kind == "strings":
        return np.array(layer.text(name, "_Unused"), object)
    if kind == "int64s":
        return np.array(layer.integer(name, -1), np.int64)
    if kind == "floats":
        return np.array(layer.real(name, -0.0), np.float32)
    other = "_Unused" if values.dtype == object else -1 if values.dtype.kind == "i" else -0.0
    return np.array(other, values.dtype)


@row("TfIdfVectorizer")
def counted(layer: Layer) -> Value:
    if layer.has("pool_strings"):
        pool: Array = np.array(layer.texts("pool_strings"), object)
    else:
        pool = np.array(layer.integers("pool_int64s"), np.int64)
    words = layer[0] if pool.dtype == object else layer.whole(0)
    return t.ngrams(
        words, pool=pool, counts=layer.integers("ngram_counts"),
        indexes=layer.integers("ngram_indexes"), weights=layer.reals("weights"),
        mode=layer.text("mode", "TF"), low=layer.integer("min_gram_length"),
        high=layer.integer("max_gram_length"), skip=layer.integer("max_skip_count"),
    )  # fmt: skip
