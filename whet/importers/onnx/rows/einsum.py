"""Einsum as transposes, sums and matrix products, two operands at a time.

The labels of two operands are the batch (in both and needed later), the summed (in both and not
needed) and each one's own:  [batch, own of a, summed] x [batch, summed, own of b].
"""

from __future__ import annotations

from whet.errors import ModelError
from whet.importers.onnx.layer import Layer, row
from whet.ir.dim import Size
from whet.ir.leaf import constant
from whet.ir.node import Value
from whet.ir.type import size_product
from whet.ops import elementwise as e
from whet.ops import reduction as r
from whet.ops.iota import iota
from whet.ops.matmul import matmul
from whet.ops.movement import reshape, transpose

Term = tuple[Value, str]
SPARE = "0123456789"  # labels of the axes that an ellipsis stands for, the last one 0


@row("Einsum")
def einsum(layer: Layer) -> Value:
    equation = layer.text("equation").replace(" ", "")
    left, arrow, right = equation.partition("->")
    terms = [
        (layer[i], _spelled(labels, len(layer[i].shape), layer))
        for i, labels in enumerate(left.split(","))
    ]
    every = "".join(labels for _, labels in terms)
    if arrow:
        shared = max((sum(c in SPARE for c in labels) for _, labels in terms), default=0)
        wanted = right.replace("...", SPARE[:shared][::-1])
    else:
        wanted = "".join(sorted(c for c in set(every) if c in SPARE or every.count(c) == 1))
        wanted = "".join(sorted(wanted, key=lambda c: (c not in SPARE, c)))
    terms = [_diagonal(x, labels) for x, labels in terms]
    while len(terms) > 1:
        a, b, *rest = terms
        later = wanted + "".join(labels for _, labels in rest)
        terms = [_product(_summed(a, b[1] + later), _summed(b, a[1] + later), later), *rest]
    x, labels = _summed(terms[0], wanted)
    return transpose(x, perm=tuple(labels.index(c) for c in wanted))


def _spelled(labels: str, rank: int, layer: Layer) -> str:
    """The labels with an ellipsis written out."""
    missing = rank - len(labels.replace("...", ""))
    if missing < 0 or (missing and "..." not in labels) or missing > len(SPARE):
        raise ModelError(f"{labels!r} for {rank} axes", where=layer.name)
    return labels.replace("...", SPARE[:missing][::-1])


def _diagonal(x: Value, labels: str) -> Term:
    """Of axes with one label only the elements whose indices agree, the later axes summed."""
    rank = len(labels)
    for i, label in enumerate(labels):
        first = labels.index(label)
        if first < i:
            same = e.equal(iota(x.shape[first], first, rank), iota(x.shape[i], i, rank))
            zero = constant(0, x.tensor.element)
            x = e.select(same, x, zero)
    gone = tuple(i for i, label in enumerate(labels) if labels.index(label) < i)
    kept = "".join(label for i, label in enumerate(labels) if i not in gone)
    return (r.reduce_sum(x, axes=gone, keep=False) if gone else x), kept


def _summed(term: Term, needed: str) -> Term:
    """Without the labels that nothing else needs."""
    x, labels = term
    gone = tuple(i for i, label in enumerate(labels) if label not in needed)
    if not gone:
        return term
    kept = "".join(label for label in labels if label in needed)
    return r.reduce_sum(x, axes=gone, keep=False), kept


def _product(a: Term, b: Term, needed: str) -> Term:
    batch = "".join(c for c in a[1] if c in b[1] and c in needed)
    inner = "".join(c for c in a[1] if c in b[1] and c not in needed)
    own = [
        "".join(c for c in labels if c not in other)
        for labels, other in ((a[1], b[1]), (b[1], a[1]))
    ]
    left, right = _arranged(a, batch + own[0] + inner), _arranged(b, batch + inner + own[1])
    shapes = [dict(zip(t[1], t[0].shape, strict=True)) for t in (a, b)]
    sizes: dict[str, Size] = {
        c: shapes[1][c] if shapes[0].get(c, 1) == 1 and c in shapes[1] else shapes[0][c]
        for c in batch + own[0] + inner + own[1]
    }

    def extent(labels: str, of: dict[str, Size]) -> Size:
        return size_product(tuple(of[c] for c in labels))

    lead = tuple(tuple(of[c] for c in batch) for of in shapes)
    x = reshape(left, shape=(*lead[0], extent(own[0], sizes), extent(inner, shapes[0])))
    y = reshape(right, shape=(*lead[1], extent(inner, shapes[1]), extent(own[1], sizes)))
    labels = batch + own[0] + own[1]
    return reshape(matmul(x, y), shape=tuple(sizes[c] for c in labels)), labels


def _arranged(term: Term, labels: str) -> Value:
    x, own = term
    return transpose(x, perm=tuple(own.index(c) for c in labels))
