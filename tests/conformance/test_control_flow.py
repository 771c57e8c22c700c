"""If, Loop and Scan beside ONNX Runtime: captures, sizes a body decides, loops that never run."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.peers import agree

F = np.float32


def row(n: int, start: float = 0.0) -> np.ndarray:
    return np.arange(start, start + n, dtype=F)


def test_if_captures_and_chooses() -> None:
    text = """chosen (bool c, float[3] x, float[3] y) => (float[3] z) {
        d = Mul(x, y)
        z = If (c) <then_branch = yes () => (float[3] a) { a = Add(d, x) },
                    else_branch = no () => (float[3] b) { e = Neg(y)  b = Sub(e, d) }>
    }"""
    for c in (True, False):
        agree(text, {"c": np.array(c), "x": row(3), "y": row(3, 5)})


def test_branches_of_different_sizes() -> None:
    text = """sized (bool c, float[3] x, float[5] y) => (float[n] z, int64[1] s) {
        w = If (c) <then_branch = yes () => (float[3] a) { a = Neg(x) },
                    else_branch = no () => (float[5] b) { b = Abs(y) }>
        z = Add(w, w)
        s = Shape(z)
    }"""
    feeds = [{"c": np.array(c), "x": row(3), "y": row(5, -9)} for c in (True, False, True)]
    agree(text, *feeds)


def test_branch_inside_branch() -> None:
    text = """nested (bool c, bool d, float[2] x) => (float[2] z) {
        z = If (c) <then_branch = yes () => (float[2] a) {
                a = If (d) <then_branch = inner () => (float[2] p) { p = Exp(x) },
                            else_branch = other () => (float[2] q) { q = Neg(x) }> },
            else_branch = no () => (float[2] b) { b = Mul(x, x) }>
    }"""
    feeds = [
        {"c": np.array(c), "d": np.array(d), "x": row(2, 1)} for c in (True, False)
        for d in (True, False)
    ]  # fmt: skip
    agree(text, *feeds)


LOOP = """counted (int64 n, bool on, float[3] x, float[3] w) => (float[3] y, float[k, 3] all) {
    y, all = Loop (n, on, x) <body = step (int64 i, bool c, float[3] a)
        => (bool more, float[3] b, float[3] row) {
            f = Cast <to = 1> (i)
            g = Mul(w, f)
            b = Add(a, g)
            row = Neg(b)
            s = ReduceSum <keepdims = 0> (b)
            limit = Constant <value_float = 100.0> ()
            more = Less(s, limit)
        }>
}"""


@pytest.mark.parametrize("trips", [0, 1, 5])
def test_loop_scans_as_often_as_it_runs(trips: int) -> None:
    given = {"on": np.array(True), "x": row(3), "w": row(3, 1)}
    agree(LOOP, {"n": np.array(trips)} | given, sizes={"k": (0, 9)})


def test_loop_ends_by_its_condition() -> None:
    given = {"x": row(3), "w": row(3, 1)}
    feeds = [{"n": np.array(99), "on": np.array(on)} | given for on in (True, False)]
    agree(LOOP, *feeds, sizes={"k": (0, 9)})


def test_carried_value_that_grows() -> None:
    text = """grown (int64[4] s, float[2] x) => (float[m] y, int64[1] size) {
        n = Constant <value_int = 4> ()
        on = Cast <to = 9> (n)
        y = Loop (n, on, x) <body = step (int64 i, bool c, float[k] a) => (bool d, float[j] b) {
            d = Identity(c)
            p = Gather(s, i)
            f = Cast <to = 1> (p)
            one = Constant <value_ints = [1]> ()
            r = Reshape(f, one)
            b = Concat <axis = 0> (a, r)
        }>
        size = Shape(y)
    }"""
    with pytest.raises(Exception, match="no bound is known"):
        agree(text, {"s": np.arange(4), "x": row(2)})
    agree(text.replace("float[m] y", "float[6] y"), {"s": np.arange(4), "x": row(2)})


def test_loop_in_loop() -> None:
    text = """table (float[2] x) => (float[3, 4, 2] y) {
        n = Constant <value_int = 3> ()
        m = Constant <value_int = 4> ()
        on = Cast <to = 9> (n)
        y = Loop (n, on) <body = outer (int64 i, bool c) => (bool d, float[4, 2] rows) {
            d = Identity(c)
            rows = Loop (m, on) <body = inner (int64 j, bool e) => (bool f, float[2] v) {
                f = Identity(e)
                k = Add(i, j)
                g = Cast <to = 1> (k)
                v = Mul(x, g)
            }>
        }>
    }"""
    agree(text, {"x": row(2, 1)})


def test_scan_backwards_along_another_axis() -> None:
    text = """sums (float[2] s, float[2, 5] x) => (float[2] t, float[2, 5] y) {
        t, y = Scan <num_scan_inputs = 1, scan_input_axes = [1], scan_output_axes = [1],
            scan_input_directions = [1], scan_output_directions = [1],
            body = step (float[2] a, float[2] b) => (float[2] c, float[2] d) {
                c = Add(a, b)
                d = Mul(c, b)
            }> (s, x)
    }"""
    agree(text, {"s": row(2), "x": row(10).reshape(2, 5)})


def test_sizes_inside_a_body() -> None:
    text = """parts (int64[3] ends, float[6] x) => (float[3] y) {
        n = Constant <value_int = 3> ()
        on = Cast <to = 9> (n)
        zero = Constant <value_ints = [0]> ()
        one = Constant <value_ints = [1]> ()
        y = Loop (n, on) <body = step (int64 i, bool c) => (bool d, float sum) {
            d = Identity(c)
            e = Gather(ends, i)
            f = Reshape(e, one)
            part = Slice(x, zero, f)
            sum = ReduceSum <keepdims = 0> (part)
        }>
    }"""
    agree(text, {"ends": np.array([0, 2, 6]), "x": row(6, 1)}, {"ends": np.array([6, -1, 9]),
          "x": row(6, 2)})  # fmt: skip
