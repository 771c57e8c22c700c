"""Free dimensions and sizes that are data, beside ONNX Runtime: one compiled model for all."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import parser

from tests.conformance.peers import HEAD, agree
from whet.compiler.pipeline import compile_graph
from whet.importers.onnx import load_graph
from whet.session.session import RunError

F = np.float32
RANDOM = np.random.default_rng(0)


def data(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(F)


def test_shapes_followed_through_the_model() -> None:
    text = """heads (float[n, t, 12] x) => (float[n, 3, t, 4] y, float[n, t, 12] z) {
        s = Shape(x)
        zero = Constant <value_int = 0> ()
        one = Constant <value_int = 1> ()
        n0 = Gather(s, zero)
        t0 = Gather(s, one)
        first = Constant <value_ints = [0]> ()
        n1 = Unsqueeze(n0, first)
        t1 = Unsqueeze(t0, first)
        last = Constant <value_ints = [3, -1]> ()
        wanted = Concat <axis = 0> (n1, t1, last)
        r = Reshape(x, wanted)
        y = Transpose <perm = [0, 2, 1, 3]> (r)
        b = Transpose <perm = [0, 2, 1, 3]> (y)
        z = Reshape(b, s)
    }"""
    feeds = [{"x": data(n, t, 12)} for n, t in ((1, 1), (2, 5), (4, 8))]
    agree(text, *feeds, sizes={"n": (1, 4), "t": (1, 8)})


def test_slices_of_free_dimensions() -> None:
    text = """cut (float[n, 6] x) => (float[m, 3] y, float[k, 6] z, float[j, 6] w) {
        a = Constant <value_ints = [1, 0]> ()
        b = Constant <value_ints = [-1, 6]> ()
        axes = Constant <value_ints = [0, 1]> ()
        steps = Constant <value_ints = [1, 2]> ()
        y = Slice(x, a, b, axes, steps)
        end = Constant <value_ints = [-9223372036854775807]> ()
        start = Constant <value_ints = [-1]> ()
        zero = Constant <value_ints = [0]> ()
        z = Slice(x, start, end, zero, start)
        two = Constant <value_ints = [2]> ()
        w = Slice(x, zero, two)
    }"""
    agree(text, *({"x": data(n, 6)} for n in (2, 3, 7)), sizes={"n": (1, 7)})


def test_slices_where_data_say() -> None:
    text = """cut (float[4, 6] x, int64[2] a, int64[2] b, int64[2] s) => (float[m, k] y) {
        y = Slice(x, a, b, axes, s)
    }""".replace("{", "{ axes = Constant <value_ints = [1, 0]> ()", 1)
    bounds = [((1, 0), (6, 4), (2, 1)), ((-1, 3), (-9, -9), (-2, -1)), ((5, 2), (5, 1), (1, 1))]
    feeds = [{"x": data(4, 6)} | dict(zip("abs", map(np.array, b), strict=True)) for b in bounds]
    agree(text, *feeds)


def test_broadcast_of_sizes_that_may_be_one() -> None:
    text = """wide (float[n, 3] x, float[m, 3] y) => (float[k, 3] z) { z = Add(x, y) }"""
    feeds = [{"x": data(n, 3), "y": data(m, 3)} for n, m in ((1, 4), (4, 1), (3, 3))]
    agree(text, *feeds, sizes={"n": (1, 4), "m": (1, 4)})


def test_counts_that_are_data() -> None:
    text = """found (float[3, 4] x, bool[3] keep) => (int64[2, n] p, float[k, 4] y, int64[1] s) {
        p = NonZero(x)
        y = Compress <axis = 0> (x, keep)
        s = Shape(y)
    }"""
    x = np.where(data(3, 4) > 0, data(3, 4), F(0))
    feeds = [{"x": x, "keep": np.array(k)} for k in ((1, 0, 1), (0, 0, 0), (1, 1, 1))]
    agree(text, *({k: v.astype(bool) if k == "keep" else v for k, v in f.items()} for f in feeds))


def test_ranges_and_fills() -> None:
    text = """made (float[n] x) => (int64[n] r, float[n, 2] f, float[n] e) {
        s = Shape(x)
        zero = Constant <value_int = 0> ()
        one = Constant <value_int = 1> ()
        first = Gather(s, zero)
        r = Range(zero, first, one)
        two = Constant <value_ints = [2]> ()
        fs = Concat <axis = 0> (s, two)
        f = ConstantOfShape <value = float[1] {3.5}> (fs)
        c = Cast <to = 1> (r)
        e = Mul(x, c)
    }"""
    agree(text, *({"x": data(n)} for n in (0, 1, 5)), sizes={"n": (0, 5)})


def test_reductions_over_axes_that_are_data() -> None:
    text = """reduced (float[2, 3, 4] x, int64[1] a) => (float[p, q, r] y, float[s, t] z) {
        y = ReduceSum(x, a)
        z = ReduceSum <keepdims = 0> (x, a)
    }"""
    agree(text, *({"x": data(2, 3, 4), "a": np.array([a])} for a in (0, 1, 2, -1)))


def test_pads_of_every_mode() -> None:
    for mode in ("constant", "edge", "reflect"):
        text = f"""framed (float[2, n] x) => (float[5, m] y) {{
            pads = Constant <value_ints = [2, 1, 1, 3]> ()
            y = Pad <mode = "{mode}"> (x, pads)
        }}"""
        if mode == "reflect":
            text = text.replace("[2, 1, 1, 3]", "[1, 1, 0, 3]").replace(
                "float[5, m]", "float[3, m]"
            )
        agree(text, *({"x": data(2, n)} for n in (4, 6)), sizes={"n": (4, 6)})


def test_greatest_and_distinct() -> None:
    text = """ordered (float[3, 7] x, int64[1] k) => (float[3, m] v, int64[3, m] i, float[u] d) {
        v, i = TopK(x, k)
        r = Round(x)
        d = Unique(r)
    }"""
    agree(text, *({"x": data(3, 7), "k": np.array([k])} for k in (1, 4, 7)))


REFUSED = {
    "wide (float[n, 3] x, float[m, 3] y) => (float[k, 3] z) { z = Add(x, y) }": {
        "x": data(3, 3), "y": data(4, 3),
    },
    "side (float[2, n] x, float[2, m] y) => (float[4, n] z) { z = Concat <axis = 0> (x, y) }": {
        "x": data(2, 3), "y": data(2, 4),
    },
    "best (float[n] x) => (float[4] v, int64[4] i) "
    "{ k = Constant <value_ints = [4]> () v, i = TopK(x, k) }": {"x": data(3)},
    "flat (float[n, 2] x) => (float[3, 2] y) "
    "{ s = Constant <value_ints = [3, 2]> () y = Reshape(x, s) }": {"x": data(2, 2)},
    "pick (float[n] x, int64[1] i) => (float[1] y) { y = Gather(x, i) }": {
        "x": data(3), "i": np.array([3]),
    },
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:4])
def test_sizes_that_do_not_fit_stop_the_run(text: str) -> None:
    graph = load_graph(parser.parse_model(HEAD + text), {"n": (1, 4), "m": (1, 4)})
    with pytest.raises(RunError):
        compile_graph(graph).session()(REFUSED[text])
