"""The portable integer kernels in C give the bits of their NumPy definitions, in both roundings."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from tests.kernels.longtail_library import call, library
from whet.ops.integer import addition, contraction, multiplication, pooling, reduction, softmax
from whet.ops.integer import requantize as rq
from whet.ops.integer.contraction import Contraction, Window
from whet.ops.integer.quantization import Activation, Affine, Integers, Rounding

TYPES = {"int8": 0, "uint8": 1, "int16": 2, "int32": 3}
ROUNDINGS: list[Rounding] = ["single", "double"]
both = pytest.mark.parametrize("rounding", ROUNDINGS)
stores = pytest.mark.parametrize("store", ["int8", "uint8", "int16"])
seeds = pytest.mark.parametrize("seed", range(4))


def lib() -> ctypes.CDLL:
    return library("integer_contraction.h", "integer_elementwise.h", "integer_reduction.h")


def code(rounding: Rounding) -> int:
    return ROUNDINGS.index(rounding)


def affine(rng: np.random.Generator, store: str, scale: float = 0.0) -> Affine:
    info = np.iinfo(store)
    zero = 0 if store == "int16" else int(rng.integers(info.min, info.max))
    return Affine(scale or float(np.float32(rng.uniform(0.01, 0.1))), zero, store)


def data(rng: np.random.Generator, shape: tuple[int, ...], store: str) -> Integers:
    info = np.iinfo(store)
    return rng.integers(info.min, info.max + 1, shape, dtype=store)


@both
def test_multiply_over_the_whole_range(rounding: Rounding) -> None:
    rng = np.random.default_rng(0)
    edges = np.array([0, 1, -1, 2**31 - 1, -(2**31), 1 << 20, -(1 << 20)], np.int64)
    x = np.concatenate([edges, rng.integers(-(2**31), 2**31, 3000)]).astype(np.int32)
    m = rng.integers(1 << 30, 1 << 31, len(x)).astype(np.int32)
    m[::50] = 0
    t = rng.integers(1, 63, len(x)).astype(np.int32)
    ours = rq.multiply(x, rq.Multiplier(m, t), rounding)
    function = lib().integer_multiply
    function.restype = ctypes.c_int64
    theirs = [
        function(*map(ctypes.c_int, (int(a), int(b), int(c), code(rounding))))
        for a, b, c in zip(x, m, t, strict=True)
    ]
    np.testing.assert_array_equal(ours, theirs)


def constants(
    rng: np.random.Generator, store: str, channels: int, depth: int, rounding: Rounding
) -> Contraction:
    x = affine(rng, store)
    scales = rng.uniform(0.002, 0.02, channels if rng.integers(2) else 1)
    wide = store == "int16"
    y_scale = x.scale * 0.01 * np.sqrt(depth) * (9000 if wide else 60)
    y = affine(rng, store, float(np.float32(y_scale)))
    w_zero = int(rng.integers(100, 150)) if store == "uint8" else 0
    activation = list(Activation)[int(rng.integers(4))]
    return contraction.contraction_constants(
        x, scales, y, activation, rounding, w_zero=w_zero, wide=wide
    )


def tail(c: Contraction) -> tuple[np.ndarray | int, ...]:
    m, t = np.atleast_1d(c.by.m), np.atleast_1d(c.by.t)
    return m, t, int(c.by.m.ndim > 0), c.y_zero, c.low, c.high, code(c.rounding)


def problem(
    rng: np.random.Generator, store: str, w_shape: tuple[int, ...], out: int
) -> list[Integers]:
    w = data(rng, w_shape, "uint8" if store == "uint8" else "int8")
    bias = rng.integers(-5000, 5000, out).astype("int64" if store == "int16" else "int32")
    return [w, bias]


@both
@stores
@seeds
def test_conv2d(seed: int, store: str, rounding: Rounding) -> None:
    rng = np.random.default_rng(seed)
    n, h, w, groups, kh, kw, sh, sw = 2, 7, 6, 1 + seed % 2, 3, 2, 1 + seed % 3, 1 + seed // 2
    cin, cout, window = 3 * groups, 4 * groups, Window((sh, sw), (1, 2), (1, 1), (0, 1))
    weights, bias = problem(rng, store, (cout, kh, kw, cin // groups), cout)
    x = data(rng, (n, h, w, cin), store)
    c = constants(rng, store, cout, kh * kw * 3, rounding)
    ours = contraction.conv2d(x, weights, bias, window, c)
    y = np.zeros_like(ours)
    call(
        lib().integer_conv2d, n, h, w, cin, *ours.shape[1:], kh, kw, sh, sw, 1, 2, 1, 0, groups,
        TYPES[store], TYPES[weights.dtype.name], x, c.x_zero, weights, c.w_zero,
        bias if seed else None, *tail(c), y,
    )  # fmt: skip
    if not seed:
        ours = contraction.conv2d(x, weights, None, window, c)
    np.testing.assert_array_equal(ours, y)


@both
@stores
@seeds
def test_depthwise_conv2d(seed: int, store: str, rounding: Rounding) -> None:
    rng = np.random.default_rng(seed)
    n, h, w, cin, multiple, kh, kw, s = 1, 8, 7, 5, 1 + seed % 2, 3, 3, 1 + seed // 2
    cout, window = cin * multiple, Window((s, s), (1, 1), (1, 1), (1, 0))
    weights, bias = problem(rng, store, (1, kh, kw, cout), cout)
    x = data(rng, (n, h, w, cin), store)
    c = constants(rng, store, cout, kh * kw, rounding)
    ours = contraction.depthwise_conv2d(x, weights, bias, window, c)
    y = np.zeros_like(ours)
    call(
        lib().integer_depthwise_conv2d, n, h, w, cin, *ours.shape[1:], kh, kw, s, s, 1, 1, 1, 1,
        TYPES[store], TYPES[weights.dtype.name], x, c.x_zero, weights, c.w_zero, bias,
        *tail(c), y,
    )  # fmt: skip
    np.testing.assert_array_equal(ours, y)


@both
@stores
@seeds
def test_fully_connected(seed: int, store: str, rounding: Rounding) -> None:
    rng = np.random.default_rng(seed)
    rows, cin, cout = 3, 19 + seed, 7
    weights, bias = problem(rng, store, (cout, cin), cout)
    x = data(rng, (rows, cin), store)
    c = constants(rng, store, cout, cin, rounding)
    ours = contraction.fully_connected(x, weights, bias, c)
    y = np.zeros_like(ours)
    call(
        lib().integer_fully_connected, rows, cin, cout, TYPES[store], TYPES[weights.dtype.name],
        x, c.x_zero, weights, c.w_zero, bias, *tail(c), y,
    )  # fmt: skip
    np.testing.assert_array_equal(ours, y)


@both
@stores
def test_batch_matmul(store: str, rounding: Rounding) -> None:
    rng = np.random.default_rng(2)
    a, b = affine(rng, store), affine(rng, store)
    wide = store == "int16"
    y = affine(rng, store, float(np.float32(a.scale * b.scale * (3e4 if wide else 200))))
    c = contraction.contraction_constants(
        a, [b.scale], y, Activation.NONE, rounding, w_zero=b.zero, wide=wide
    )
    da, db = data(rng, (3, 4, 9), store), data(rng, (1, 9, 5), store)
    ours = contraction.batch_matmul(da, db, c)
    out = np.zeros_like(ours)
    call(lib().integer_batch_matmul, 3, 4, 9, 5, 36, 0, TYPES[store], da, a.zero, db, b.zero,
         int(c.by.m), int(c.by.t), c.y_zero, c.low, c.high, code(rounding), out)  # fmt: skip
    np.testing.assert_array_equal(ours, out)


@both
@stores
@seeds
def test_transpose_conv2d(seed: int, store: str, rounding: Rounding) -> None:
    rng = np.random.default_rng(seed)
    n, h, w, cin, cout, kh, kw, sh, sw = 1, 4, 3, 3, 4, 3, 2, 1 + seed % 3, 2
    out = (h * sh, w * sw)
    window = Window((sh, sw), (1, 1), (1, 1), (0, 0))
    weights, bias = problem(rng, store, (cout, kh, kw, cin), cout)
    x = data(rng, (n, h, w, cin), store)
    c = constants(rng, store, cout, kh * kw * cin, rounding)
    ours = contraction.transpose_conv2d(x, weights, bias, window, out, c)
    y = np.zeros_like(ours)
    call(
        lib().integer_transpose_conv2d, n, h, w, cin, *out, cout, kh, kw, sh, sw, 1, 0,
        TYPES[store], TYPES[weights.dtype.name], x, c.x_zero, weights, c.w_zero, bias,
        *tail(c), y,
    )  # fmt: skip
    np.testing.assert_array_equal(ours, y)


@both
@stores
@pytest.mark.parametrize("subtract", [False, True])
def test_add(store: str, rounding: Rounding, subtract: bool) -> None:
    rng = np.random.default_rng(3)
    a, b = affine(rng, store), affine(rng, store)
    y = affine(rng, store, float(np.float32(a.scale + b.scale)))
    c = addition.addition_constants(a, b, y, Activation.RELU6, rounding, subtract=subtract)
    da, db = data(rng, (999,), store), data(rng, (1,), store)
    ours = addition.add(da, db, c)
    out = np.zeros_like(ours)
    n, kind, clamp = len(da), TYPES[store], (c.y_zero, c.low, c.high)
    if c.a_by is None or c.b_by is None or c.y_by is None:
        call(lib().integer_add_single, n, 1, 0, kind, da, a.zero, c.a_m, db, b.zero, c.b_m, c.t,
             *clamp, out)  # fmt: skip
    else:
        (am, at), (bm, bt), (ym, yt) = ((int(v.m), int(v.t)) for v in (c.a_by, c.b_by, c.y_by))
        call(lib().integer_add_double, n, 1, 0, kind, c.left_shift, c.sign, da, a.zero, am, at,
             db, b.zero, bm, bt, ym, yt, *clamp, out)  # fmt: skip
    np.testing.assert_array_equal(ours, out)


@both
@stores
def test_mul(store: str, rounding: Rounding) -> None:
    rng = np.random.default_rng(4)
    a, b = affine(rng, store), affine(rng, store)
    y = affine(rng, store, float(np.float32(a.scale * b.scale * 100)))
    c = multiplication.multiplication_constants(a, b, y, Activation.NONE, rounding)
    da, db = data(rng, (999,), store), data(rng, (999,), store)
    ours = multiplication.mul(da, db, c)
    out = np.zeros_like(ours)
    by = (int(c.by.m), int(c.by.t), c.y_zero, c.low, c.high, code(rounding))
    call(lib().integer_mul, 1, 999, TYPES[store], da, 0, 1, a.zero, db, 0, 1, b.zero, *by, out)
    np.testing.assert_array_equal(ours, out)
    call(lib().integer_mul, 27, 37, TYPES[store], da, 37, 1, a.zero, db, 0, 1, b.zero, *by, out)
    rows = multiplication.mul(da.reshape(27, 37), db[:37], c)
    np.testing.assert_array_equal(rows.reshape(-1), out)
    call(lib().integer_mul, 27, 37, TYPES[store], da, 37, 1, a.zero, db, 0, 1, b.zero, *by, da)
    np.testing.assert_array_equal(rows.reshape(-1), da)


@both
@pytest.mark.parametrize("store", ["int8", "int16"])
def test_squared_difference(store: str, rounding: Rounding) -> None:
    rng = np.random.default_rng(5)
    a, b = affine(rng, store), affine(rng, store)
    y = affine(rng, store, float(np.float32(a.scale**2 * 200)))
    c = multiplication.squared_difference_constants(a, b, y, rounding)
    da, db = data(rng, (999,), store), data(rng, (999,), store)
    ours = multiplication.squared_difference(da, db, c)
    out = np.zeros_like(ours)
    (am, at), (bm, bt), (ym, yt) = ((int(v.m), int(v.t)) for v in (c.a_by, c.b_by, c.y_by))
    call(lib().integer_squared_difference, 999, 1, 1, TYPES[store], c.left_shift, da, a.zero, am,
         at, db, b.zero, bm, bt, ym, yt, c.y_zero, c.low, c.high, code(rounding), out)  # fmt: skip
    np.testing.assert_array_equal(ours, out)


@both
def test_prelu(rounding: Rounding) -> None:
    rng = np.random.default_rng(6)
    x, alpha = affine(rng, "int8"), affine(rng, "int8")
    y = affine(rng, "int8", x.scale)
    c = multiplication.prelu_constants(x, alpha, y, rounding)
    dx, da = data(rng, (50, 8), "int8"), data(rng, (8,), "int8")
    ours = multiplication.prelu(dx, da, c)
    out = np.zeros_like(ours)
    call(lib().integer_prelu, dx.size, da.size, 0, dx, x.zero, da, alpha.zero,
         int(c.by_positive.m), int(c.by_positive.t), int(c.by_negative.m), int(c.by_negative.t),
         c.y_zero, c.low, c.high, code(rounding), out)  # fmt: skip
    np.testing.assert_array_equal(ours, out)


@stores
@pytest.mark.parametrize("average", [0, 1])
@pytest.mark.parametrize("channels", [3, 133])
def test_pool(store: str, average: int, channels: int) -> None:
    rng = np.random.default_rng(7)
    x = data(rng, (2, 7, 8, channels), store)
    function = pooling.average_pool if average else pooling.max_pool
    low, high = int(np.iinfo(store).min) + 20, int(np.iinfo(store).max)
    ours = function(x, (3, 2), Window((2, 1), (1, 1), (1, 1), (0, 1)), low, high)
    y = np.zeros_like(ours)
    call(lib().integer_pool2d, 2, 7, 8, channels, *ours.shape[1:3], 3, 2, 2, 1, 1, 0, TYPES[store],
         average, x, low, high, y)  # fmt: skip
    np.testing.assert_array_equal(ours, y)


@both
@stores
@pytest.mark.parametrize("channels", [1, 3, 133])
def test_mean(store: str, rounding: Rounding, channels: int) -> None:
    rng = np.random.default_rng(8)
    x = affine(rng, store)
    c = reduction.mean_constants(x, affine(rng, store, x.scale * 0.5), 35, rounding)
    dx = data(rng, (4, 5, 7, channels), store)
    ours = reduction.mean_or_sum(dx, (1, 2), c, False)
    y = np.zeros_like(ours)
    call(lib().integer_sum, 4, 35, channels, TYPES[store], dx, c.x_zero * c.count, int(c.by.m),
         int(c.by.t), c.y_zero, c.low, c.high, code(rounding), y)  # fmt: skip
    np.testing.assert_array_equal(ours, y)
    call(lib().integer_extreme, 4, 35, channels, TYPES[store], 1, dx, y)
    np.testing.assert_array_equal(reduction.reduce_min(dx, (1, 2), False), y)


@both
@pytest.mark.parametrize("store", ["int8", "uint8", "int16"])
@pytest.mark.parametrize("depth", [1, 2, 10, 1001])
def test_softmax(store: str, rounding: Rounding, depth: int) -> None:
    rng = np.random.default_rng(9)
    dx = data(rng, (20, depth), "int8")
    c = softmax.softmax_constants(affine(rng, "int8"), 1.0, rounding, store)
    ours = softmax.softmax(dx, c)
    y = np.zeros_like(ours)
    kinds = (20, depth, 0, TYPES[store], dx)
    if rounding == "single":
        call(lib().integer_softmax_single, *kinds, c.exp_table, y)
    else:
        call(lib().integer_softmax_double, *kinds, int(c.by.m), int(c.by.t), c.diff_min, y)
    np.testing.assert_array_equal(ours, y)
