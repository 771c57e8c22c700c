"""Types that hold whichever way control flow takes, and sizes that a body tells the outside.

if c: f32[3] else: f32[5]   ->   f32[n], and both bodies give n as a further i64 result
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from whet.errors import ModelError
from whet.importers.onnx.layer import Layer
from whet.ir.dim import UNBOUNDED, Dim, Size, Symbol, bounds, of, symbol_of, symbols
from whet.ir.element import I64
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.node import Value
from whet.ir.type import AnyType, Optional, Sequence, Type
from whet.ops.size import size_scalar


@dataclass(frozen=True, slots=True)
class Told:
    """Bodies that tell their sizes, the types of their own results seen from outside, the symbols
    bound to the further results, and what those begin with where they are carried."""

    bodies: tuple[Graph, ...]
    types: tuple[AnyType, ...]
    symbols: tuple[Symbol, ...]
    begins: tuple[Value, ...] = ()

    def bind(self, layer: Layer, results: tuple[Value, ...]) -> None:
        """Bind the symbols to the last results (of a branch) or the first ones (of a loop)."""
        count = len(self.symbols)
        chosen = results[:count] if self.begins else results[len(results) - count :]
        layer.scope.bindings += zip(self.symbols, chosen, strict=True)


def _apart(layer: Layer, a: Type, b: Type) -> ModelError:
    """Branches whose results no one type has; where a free size decides, it is to be settled."""
    kinds = [f"{t.element} of {t.rank} axes" for t in (a, b)]
    free = sorted({s.name for t in (a, b) for d in t.shape for s in symbols(d)})
    hint = " ".join(f"--size {name}=N" for name in free)
    return ModelError(
        f"branches give {kinds[0]} and {kinds[1]}", layer.name,
        f"which one runs may depend on {', '.join(free)}" if free else "", hint,
    )  # fmt: skip


def common(layer: Layer, then: Graph, otherwise: Graph) -> Told:
    """Types that the results of either body have."""
    told: list[tuple[Symbol, Size, Size]] = []
    types: list[AnyType] = []
    hidden = {s for g in (then, otherwise) for s, _ in g.bindings}
    for i, (a, b) in enumerate(zip(then.outputs, otherwise.outputs, strict=True)):
        if not isinstance(a.type, Type) or not isinstance(b.type, Type):
            types.append(_wider(layer, a.type, b.type, i))
            continue
        if a.tensor.rank != b.tensor.rank or a.tensor.element != b.tensor.element:
            raise _apart(layer, a.tensor, b.tensor)
        shape: list[Size] = []
        for d, n in zip(a.shape, b.shape, strict=True):
            if d != n or hidden.intersection(symbols(d)):
                high = max(bounds(d)[1], bounds(n)[1])
                symbol = layer.scope.fresh(f"{layer.name} size", 0, high)
                told.append((symbol, d, n))
                shape.append(of(symbol))
            else:
                shape.append(d)
        types.append(Type(tuple(shape), a.tensor.element))
    first = telling(then, [d for _, d, _ in told])
    second = telling(otherwise, [n for _, _, n in told])
    made = (*types, *(v.type for v in first.outputs[len(types) :]))
    return Told((first, second), made, tuple(s for s, _, _ in told))


def telling(body: Graph, sizes: list[Size]) -> Graph:
    """The body with sizes as further i64 results."""
    more = tuple(size_scalar(n) for n in sizes)
    names = tuple(f"size {i}" for i in range(len(more)))
    return replace(body, outputs=(*body.outputs, *more), output_names=(*body.output_names, *names))


def joined(
    layer: Layer, begins: tuple[AnyType, ...], ends: tuple[AnyType, ...]
) -> tuple[AnyType, ...]:
    """Types that hold before and after an iteration: a size that changes becomes a symbol."""
    return tuple(_wider(layer, a, b, i) for i, (a, b) in enumerate(zip(begins, ends, strict=True)))


def _wider(layer: Layer, a: AnyType, b: AnyType, index: int) -> AnyType:
    if a == b:
        return a
    if isinstance(a, Optional) or isinstance(b, Optional):
        first, second = (t.of if isinstance(t, Optional) else t for t in (a, b))
        return Optional(_wider(layer, first, second, index))
    if isinstance(a, Sequence) and isinstance(b, Sequence):
        known = isinstance(a.of, Type) and isinstance(b.of, Type) and a.of.rank != b.of.rank
        return b if known else Sequence(_wider(layer, a.of, b.of, index))
    if not isinstance(a, Type) or not isinstance(b, Type) or a.element != b.element:
        raise ModelError(f"a carried value turns from {a} into {b}", where=layer.name)
    if a.rank != b.rank:
        raise ModelError(f"a carried value turns from {a} into {b}", where=layer.name)
    sizes = zip(a.shape, b.shape, strict=True)
    shape = tuple(_free(layer, d, n, (index, i)) for i, (d, n) in enumerate(sizes))
    return Type(shape, a.element)


def _free(layer: Layer, d: Size, n: Size, place: tuple[int, int]) -> Size:
    """d where it stays, else a symbol, as large as the model declares the result."""
    if d == n or _is_symbol(d, layer):
        return d
    declared = layer.declared(place[0])
    high = (
        bounds(declared.shape[place[1]])[1] if declared and place[1] < declared.rank else UNBOUNDED
    )
    return of(layer.scope.fresh(f"{layer.name} carried size", 0, max(high, bounds(d)[1])))


def _is_symbol(d: Size, layer: Layer) -> bool:
    return isinstance(d, Dim) and any(
        s.name.startswith(f"{layer.name} carried size") for s in symbols(d)
    )


def sizes_outside(layer: Layer, body: Graph, begins: tuple[Value, ...]) -> Told:
    """A loop body whose sizes that only it knows are carried, and its results as seen outside.

    A carried value whose size changes has a symbol for it in the body, bound there to a carried
    number, which begins as the size of the first value.
    """
    count = len(begins)
    inside = {s for s, _ in body.bindings}
    changing = _changing(body, begins)
    inside |= set(changing)
    outer = {s: layer.scope.fresh(f"{layer.name} size", s.low, s.high) for s in changing}
    told: list[tuple[Symbol | None, Symbol, Size, Size]] = [
        (s, outer[s], begin, end) for s, (begin, end) in changing.items()
    ]
    types: list[AnyType] = []
    for i, v in enumerate(body.outputs):
        if not isinstance(v.type, Type):
            types.append(v.type)
            continue
        seen = body.inputs[i + 1].tensor.shape if 1 <= i <= count else v.shape
        shape: list[Size] = []
        for d in seen:
            own = symbol_of(d)
            if own is not None and own in outer:
                shape.append(of(outer[own]))
            elif inside.intersection(symbols(d)):
                low, high = bounds(d)
                symbol = layer.scope.fresh(f"{layer.name} size", max(0, low), high)
                told.append((None, symbol, 0, d))
                shape.append(of(symbol))
            else:
                shape.append(d)
        types.append(Type(tuple(shape), v.tensor.element))
    return _carrying(body, count, types, told)


def _changing(body: Graph, begins: tuple[Value, ...]) -> dict[Symbol, tuple[Size, Size]]:
    """The symbols of carried values' sizes that differ from the first value's: (first, next)."""
    found: dict[Symbol, tuple[Size, Size]] = {}
    for i, begin in enumerate(begins):
        inner = body.inputs[2 + i]
        if not isinstance(begin.type, Type) or not isinstance(inner.type, Type):
            continue
        after = body.outputs[1 + i].shape
        for first, d, end in zip(begin.shape, inner.shape, after, strict=True):
            if first != d and isinstance(d, Dim):
                found[next(iter(symbols(d)))] = (first, end)
    return found


def _carrying(
    body: Graph, count: int, types: list[AnyType],
    told: list[tuple[Symbol | None, Symbol, Size, Size]],
) -> Told:  # fmt: skip
    """The body with the numbers told as further carried values, after its own."""
    numbers = tuple(parameter(f"size {i}", Type((), I64)) for i in range(len(told)))
    ends = tuple(size_scalar(end) for _, _, _, end in told)
    names = tuple(f"size {i}" for i in range(len(told)))
    at = 1 + count
    bound = tuple((s, v) for (s, _, _, _), v in zip(told, numbers, strict=True) if s is not None)
    closed = replace(
        body,
        inputs=(*body.inputs[: at + 1], *numbers, *body.inputs[at + 1 :]),
        outputs=(*body.outputs[:at], *ends, *body.outputs[at:]),
        output_names=(*body.output_names[:at], *names, *body.output_names[at:]),
        bindings=(*body.bindings, *bound),
    )
    begins = tuple(
        size_scalar(first) if isinstance(first, Dim) else constant(np.int64(first))
        for _, _, first, _ in told
    )
    return Told((closed,), tuple(types), tuple(outer for _, outer, _, _ in told), begins)
