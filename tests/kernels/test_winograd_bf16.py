"""winograd_bf16 against the convolution in float64: tails of tiles and channels, pads, batches,
splits, and threads that share it."""

from __future__ import annotations

from dataclasses import replace

import ml_dtypes
import numpy as np
import pytest

from tests.kernels.native import CPUS, assert_canary, build, guarded
from whet.compiler.pipeline import compile_graph
from whet.ir.element import BF16, F64
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.type import Type
from whet.kernels.call import call_key
from whet.kernels.kernel import choices, load_all
from whet.kernels.packing_bf16 import pack_winograd_pairs
from whet.kernels.winograd_bf16 import scratch_floats
from whet.kernels.winograd_error import winograd_loss
from whet.ops.convolution import conv
from whet.ops.evaluate import evaluate
from whet.passes.bf16 import UNROUNDED
from whet.plan import program
from whet.session.verify import verify
from whet.targets.host import host

# M, B, H, W, C, N, pads top left bottom right, size of a result
SHAPES = [
    (2, 2, 7, 9, 5, 19, 1, 1, 1, 1, 2),
    (4, 2, 13, 11, 37, 21, 1, 1, 1, 1, 4),
    (4, 1, 5, 3, 16, 33, 0, 2, 2, 0, 2),
    (2, 3, 1, 1, 8, 8, 1, 1, 1, 1, 4),
]
TILES = ((8, 3), (6, 2), (1, 1), (5, 4))
PLAIN = {"stride": (1, 1), "dilation": (1, 1)}


def tiles(shape: tuple[int, ...], rows: int) -> tuple[int, int, int]:
    """The height and width of the result, and the tiles of a block of `rows` rows."""
    m, _, h, w, _, _, top, left, bottom, right, _ = shape
    oh, ow = h + top + bottom - 2, w + left + right - 2
    return oh, ow, rows * -(-ow // m)


def function(index: int, shape: tuple[int, ...], rows: int) -> str:
    """One C function, of images begin to end."""
    m, b, h, w, c, n, top, left, _, _, out = shape
    oh, ow, _ = tiles(shape, rows)
    down = -(-oh // m)
    blocks = -(-down // rows)
    mr, nv = TILES[index]
    sizes = (out, b, m, h, w, c, c, oh, ow, n, n, top, left, blocks, mr, nv)
    text = f"{', '.join(map(str, sizes))}, begin * {blocks}, end * {blocks}"
    return (
        '#include "winograd_bf16.h"\n' * (index == 0) + f"void case{index}(int begin, int end,"
        " const bf16 *x, const bf16 *w, const float *bias, void *y, float *scratch) {"
        f" winograd_bf16({text}, x, w, bias, y, scratch, 0, relu6, 0, 1, 0, 0); }}\n"
    )


@pytest.mark.parametrize("cpu", CPUS)
def test_it_is_the_convolution_within_its_bound(cpu: str) -> None:
    library = build([function(i, s, 1 + i % 3) for i, s in enumerate(SHAPES)], cpu)
    rng = np.random.default_rng(6)
    for index, shape in enumerate(SHAPES):
        m, b, h, width, c, n, top, left, bottom, right, out = shape
        oh, ow, most = tiles(shape, 1 + index % 3)
        x = rng.standard_normal((b, h, width, c)).astype(ml_dtypes.bfloat16)
        w = (rng.standard_normal((n, 3, 3, c)) / (3 * c**0.5)).astype(ml_dtypes.bfloat16)
        bias = rng.standard_normal(n, np.float32)
        given = parameter("x", Type(x.shape, F64))
        pads = {"low": (top, left), "high": (bottom, right)}
        y = conv(given, constant(w.astype(np.float64)), **PLAIN, **pads)
        graph = Graph((given,), (y,), ("y",))
        sums = np.asarray(evaluate(graph, {"x": x.astype(np.float64)})["y"])
        want = np.clip(sums + bias, 0, 6)
        packed = pack_winograd_pairs(w, library.lanes, TILES[index][1]).view(np.float32)
        shared, own = scratch_floats(m, most, c, TILES[index][1] * library.lanes)
        scratch, edges = guarded(shared + own)
        flat, whole = guarded(-(-b * oh * ow * n * out // 4))
        read = np.append(x.ravel(), np.zeros(x.size % 2, x.dtype)).view(np.float32)
        for begin, end in ((0, 1), (1, b)):
            library.run(index, begin, end, read, packed, bias, flat, scratch)
        kind = ml_dtypes.bfloat16 if out == 2 else np.float32
        got = flat.view(kind)[: want.size].astype(np.float64).reshape(want.shape)
        floats = w.astype(np.float32)
        direct = 9 * c * 2.0**-24 * np.abs(floats).sum(axis=(1, 2, 3)).max()
        room = winograd_loss(floats, m) * direct * float(np.abs(x.astype(np.float64)).max())
        room = room + 2.0**-22 + (2.0**-8 * np.abs(want) if out == 2 else 0)
        assert (np.abs(got - want) <= room).all(), shape
        assert_canary(whole)
        assert_canary(edges)


@pytest.mark.parametrize("l2", [64 << 10, 64 << 20])
def test_two_threads_give_the_bits_of_one(l2: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With and without blocks of their own; and the emitted C means the graph."""
    monkeypatch.setattr(program, "SHORTEST_NANOSECONDS", 0)
    rng = np.random.default_rng(8)
    x = parameter("x", Type((2, 10, 6, 15), BF16))
    w = constant(rng.standard_normal((130, 3, 3, 15)).astype(ml_dtypes.bfloat16), BF16)
    y = conv(x, w, **PLAIN, low=(1, 1), high=(1, 1), epilogue=UNROUNDED)
    graph, target = Graph((x,), (y,), ("y",)), replace(host(), threads=2, l2=l2)
    if not (target.lanes >= 8 or target.registers >= 32):
        pytest.skip("winograd_bf16 is for wide vectors")
    load_all()
    found = [c for c in choices(y.node, target) if c.kernel == "winograd_bf16"]
    for m in (2, 4):
        chosen = next(c for c in found if c.numbers[0] == m)
        compiled = compile_graph(graph, target, {call_key(y.node): chosen})
        inputs = {"x": rng.standard_normal((2, 10, 6, 15)).astype(ml_dtypes.bfloat16)}
        one, two = compiled.session(1), compiled.session(2)
        assert all(check.passed for check in verify(graph, one, [inputs]))
        expected = one(inputs)["y"].copy()
        for _ in range(20):
            np.testing.assert_array_equal(two(inputs)["y"], expected)
