"""Reductions as runs over [outer, n, inner], one run for each group of neighbouring axes."""

from __future__ import annotations

from whet.emit.lowered import Argument, Call, In, Lowered, Out, Scratch
from whet.emit.scalar import suffix
from whet.ir.dim import Size, bounds, static_size
from whet.ir.element import BOOL, Quant
from whet.ir.node import Node
from whet.ir.type import size_product
from whet.kernels.kernel import kernel
from whet.kernels.scratch import whole_lines
from whet.kernels.share import RUNS, THREADS, flat, rows, together
from whet.ops import reduction as r
from whet.ops.movement import flattened
from whet.targets.target import Target

KINDS = {
    r.reduce_sum: "sum", r.reduce_mean: "mean", r.reduce_max: "max", r.reduce_min: "min",
    r.reduce_prod: "prod",
}  # fmt: skip

# About what an element takes that is reduced.
ELEMENT = 0.15
# About what an element takes that is compared with the best before it.
ARGUMENT = 0.1


def runs(shape: tuple[Size, ...], axes: tuple[int, ...]) -> list[tuple[Size, Size, Size]]:
    """(outer, n, inner) of each group of neighbouring axes, last group first."""
    groups: list[list[int]] = []
    for axis in sorted(axes):
        if groups and groups[-1][-1] == axis - 1:
            groups[-1].append(axis)
        else:
            groups.append([axis])
    found, sizes = [], list(shape)
    for group in reversed(groups):
        first, last = group[0], group[-1] + 1
        n = size_product(tuple(sizes[first:last]))
        found.append((size_product(tuple(sizes[:first])), n, size_product(tuple(sizes[last:]))))
        for axis in group:
            sizes[axis] = 1
    return found


@kernel("reduce", *KINDS)
def lower(node: Node, target: Target) -> Lowered | None:
    x = node.inputs[0]
    if x is None or isinstance(x.tensor.element, Quant):
        return None
    kind, s = KINDS[node.op], suffix(x.tensor.element)
    if x.tensor.element != BOOL and s == "u8" and str(x.tensor.element) != "u8":
        return None
    steps = runs(x.shape, node.integers("axes")) or [(x.tensor.elements, 1, 1)]
    if len(steps) == 1 and together(*steps[0]):
        _, n, inner = steps[0]
        whole = (In(0), Out(), n, inner, Scratch(), *THREADS)
        call = Call(f"reduce_{kind}_parts_{s}", whole)
        return Lowered((call,), ("reduce.h",), scratch=8 * RUNS * static_size(inner),
                       together=True)  # fmt: skip
    if len(steps) == 1:
        outer, n, inner = steps[0]
        each = rows(outer, ELEMENT * bounds(n * inner)[1])
        ends = (each.at(In(0), n * inner), each.to(Out(), inner), each.count, n, inner)
        call = Call(f"reduce_{kind}_{s}", ends)
        return Lowered((call,), ("reduce.h",), parallel=each.units)
    calls, scratch = list[Call](), 0
    source: Argument = In(0)
    for i, (outer, n, inner) in enumerate(steps):
        nbytes = bounds(outer * inner)[1] * x.tensor.element.size
        target_: Argument = Out() if i == len(steps) - 1 else Scratch(scratch)
        calls.append(Call(f"reduce_{kind}_{s}", (source, target_, outer, n, inner)))
        if i < len(steps) - 1:
            source, scratch = target_, scratch + whole_lines(nbytes)
    return Lowered(tuple(calls), ("reduce.h",), scratch=scratch)


@kernel("argument", r.argmax, r.argmin)
def extreme(node: Node, target: Target) -> Lowered | None:
    x = node.inputs[0]
    if x is None:
        return None
    element = x.tensor.element
    if isinstance(element, Quant):
        if len(element.scale) != 1:
            return None
        element = element.store  # codes are in the order of what they stand for
    outer, n, inner = flattened(x.shape, node.integer("axis"))
    nanoseconds = ARGUMENT * bounds(n)[1]
    if outer == 1:
        each = flat(inner, nanoseconds)
        given, made = each.at(In(0)), each.to(Out())
        spans: tuple[Argument, ...] = (outer, n, inner, each.count)
    else:
        each = rows(outer, nanoseconds * bounds(inner)[1])
        given, made = each.at(In(0), n * inner), each.to(Out(), inner)
        spans = (each.count, n, inner, inner)
    call = Call(f"{node.op.name}_{suffix(element)}", (given, made, *spans, bool(node["last"])))
    by_rows = outer != 1 and each.units is not None and len(x.shape) == 4
    return Lowered((call,), ("argument.h",), parallel=each.units, grain=int(by_rows))
