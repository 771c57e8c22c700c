"""winograd_f32 by two threads, which share its scratch where weights are large for the cache: no
block disturbs the one before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from whet.compiler.pipeline import compile_graph
from whet.ir.element import F32
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.type import Type
from whet.kernels.call import call_key
from whet.kernels.kernel import choices, load_all
from whet.ops.convolution import conv
from whet.plan import program
from whet.targets.host import host

RUNS = 50
IMAGES, DOWN, C, N = 2, 5, 16, 256


@pytest.mark.parametrize("m", [2, 4])
@pytest.mark.parametrize("across", [1, 3])
@pytest.mark.parametrize("l2", [64 << 10, 64 << 20])
def test_two_threads_give_the_bits_of_one(
    m: int, across: int, l2: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of 1 and of 2 rows of tiles, whose few tiles one thread is done with early: it
    goes on to the larger block of the next image while the other still reads."""
    monkeypatch.setattr(program, "SHORTEST_NANOSECONDS", 0)
    rng = np.random.default_rng(8)
    x = parameter("x", Type((IMAGES, DOWN * m, across * m, C), F32))
    w = constant(rng.standard_normal((N, 3, 3, C), np.float32))
    y = conv(x, w, stride=(1, 1), dilation=(1, 1), low=(1, 1), high=(1, 1))
    graph, target = Graph((x,), (y,), ("y",)), replace(host(), threads=2, l2=l2)
    if not (target.lanes >= 8 or target.registers >= 32):
        pytest.skip("winograd_f32 is for wide vectors")
    load_all()
    uneven = [
        c for c in choices(y.node, target) if c.kernel == "winograd_f32" and DOWN % c.numbers[3]
    ]
    chosen = {call_key(y.node): next(c for c in uneven if c.numbers[0] == m)}
    compiled = compile_graph(graph, target, chosen)
    assert not compiled.notes
    inputs = {"x": rng.standard_normal(x.type.shape, np.float32)}
    expected = compiled.session(1)(inputs)["y"].copy()
    session = compiled.session(2)
    for _ in range(RUNS):
        np.testing.assert_array_equal(session(inputs)["y"], expected)
