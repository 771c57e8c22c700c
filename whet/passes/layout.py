"""Layout: transposes move towards the outputs until they meet their inverse.

An op is asked for its result over un-transposed operands and the order its axes then have. A new op
joins by one function under `@sinks(op)`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from whet.ir.dim import Size, static_shape
from whet.ir.element import Element, Quant
from whet.ir.leaf import constant, known
from whet.ir.node import Attr, Node, Op, Value
from whet.ops import reduction as r
from whet.ops.convert import bitcast
from whet.ops.elementwise import add
from whet.ops.lookup import lookup
from whet.ops.matmul import matmul
from whet.ops.movement import broadcast, concat, pad, reshape, slice_op, transpose
from whet.ops.normalization import layer_norm, log_softmax, rms_norm, softmax
from whet.ops.resize import resize
from whet.passes.movement import unary
from whet.rewrite.rule import Replacement, Rule, Uses, rule

Perm = tuple[int, ...]
Sink = Callable[[Node, Perm], "Value | None"]

SINKS: dict[Op, Sink] = {}


def sinks(*ops: Op) -> Callable[[Sink], Sink]:
    """Register how ops take a transposed first operand: sink(node, perm) -> the same result."""

    def register(sink: Sink) -> Sink:
        for op in ops:
            SINKS[op] = sink
        return sink

    return register


def permuted(values: tuple[Size, ...], perm: Perm) -> tuple[Size, ...]:
    """Values of transposed axes in the order of the source's axes: the inverse of perm."""
    return tuple(values[perm.index(i)] for i in range(len(perm)))


def moved_element(element: Element, perm: Perm) -> Element:
    """The element of transpose(x, perm) as x holds it."""
    if isinstance(element, Quant) and element.axis is not None:
        return Quant(
            element.store, element.scale, element.zero, perm[element.axis], element.rounding
        )
    return element


@rule(
    example=lambda: unary(
        (2, 3, 4), lambda x: add(transpose(x, perm=(0, 2, 1)), transpose(x, perm=(0, 2, 1)))
    )
)
def sink_transpose(node: Node, uses: Uses) -> Replacement:
    """op(transpose(x)) -> transpose(op(x)), axes renamed."""
    first = next((v for v in node.operands if v.op is transpose), None)
    if first is None or (node.bodies and node.op.family != "elementwise"):
        return None
    sink = SINKS.get(node.op)
    if sink is None and node.op.family == "elementwise" and len(node.outputs) == 1:
        sink = _elementwise
    if sink is None:
        return None
    return sink(node, first.node.integers("perm"))


def _elementwise(node: Node, perm: Perm) -> Value | None:
    out = node.outputs[0]
    operands = node.operands
    full = any(v.op is transpose and v.shape == out.shape for v in operands)
    if len(perm) != len(out.shape) or not full or len(operands) != len(node.inputs):
        return None
    taken = [unpermuted(v, perm) for v in operands]
    if any(v is None for v in taken):
        return None
    attrs: dict[str, Attr] = {
        k: moved_element(a, perm)
        for k, a in node.attrs.items()
        if k in ("element", "to") and isinstance(a, Quant)
    }
    return transpose(node.replace(tuple(taken), **attrs).outputs[0], perm=perm)


def unpermuted(value: Value, perm: Perm) -> Value | None:
    """The value before a transpose by perm, where having it costs nothing at run time.

    A value of fewer axes is read as broadcast over the leading ones.
    """
    if value.op is transpose and value.node.integers("perm") == perm:
        return value.node.input(0)
    rank = len(perm)
    inverse = tuple(perm.index(i) for i in range(rank))
    shape = (1,) * (rank - len(value.shape)) + value.shape
    if len(shape) != rank:
        return None
    data, element = known(value), value.tensor.element
    if all(d == 1 for d in value.shape) and not isinstance(element, Quant):
        return value
    if data is not None:
        if isinstance(element, Quant) and element.axis is not None:
            return None
        return constant(
            np.ascontiguousarray(data.reshape(static_shape(shape)).transpose(inverse)),
            element,
        )
    longer = [p for p in inverse if shape[p] != 1]
    if longer != sorted(longer) or (isinstance(element, Quant) and element.axis is not None):
        return None
    return reshape(value, shape=tuple(shape[p] for p in inverse))


@sinks(r.reduce_sum, r.reduce_prod, r.reduce_mean, r.reduce_max, r.reduce_min)
def _reduction(node: Node, perm: Perm) -> Value | None:
    axes = node.integers("axes")
    inner = tuple(sorted(perm[a] for a in axes))
    y = node.replace((node.input(0).node.input(0),), axes=inner).outputs[0]
    return transpose(y, perm=_kept(perm, axes, bool(node.attrs.get("keep", True))))


@sinks(r.argmax, r.argmin)
def _extreme(node: Node, perm: Perm) -> Value | None:
    axis = node.integer("axis")
    y = node.replace((node.input(0).node.input(0),), axis=perm[axis]).outputs[0]
    return transpose(y, perm=_kept(perm, (axis,), bool(node.attrs.get("keep", True))))


def _kept(perm: Perm, axes: tuple[int, ...], keep: bool) -> Perm:
    if keep:
        return perm
    left = [p for i, p in enumerate(perm) if i not in axes]
    return tuple(sorted(left).index(p) for p in left)


@sinks(softmax, log_softmax)
def _softmax(node: Node, perm: Perm) -> Value | None:
    y = node.replace((node.input(0).node.input(0),), axis=perm[node.integer("axis")]).outputs[0]
    return transpose(y, perm=perm)


@sinks(layer_norm, rms_norm)
def _norm(node: Node, perm: Perm) -> Value | None:
    """Axes that are not normalised over may come in any order."""
    axis = node.integer("axis")
    if node.input(0).op is not transpose or perm[axis:] != tuple(range(axis, len(perm))):
        return None
    y = node.replace((node.input(0).node.input(0), *node.inputs[1:])).outputs[0]
    return transpose(y, perm=perm)


@sinks(concat)
def _concat(node: Node, perm: Perm) -> Value | None:
    taken = [unpermuted(v, perm) for v in node.operands]
    if any(v is None for v in taken):
        return None
    if not any(v is not None and v.op is transpose for v in node.inputs):
        return None
    y = node.replace(tuple(taken), axis=perm[node.integer("axis")]).outputs[0]
    return transpose(y, perm=perm)


@sinks(slice_op)
def _slice(node: Node, perm: Perm) -> Value | None:
    attrs = {k: permuted(node.sizes(k), perm) for k in ("begin", "size", "step")}
    x = node.input(0).node.input(0)
    return transpose(node.replace((x,), **attrs).outputs[0], perm=perm)


@sinks(pad)
def _pad(node: Node, perm: Perm) -> Value | None:
    if node.input(0).op is not transpose:
        return None
    attrs = {k: permuted(node.sizes(k), perm) for k in ("low", "high")}
    x = node.input(0).node.input(0)
    return transpose(node.replace((x, *node.inputs[1:]), **attrs).outputs[0], perm=perm)


@sinks(resize)
def _resize(node: Node, perm: Perm) -> Value | None:
    if node.input(0).op is not transpose:
        return None
    x, axis = node.input(0).node.input(0), perm[node.integer("axis")]
    return transpose(node.replace((x, *node.inputs[1:]), axis=axis).outputs[0], perm=perm)


@sinks(bitcast)
def _bitcast(node: Node, perm: Perm) -> Value | None:
    to = node["to"]
    assert isinstance(to, Element)
    x = node.input(0).node.input(0)
    return transpose(bitcast(x, to=moved_element(to, perm)), perm=perm)


@sinks(lookup)
def _lookup(node: Node, perm: Perm) -> Value | None:
    if node.input(0).op is not transpose:
        return None
    x = node.input(0).node.input(0)
    return transpose(node.replace((x, *node.inputs[1:])).outputs[0], perm=perm)


@sinks(broadcast)
def _broadcast(node: Node, perm: Perm) -> Value | None:
    shape = node.outputs[0].shape
    lead = len(shape) - len(perm)
    grown = (*range(lead), *(p + lead for p in perm))
    inner = permuted(shape, grown)
    return transpose(broadcast(node.input(0).node.input(0), shape=inner), perm=grown)


@sinks(matmul)
def _matmul(node: Node, perm: Perm) -> Value | None:
    """Leading axes of the left operand are free where the right one is a plain matrix."""
    a, b = node.inputs[0], node.inputs[1]
    if a is None or b is None or a.op is not transpose or len(b.shape) != 2:
        return None
    if perm[-1] != len(perm) - 1 or node["epilogue"] is not None:
        return None
    y = node.replace((a.node.input(0), *node.inputs[1:])).outputs[0]
    return transpose(y, perm=perm)


@sinks(reshape)
def _reshape(node: Node, perm: Perm) -> Value | None:
    """A reshape that splits and merges axes which lie together in the source as well."""
    x = node.input(0).node.input(0)
    given, wanted = node.input(0).shape, node.outputs[0].shape
    element = x.tensor.element
    if isinstance(element, Quant) and element.axis is not None:
        return None
    groups = axis_groups(given, wanted)
    if groups is None:
        return None
    placed = []
    for before, after in groups:
        axes = [perm[i] for i in before if given[i] != 1]
        if axes and axes != list(range(axes[0], axes[0] + len(axes))):
            return None
        placed.append((axes[0] if axes else -1, after))
    order = [i for _, after in sorted(placed, key=lambda pair: pair[0]) for i in after]
    inner = reshape(x, shape=tuple(wanted[i] for i in order))
    return transpose(inner, perm=tuple(order.index(i) for i in range(len(wanted))))


def axis_groups(
    given: tuple[Size, ...], wanted: tuple[Size, ...]
) -> list[tuple[list[int], list[int]]] | None:
    """The smallest runs of axes of both shapes that hold as many elements; None for free sizes
    that cannot be matched."""
    groups: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(given) or j < len(wanted):
        before, after = _take(given, i), _take(wanted, j)
        left, right = _total(given, before), _total(wanted, after)
        i, j = i + len(before), j + len(after)
        while left != right:
            if isinstance(left, int) and isinstance(right, int):
                grow_left = left < right
            else:
                grow_left = len(before) <= len(after)
            if grow_left and i < len(given):
                before.append(i)
                left, i = left * given[i], i + 1
            elif not grow_left and j < len(wanted):
                after.append(j)
                right, j = right * wanted[j], j + 1
            else:
                return None
        groups.append((before, after))
    return groups


def _take(shape: tuple[Size, ...], i: int) -> list[int]:
    return [i] if i < len(shape) else []


def _total(shape: tuple[Size, ...], axes: list[int]) -> Size:
    total: Size = 1
    for i in axes:
        total = total * shape[i]
    return total


@rule(matmul, example=lambda: unary((1, 2, 2, 3), lambda x: matmul(_flat(x), _weights())))
def flatten_of_transpose(node: Node, uses: Uses) -> Replacement:
    """matmul(reshape(transpose(x)) to rows, W) -> matmul(reshape(x), W with rows reordered)."""
    a, b = node.inputs[0], node.inputs[1]
    w = known(b)
    if (
        a is None
        or b is None
        or w is None
        or w.ndim != 2
        or a.op is not reshape
        or len(a.shape) != 2
    ):
        return None
    t = a.node.input(0)
    if t.op is not transpose or isinstance(b.tensor.element, Quant):
        return None
    perm, shape = t.node.integers("perm"), t.shape
    if perm[0] != 0 or shape[0] != a.shape[0] or not t.tensor.static:
        return None
    inverse = tuple(perm.index(i) for i in range(len(perm)))[1:]
    split = w.reshape(*static_shape(shape[1:]), w.shape[1])
    rows = split.transpose(*(i - 1 for i in inverse), len(inverse)).reshape(w.shape)
    x = reshape(t.node.input(0), shape=a.shape)
    weights = constant(np.ascontiguousarray(rows), b.tensor.element)
    return node.replace((x, weights, *node.inputs[2:])).outputs[0]


def _flat(x: Value) -> Value:
    return reshape(transpose(x, perm=(0, 3, 1, 2)), shape=(1, 12))


def _weights() -> Value:
    return constant(np.arange(24, dtype=np.float32).reshape(12, 2))


LAYOUT: tuple[Rule, ...] = (sink_transpose, flatten_of_transpose)
