"""reduce.h, argument.h, softmax.h and norm.h against NumPy and onnx.reference."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from tests.kernels.longtail_library import call, library
from tests.kernels.longtail_oracle import DTYPES, FLOATS, TOLERANCE, close, evaluate

RNG = np.random.default_rng(11)
SHAPES = [(3, 5, 1), (2, 37, 1), (1, 9000, 1), (2, 5, 3), (2, 7, 130), (4, 1, 1)]


def _random(kind: str, shape: tuple[int, ...]) -> np.ndarray:
    if kind in FLOATS:
        return RNG.standard_normal(shape).astype(DTYPES[kind])
    info = np.iinfo(DTYPES[kind])
    return RNG.integers(max(info.min, -9), 10, shape).astype(DTYPES[kind])


def _reference(name: str, x: np.ndarray) -> np.ndarray:
    wide = x.astype(np.float64) if x.dtype.kind not in "iu" else x.astype(object)
    if name in ("max", "min"):
        return getattr(x, name)(axis=1)
    if name == "l1":
        return np.abs(wide).sum(axis=1)
    if name in ("l2", "sumsq"):
        squares = (wide * wide).sum(axis=1)
        return np.sqrt(squares.astype(np.float64)) if name == "l2" else squares
    if name == "logsum":
        return np.log(wide.sum(axis=1).astype(np.float64))
    if name == "logsumexp":
        return np.log(np.exp(wide).sum(axis=1))
    if name == "mean":
        total = wide.sum(axis=1) / x.shape[1]
        return np.trunc(total.astype(np.float64))
    return wide.sum(axis=1) if name == "sum" else wide.prod(axis=1)


NAMES = ["sum", "mean", "max", "min", "prod", "sumsq", "l1", "l2", "logsum"]


@pytest.mark.parametrize("kind", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_reduce(name: str, kind: str) -> None:
    for outer, n, inner in SHAPES:
        x = _random(kind, (outer, n, inner))
        if name == "logsum":
            x = np.abs(x) + x.dtype.type(1)
        y = np.empty((outer, inner), x.dtype)
        call(getattr(library("reduce.h"), f"reduce_{name}_{kind}"), x, y, outer, n, inner)
        if kind in FLOATS:
            wide = x.astype(np.float64)
            want = wide.mean(axis=1) if name == "mean" else _reference(name, x)
            if name == "prod":
                np.testing.assert_allclose(
                    y.astype(np.float64), want, rtol=TOLERANCE[kind] * 10, atol=1e-6
                )
            else:
                close(y, want, kind, scale=4 * float(np.abs(want.astype(float)).max() + 1))
        else:
            want = _reference(name, x)
            if name in ("l2", "logsum", "mean"):
                want = np.trunc(want.astype(np.float64)).astype(np.int64)
            bits = np.iinfo(x.dtype).bits
            wrapped = np.vectorize(lambda v, b=bits: int(v) & (2**b - 1), otypes=[np.uint64])(want)
            np.testing.assert_array_equal(y, wrapped.astype(x.dtype))


@pytest.mark.parametrize("kind", FLOATS)
def test_reduce_logsumexp(kind: str) -> None:
    for outer, n, inner in [(3, 5, 1), (2, 5, 3)]:
        x = _random(kind, (outer, n, inner)) * x_scale(kind)
        y = np.empty((outer, inner), x.dtype)
        call(getattr(library("reduce.h"), f"reduce_logsumexp_{kind}"), x, y, outer, n, inner)
        close(y, _reference("logsumexp", x), kind)
    x, y = np.full((1, 3, 1), -np.inf, np.float32), np.empty(1, np.float32)
    call(library("reduce.h").reduce_logsumexp_f32, x, y, 1, 3, 1)
    assert y[0] == -np.inf


def x_scale(kind: str) -> np.ndarray:
    """A factor of the tensor's own type, so that products keep it."""
    return np.array(2.0).astype(DTYPES[kind])


def test_empty_and_nan_reductions() -> None:
    y = np.empty(2, np.float32)
    for name, want in {
        "sum": 0,
        "prod": 1,
        "max": -np.inf,
        "min": np.inf,
        "mean": np.nan,
        "l2": 0,
        "logsum": -np.inf,
    }.items():
        call(
            getattr(library("reduce.h"), f"reduce_{name}_f32"), np.empty(0, np.float32), y, 1, 0, 2
        )
        np.testing.assert_array_equal(y, np.full(2, want, np.float32))
    x = np.array([[1, np.nan, 2] * 12], np.float32)
    for name in ("max", "min"):
        call(getattr(library("reduce.h"), f"reduce_{name}_f32"), x, y, 1, 36, 1)
        assert np.isnan(y[0])


def test_long_sums_stay_accurate() -> None:
    x, y = np.full(3_000_000, 0.1, np.float32), np.empty(1, np.float32)
    call(library("reduce.h").reduce_sum_f32, x, y, 1, x.size, 1)
    assert y[0] == pytest.approx(float(x[0]) * x.size, rel=1e-5)


ARGUMENTS = [
    *SHAPES, (131, 21, 1), (64, 4, 1), (70, 3, 1), (33, 63, 1), (5, 64, 1), (3, 200, 1),
    (2, 1024, 1),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["f32", "f16", "i8", "u8", "u64", "i64"])
@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_arg_extreme(name: str, last: int, kind: str) -> None:
    oracle = getattr(np, name)
    for outer, n, inner in ARGUMENTS:
        few = np.clip(_random(kind, (outer, n, inner)), x_scale(kind) * 0, x_scale(kind))
        many = _random(kind, (outer, n, inner))
        if kind in ("i8", "u8"):
            many = RNG.integers(0, 256, many.shape, np.uint8).view(many.dtype)
        for x in (few, many):
            want = n - 1 - oracle(x[:, ::-1], axis=1) if last else oracle(x, axis=1)
            for width in {inner, max(inner - 2, 1)}:
                y = np.full((outer, inner), -1, np.int64)
                sizes = (outer, n, inner, width, np.int32(last))
                call(getattr(library("argument.h"), f"{name}_{kind}"), x, y, *sizes)
                np.testing.assert_array_equal(y[:, :width], want[:, :width])
                assert (y[:, width:] == -1).all()


@pytest.mark.parametrize("last", [0, 1])
def test_arg_extreme_finds_nan_as_numpy_does(last: int) -> None:
    short = np.array([[1, np.nan, 3, np.nan, 0]] * 17, np.float32)
    long = np.arange(2 * 200, dtype=np.float32).reshape(2, 200)
    long[0, [66, 77, 190]] = long[1, [3, 67, 131]] = np.nan
    for x, wanted in ((short, [[1, 3]] * 17), (long, [[66, 190], [3, 131]])):
        for name in ("argmax", "argmin"):
            y = np.empty(len(x), np.int64)
            sizes = (*x.shape, 1, 1, np.int32(last))
            call(getattr(library("argument.h"), f"{name}_f32"), x, y, *sizes)
            assert y.tolist() == [pair[last] for pair in wanted]


@pytest.mark.parametrize("kind", ["f32", "f64", "f16", "i32", "u8"])
@pytest.mark.parametrize("name", ["cumsum", "cumprod"])
def test_cumulate(name: str, kind: str) -> None:
    for exclusive in (0, 1):
        for reverse in (0, 1):
            x = _random(kind, (2, 5, 70))
            y = np.empty_like(x)
            call(
                getattr(library("reduce.h"), f"{name}_{kind}"),
                x,
                y,
                2,
                5,
                70,
                np.int32(exclusive),
                np.int32(reverse),
            )
            op = "CumSum" if name == "cumsum" else "CumProd"
            node = onnx.helper.make_node(
                op, ["x", "a"], ["y"], exclusive=exclusive, reverse=reverse
            )
            wide = x if x.dtype.kind in "iu" else x.astype(np.float64)
            want = evaluate(node, {"x": wide, "a": np.array(1)})[0]
            if kind in FLOATS:
                close(y, want, kind, scale=float(np.abs(want).max() + 1))
            else:
                np.testing.assert_array_equal(y, want)


@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize(
    ("name", "op"), [("softmax", "Softmax"), ("log_softmax", "LogSoftmax"), ("hardmax", "Hardmax")]
)
def test_softmax_family(name: str, op: str, kind: str) -> None:
    for outer, n, inner in [(3, 5, 1), (2, 37, 1), (2, 5, 3), (2, 7, 130)]:
        x = _random(kind, (outer, n, inner)) * x_scale(kind)
        y = np.empty_like(x)
        call(getattr(library("softmax.h"), f"{name}_{kind}"), x, y, outer, n, inner)
        node = onnx.helper.make_node(op, ["x"], ["y"], axis=1)
        close(y, evaluate(node, {"x": x.astype(np.float64)})[0], kind)
        call(getattr(library("softmax.h"), f"{name}_{kind}"), x, x, outer, n, inner)
        np.testing.assert_array_equal(x.view("u1"), y.view("u1"))


def test_softmax_of_large_and_masked_scores() -> None:
    x = np.array([[-np.inf, 0, 3e38, 3e38], [-200, -100, -90, 0], [np.nan, 0, 1, 2]], np.float32)
    y = np.empty_like(x)
    call(library("softmax.h").softmax_f32, x, y, 3, 4, 1)
    np.testing.assert_array_equal(y[0], [0, 0, 0.5, 0.5])
    np.testing.assert_allclose(y[1], [0, 0, 0, 1], atol=1e-35)
    assert np.isnan(y[2]).all()


@pytest.mark.parametrize("kind", FLOATS)
def test_layer_and_rms_norm(kind: str) -> None:
    outer, n = 5, 37
    x, scale, bias = (_random(kind, s) for s in ((outer, n), (n,), (n,)))
    epsilon = np.float32(2.0**-10) if kind != "f64" else 2.0**-10
    y, mean, inverse = np.empty_like(x), np.empty(outer, x.dtype), np.empty(outer, x.dtype)
    lib = library("norm.h")
    call(getattr(lib, f"layer_norm_{kind}"), x, scale, bias, y, mean, inverse, outer, n, epsilon)
    wide = [v.astype(np.float64) for v in (x, scale, bias)]
    node = onnx.helper.make_node(
        "LayerNormalization", ["x", "s", "b"], ["y", "m", "i"], epsilon=2.0**-10
    )
    want = evaluate(node, dict(zip("xsb", wide, strict=True)))
    for got, expected in zip((y, mean, inverse), want, strict=True):
        close(got, expected.reshape(got.shape), kind, scale=3)
    call(getattr(lib, f"layer_norm_{kind}"), x, scale, None, y, None, None, outer, n, epsilon)
    close(y, want[0] - wide[2], kind, scale=3)
    call(getattr(lib, f"rms_norm_{kind}"), x, scale, y, outer, n, epsilon)
    node = onnx.helper.make_node("RMSNormalization", ["x", "s"], ["y"], epsilon=2.0**-10)
    close(y, evaluate(node, {"x": wide[0], "s": wide[1]})[0], kind, scale=3)


@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize(("channels", "groups"), [(6, 1), (6, 3), (6, 6), (80, 2), (80, 80)])
def test_group_norm(channels: int, groups: int, kind: str) -> None:
    x, scale, bias = (_random(kind, s) for s in ((2, 15, channels), (channels,), (channels,)))
    y = np.empty_like(x)
    epsilon = np.float32(2.0**-10) if kind != "f64" else 2.0**-10
    call(
        getattr(library("norm.h"), f"group_norm_{kind}"),
        x,
        scale,
        bias,
        y,
        2,
        15,
        channels,
        groups,
        epsilon,
    )
    first = x.astype(np.float64).transpose(0, 2, 1)
    node = onnx.helper.make_node(
        "GroupNormalization",
        ["x", "s", "b"],
        ["y"],
        epsilon=2.0**-10,
        num_groups=groups,
        stash_type=onnx.TensorProto.DOUBLE,
    )
    feeds = {"x": first, "s": scale.astype(np.float64), "b": bias.astype(np.float64)}
    close(y, evaluate(node, feeds)[0].transpose(0, 2, 1), kind, scale=4)


@pytest.mark.parametrize("kind", FLOATS)
def test_remaining_norms(kind: str) -> None:
    lib, epsilon = library("norm.h"), np.float32(2.0**-10) if kind != "f64" else 2.0**-10
    x = _random(kind, (2, 5, 4, 3))
    wide, y = x.astype(np.float64), np.empty_like(x)

    def number(value: float) -> np.float32 | float:
        return value if kind == "f64" else np.float32(value)

    scale, bias, mean = (_random(kind, (5,)) for _ in range(3))
    var = np.abs(_random(kind, (5,)))
    call(getattr(lib, f"batch_norm_{kind}"), x, scale, bias, mean, var, y, 2, 5, 12, epsilon)
    node = onnx.helper.make_node("BatchNormalization", list("xsbmv"), ["y"], epsilon=2.0**-10)
    values = (v.astype(np.float64) for v in (x, scale, bias, mean, var))
    want = evaluate(node, dict(zip("xsbmv", values, strict=True)))[0]
    close(y, want, kind, scale=10 * float(np.abs(want).max()))

    node = onnx.helper.make_node("LRN", ["x"], ["y"], alpha=0.3, beta=0.6, bias=1.5, size=3)
    call(getattr(lib, f"lrn_{kind}"), x, y, 2, 5, 12, 3, number(0.3), number(0.6), number(1.5))
    want = np.stack(
        [
            wide[:, c] / (1.5 + 0.1 * (wide[:, max(0, c - 1) : c + 2] ** 2).sum(axis=1)) ** 0.6
            for c in range(5)
        ],
        axis=1,
    )
    close(y, want, kind, scale=2)

    for p in (1, 2):
        call(getattr(lib, f"lp_norm_{kind}"), x, y, 2, 5, 12, np.int32(p))
        norm = np.linalg.norm(wide, ord=p, axis=1, keepdims=True)
        close(y, wide / norm, kind, scale=2)

    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    y = np.empty_like(last)
    call(getattr(lib, f"mean_variance_norm_{kind}"), last, y, 2, 12, 5)
    wide = last.astype(np.float64)
    centred = wide - wide.mean(axis=(0, 1, 2))
    close(y, centred / np.sqrt((centred**2).mean(axis=(0, 1, 2))), kind, scale=4)
