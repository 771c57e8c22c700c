"""Transposes move through ops towards the outputs, and back before what they should not follow."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest

from tests.laws.agreement import agree, random_inputs
from whet.ir.element import F32
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.node import Attr, Value
from whet.ir.type import Type
from whet.ops.elementwise import add
from whet.ops.movement import transpose
from whet.ops.resize import NEAREST, REACH, TRANSFORMS, resize
from whet.passes.growth import GROWTH
from whet.passes.layout import LAYOUT
from whet.rewrite.driver import rewrite

RULES: list[dict[str, Attr]] = [{"mode": "nearest", "nearest": kind} for kind in NEAREST]
RULES += [
    {"mode": mode, "antialias": a, "exclude_outside": a} for mode in REACH for a in (False, True)
]
SHAPE = (2, 3, 4, 5)
PERMS = [(0, 3, 1, 2), (0, 2, 3, 1), (3, 2, 1, 0)]


def stretched(x: Value, axis: int, size: int, rules: dict[str, Attr]) -> Value:
    """x resized along an axis; tf_crop_and_resize takes a part that is half outside."""
    scale, roi = np.float64(size / int(str(x.shape[axis]))), np.array([0.25, 1.5])
    given = [constant(v) for v in (scale, roi, np.float32(7))]
    return resize(x, *given, axis=axis, size=size, cubic_a=-0.5, extrapolation=7.0, **rules)


@pytest.mark.parametrize("perm", PERMS)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_a_transpose_moves_through_resized_axes(transform: str, perm: tuple[int, ...]) -> None:
    x = parameter("x", Type(SHAPE, F32))
    for some, axis, size in product(RULES, range(4), (2, 7)):
        rules = {**some, "transform": transform}
        y = stretched(transpose(x, perm=perm), axis, size, rules)
        y = stretched(y, (axis + 1) % 4, 6, rules)
        graph = Graph((x,), (y,), ("y",))
        moved = rewrite(graph, LAYOUT)
        last = moved.outputs[0].node
        assert last.op is transpose
        assert last.input(0).op is resize
        assert last.input(0).node.integer("axis") == perm[(axis + 1) % 4]
        agree(graph, moved, random_inputs(graph, np.random.default_rng(0)))


@pytest.mark.parametrize("perm", PERMS)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_a_transpose_goes_back_before_axes_that_grow(transform: str, perm: tuple[int, ...]) -> None:
    x = parameter("x", Type(SHAPE, F32))
    for kind, axis in product(NEAREST, range(4)):
        rules: dict[str, Attr] = {"mode": "nearest", "nearest": kind, "transform": transform}
        y = stretched(stretched(x, axis, 6, rules), (axis + 1) % 4, 7, rules)
        graph = Graph((x,), (transpose(y, perm=perm),), ("y",))
        moved = rewrite(graph, GROWTH)
        assert [n.op for n in moved.nodes if n.op in (resize, transpose)] == [
            transpose, resize, resize,
        ]  # fmt: skip
        agree(graph, moved, random_inputs(graph, np.random.default_rng(0)))


def test_a_transpose_stays_where_going_back_moves_more_or_resizes_twice() -> None:
    x = parameter("x", Type(SHAPE, F32))
    rules: dict[str, Attr] = {"mode": "nearest", "nearest": "floor", "transform": "asymmetric"}
    wide, small = stretched(x, 1, 9, rules), stretched(x, 1, 2, rules)
    ends = (transpose(wide, perm=PERMS[0]), add(wide, wide), transpose(small, perm=PERMS[0]))
    fired = Counter[str]()
    rewrite(Graph((x,), ends, ("a", "b", "c")), GROWTH, fired)
    assert not fired
