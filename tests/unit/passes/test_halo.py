"""What a part of a result needs, beside the elements that really touch it."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whet.ir.element import F32
from whet.ir.leaf import constant, parameter
from whet.ir.node import Value
from whet.ir.type import Type
from whet.ops.convolution import conv
from whet.ops.elementwise import add
from whet.ops.movement import concat, pad, reshape, transpose
from whet.ops.pooling import max_pool
from whet.passes.halo import reach
from whet.passes.patch import parts


def image(*shape: int) -> Value:
    return parameter("x", Type(shape, F32))


def one_axis(y: Value, span: tuple[int, int]) -> tuple[tuple[int, int], int, int] | None:
    """The span of columns of x that columns of y need, and the padding of that part."""
    _, h, _, c = (int(str(d)) for d in y.shape)
    found = reach(y.node, ((0, 1), (0, h), span, (0, c)))
    if found is None:
        return None
    low, high = found.attrs["low"], found.attrs["high"]
    assert isinstance(low, tuple)
    assert isinstance(high, tuple)
    assert found.boxes[0] is not None
    return found.boxes[0][2], int(str(low[1])), int(str(high[1]))


windows = st.tuples(
    st.integers(1, 20), st.integers(1, 5), st.integers(1, 3), st.integers(1, 3),
    st.integers(0, 4), st.integers(0, 4),
)  # fmt: skip


@settings(deadline=None)
@given(windows, st.data())
def test_a_window_needs_the_columns_its_taps_touch(
    window: tuple[int, ...], data: st.DataObject
) -> None:
    size, taps, stride, dilation, low, high = window
    out = (size + low + high - dilation * (taps - 1) - 1) // stride + 1
    if out < 1:
        return
    begin = data.draw(st.integers(0, out - 1))
    end = data.draw(st.integers(begin + 1, out))
    y = max_pool(
        image(1, 1, size, 1), kernel=(1, taps), stride=(1, stride), dilation=(1, dilation),
        low=(0, low), high=(0, high),
    )  # fmt: skip
    touched = {o * stride - low + t * dilation for o in range(begin, end) for t in range(taps)}
    inside = range(max(min(touched), 0), min(max(touched) + 1, size))
    found = one_axis(y, (begin, end))
    if len(inside) == 0:
        assert found is None
        return
    before, after = max(-min(touched), 0), max(max(touched) + 1 - size, 0)
    assert found == ((inside.start, inside.stop), before, after)


def test_channels_stay_whole_and_operands_are_broadcast() -> None:
    x = image(1, 8, 8, 4)
    w = constant(np.zeros((4, 3, 3, 4), np.float32))
    y = conv(x, w, stride=(1, 1), dilation=(1, 1), low=(1, 1), high=(1, 1))
    assert reach(y.node, ((0, 1), (0, 8), (0, 8), (0, 2))) is None
    part = ((0, 1), (2, 4), (0, 8), (0, 4))
    row = parameter("r", Type((8, 1), F32))
    found = reach(add(x, row).node, part)
    assert found is not None
    assert found.boxes == (part, ((0, 8), (0, 1)))


def test_movement_renames_axes_and_drops_padding() -> None:
    part = ((0, 1), (0, 3), (2, 5), (0, 4))
    found = reach(transpose(image(1, 4, 3, 8), perm=(0, 2, 3, 1)).node, part)
    assert found is not None
    assert found.boxes[0] == ((0, 1), (0, 4), (0, 3), (2, 5))
    x = image(1, 3, 6, 4)
    wide = pad(x, constant(np.float32(0)), low=(0, 0, 1, 0), high=(0, 0, 1, 0))
    found = reach(wide.node, ((0, 1), (0, 3), (0, 4), (0, 4)))
    assert found is not None
    assert found.boxes[0] == ((0, 1), (0, 3), (0, 3), (0, 4))
    assert found.attrs == {"low": (0, 0, 1, 0), "high": (0, 0, 0, 0)}
    both = concat(x, x, axis=3)
    found = reach(both.node, ((0, 1), (1, 2), (0, 6), (0, 8)))
    assert found is not None
    assert found.boxes == (((0, 1), (1, 2), (0, 6), (0, 4)),) * 2
    assert reach(both.node, ((0, 1), (1, 2), (0, 6), (0, 5))) is None
    assert reach(reshape(x, shape=(1, 18, 4)).node, ((0, 1), (0, 2), (0, 4))) is None


@pytest.mark.parametrize(("size", "count"), [*product((5, 7, 28), (1, 2, 3, 5))])
def test_parts_follow_each_other_and_differ_by_one_at_most(size: int, count: int) -> None:
    spans = parts(size, count)
    assert [low for low, _ in spans] == [0, *(high for _, high in spans[:-1])]
    assert spans[-1][1] == size
    lengths = [high - low for low, high in spans]
    assert max(lengths) - min(lengths) <= 1
