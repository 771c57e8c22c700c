"""A contraction that is only read in slices of its channels becomes one contraction a slice.

Nothing is copied then, and each part can take an epilogue of its own: queries, keys and values of
an attention, the halves of a gated unit.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from whet.ir.dim import static_size
from whet.ir.element import Element, Quant
from whet.ir.graph import Graph
from whet.ir.leaf import constant, data_of, known
from whet.ir.node import Node, Value
from whet.ir.type import size_product
from whet.ops.convolution import conv
from whet.ops.matmul import matmul
from whet.ops.movement import reshape, slice_op
from whet.rewrite.driver import substitute


@dataclass(frozen=True, slots=True)
class Part:
    """A slice of channels [begin, end) of a contraction."""

    value: Value
    begin: int
    end: int


def split_contractions(graph: Graph, fired: Counter[str]) -> Graph:
    """contraction -> slices  =>  a contraction a slice, where slices are all that reads it."""
    replaced: dict[Value, Value] = {}
    for node in graph.nodes:
        if node.op not in (conv, matmul) or node["epilogue"] is not None:
            continue
        parts = _parts(graph, node)
        if parts and _worth(node, parts):
            fired["split_contractions"] += 1
            replaced.update({part.value: _computed(node, part) for part in parts})
    return substitute(graph, replaced) if replaced else graph


def _parts(graph: Graph, node: Node) -> list[Part]:
    """The slices that read a contraction, directly or through one reshape; none where anything
    else reads it."""
    y = node.outputs[0]
    if y in graph.roots or not y.tensor.static or any(v is y for _, v in graph.bindings):
        return []
    users = graph.users.get(y, ())
    if len(users) == 1 and users[0].op is reshape:
        y = users[0].outputs[0]
        if y in graph.roots:
            return []
        users = graph.users.get(y, ())
    parts = [_part(user, node.outputs[0], y) for user in users]
    return [part for part in parts if part] if all(parts) and len(parts) > 1 else []


def _part(user: Node, whole: Value, y: Value) -> Part | None:
    """The channels a slice of `y` (a reshape of `whole` that keeps its rows) takes."""
    if user.op is not slice_op or not y.tensor.static:
        return None
    begin, size = user.integers("begin"), user.integers("size")
    whole_steps = all(s == 1 for s in user.sizes("step"))
    if not len(begin) == len(size) == len(y.shape) or not whole_steps:
        return None
    partial = [i for i, (n, d) in enumerate(zip(size, y.shape, strict=True)) if n != d]
    if len(partial) != 1:
        return None
    axis = partial[0]
    if size_product(y.shape[axis:]) != whole.shape[-1]:
        return None
    inner = static_size(size_product(y.shape[axis + 1 :]))
    return Part(user.outputs[0], begin[axis] * inner, (begin[axis] + size[axis]) * inner)


def _worth(node: Node, parts: list[Part]) -> bool:
    """No channel is computed twice, and weights are constant."""
    w = known(node.inputs[1])
    if w is None or node.integer("groups", 1) != 1 or (node.op is matmul and w.ndim != 2):
        return False
    if node.operand(2) is not None and known(node.operand(2)) is None:
        return False
    ordered = sorted(parts, key=lambda part: part.begin)
    return all(a.end <= b.begin for a, b in pairwise(ordered))


def _computed(node: Node, part: Part) -> Value:
    axis = 0 if node.op is conv else 1
    inputs = [node.input(0), _channels(node.input(1), axis, part)]
    if node.operand(2) is not None:
        inputs.append(_channels(node.input(2), 0, part))
    made = node.replace(tuple(inputs)).outputs[0]
    return reshape(made, shape=part.value.shape)


def _channels(value: Value, axis: int, part: Part) -> Value:
    """The part of constant weights or bias along an axis."""
    element: Element = value.tensor.element
    if isinstance(element, Quant) and element.axis == axis:
        scale = element.scale[part.begin : part.end]
        zero = element.zero[part.begin : part.end]
        element = replace(element, scale=scale, zero=zero)
    taken = np.take(data_of(value), np.arange(part.begin, part.end), axis=axis)
    return constant(taken, element)
