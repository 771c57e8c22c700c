"""spectrum.h, linear_algebra.h and random.h against onnx.reference, NumPy and statistics."""

from __future__ import annotations

import ctypes

import numpy as np
import onnx
import pytest

from tests.kernels.longtail_library import call, library
from tests.kernels.longtail_oracle import DTYPES, FLOATS, close, evaluate
from tests.kernels.longtail_window import output_size, window_shape

RNG = np.random.default_rng(29)
I32, LONG = np.int32, np.dtype("long")


def _scratch(kind: str, size: int) -> np.ndarray:
    return np.empty(size, np.float64 if kind == "f64" else np.float32)


@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("length", [1, 2, 6, 7, 9, 16, 50, 60])
def test_dft(length: int, parts: int, kind: str) -> None:
    x = RNG.standard_normal((2, 7, 3, parts)).astype(DTYPES[kind])
    signal = x.astype(np.float64)[..., 0] + (1j * x.astype(np.float64)[..., 1] if parts == 2 else 0)
    function, twiddles = getattr(library("spectrum.h"), f"dft_{kind}"), _scratch(kind, 6 * length)
    for outputs, inverse in ((length, 0), (length // 2 + 1, 0), (length, 1)):
        y = np.empty((2, outputs, 3, 2), x.dtype)
        call(function, x, y, twiddles, 2, 7, 3, length, I32(parts), I32(2), outputs, I32(inverse))
        transform = np.fft.ifft if inverse else np.fft.fft
        want = transform(signal, n=length, axis=1)[:, :outputs]
        close(y, np.stack([want.real, want.imag], -1), kind, scale=10)
    if parts == 2:
        y = np.empty((2, length, 3, 1), x.dtype)
        call(function, x, y, twiddles, 2, 7, 3, length, I32(2), I32(1), length, I32(1))
        close(y[..., 0], np.fft.irfft(signal, n=length, axis=1), kind, scale=10)


@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize("windowed", [0, 1])
@pytest.mark.parametrize("onesided", [0, 1])
def test_stft(onesided: int, windowed: int, kind: str) -> None:
    x, window = (RNG.standard_normal(s).astype(DTYPES[kind]) for s in ((2, 50, 1), (16,)))
    frames, outputs = 1 + (50 - 16) // 5, 9 if onesided else 16
    feeds = {"x": x.astype(np.float64), "s": np.array(5), "w": window.astype(np.float64)}
    names = ["x", "s", "w"]
    if not windowed:
        feeds.pop("w")
        feeds["l"], names = np.array(16), ["x", "s", "", "l"]
    node = onnx.helper.make_node("STFT", names, ["y"], onesided=onesided)
    want = evaluate(node, feeds, 17)[0]
    y = np.empty((2, frames, outputs, 2), x.dtype)
    call(
        getattr(library("spectrum.h"), f"stft_{kind}"),
        x,
        window if windowed else None,
        y,
        _scratch(kind, 96),
        2,
        50,
        frames,
        5,
        16,
        I32(1),
        outputs,
    )
    close(y, want, kind, scale=10)


@pytest.mark.parametrize("periodic", [0, 1])
@pytest.mark.parametrize("name", ["Hann", "Hamming", "Blackman"])
def test_windows(name: str, periodic: int) -> None:
    y = np.empty(10, np.float32)
    call(getattr(library("spectrum.h"), f"{name.lower()}_window_f32"), y, 10, I32(periodic))
    node = onnx.helper.make_node(f"{name}Window", ["n"], ["y"], periodic=periodic)
    close(y, evaluate(node, {"n": np.array(10)}, 17)[0], "f32")


def test_mel_weight_matrix() -> None:
    y = np.empty((17, 8), np.float32)
    call(library("spectrum.h").mel_weight_matrix_f32, y, 8, 32, 8192.0, 10.0, 4096.0)
    node = onnx.helper.make_node("MelWeightMatrix", list("mdslh"), ["y"])
    feeds = {
        "m": np.array(8),
        "d": np.array(32),
        "s": np.array(8192),
        "l": np.array(10, np.float32),
        "h": np.array(4096, np.float32),
    }
    close(y, evaluate(node, feeds, 17)[0], "f32")


@pytest.mark.parametrize("kind", FLOATS)
def test_det(kind: str) -> None:
    for n in (1, 2, 5):
        x = RNG.standard_normal((4, n, n)).astype(DTYPES[kind])
        x[0, 0] = 0
        y = np.empty(4, x.dtype)
        call(getattr(library("linear_algebra.h"), f"det_{kind}"), x, y, _scratch(kind, n * n), 4, n)
        close(y, np.linalg.det(x.astype(np.float64)), kind, scale=20)


@pytest.mark.parametrize("upper", [0, 1])
@pytest.mark.parametrize("k", [-9, -1, 0, 2, 9])
def test_trilu(k: int, upper: int) -> None:
    x = RNG.standard_normal((2, 4, 6))
    y = np.empty_like(x)
    call(library("linear_algebra.h").trilu, x, y, 2, 4, 6, k, I32(upper), 8)
    np.testing.assert_array_equal(y, np.triu(x, k) if upper else np.tril(x, k))


def _einsum(equation: str, operands: list[np.ndarray], kind: str) -> np.ndarray:
    terms, out = equation.split("->")
    labels = out + "".join(sorted(set(terms.replace(",", "")) - set(out)))
    sizes = {
        label: size
        for term, x in zip(terms.split(","), operands, strict=True)
        for label, size in zip(term, x.shape, strict=True)
    }
    strides = [
        [
            sum(s // x.itemsize for other, s in zip(term, x.strides, strict=True) if other == label)
            for label in labels
        ]
        for term, x in zip(terms.split(","), operands, strict=True)
    ]
    pointers = np.array([x.ctypes.data for x in operands], np.uintp)
    y = np.empty([sizes[label] for label in out], operands[0].dtype)
    call(
        getattr(library("linear_algebra.h"), f"einsum_{kind}"),
        pointers,
        y,
        np.array(strides, LONG),
        np.array([sizes[label] for label in labels], LONG),
        I32(len(operands)),
        I32(len(labels)),
        I32(len(out)),
    )
    return y


@pytest.mark.parametrize(
    "equation",
    [
        "ij,jk->ik",
        "bij,bjk->bik",
        "ii->i",
        "ii->",
        "ij->ji",
        "i,j->ij",
        "abc,cd,de->abe",
        "bhqd,bhkd->bhqk",
        "ij->",
        "ab,ab->a",
    ],
)
def test_einsum(equation: str) -> None:
    sizes = dict(zip("abcdehijkq", (2, 3, 4, 5, 2, 3, 4, 4, 3, 2), strict=True))
    for kind in ("f64", "i32"):
        operands = [
            RNG.integers(-5, 6, [sizes[label] for label in term]).astype(DTYPES[kind])
            for term in equation.split("->")[0].split(",")
        ]
        np.testing.assert_array_equal(
            _einsum(equation, operands, kind), np.einsum(equation, *operands)
        )


@pytest.mark.parametrize(
    "case",
    [
        ((5, 6), (2, 3), (1, 1), (1, 1), (0, 0, 0, 0)),
        ((7, 5), (2, 3), (2, 1), (2, 1), (1, 0, 0, 1)),
        ((4, 5, 6), (1, 2, 3), (1, 2, 1), (1, 1, 2), (0, 0, 1, 0, 1, 1)),
    ],
)
def test_col2im(case: tuple[tuple[int, ...], ...]) -> None:
    image, kernel, stride, dilation, pads = case
    blocks = output_size(image, kernel, stride, dilation, pads, 0)
    x = RNG.standard_normal((2, 3 * int(np.prod(kernel)), int(np.prod(blocks)))).astype(np.float32)
    node = onnx.helper.make_node(
        "Col2Im", ["x", "i", "b"], ["y"], strides=stride, dilations=dilation, pads=pads
    )
    want = evaluate(node, {"x": x, "i": np.array(image), "b": np.array(kernel)}, 18)[0]
    y = np.empty((2, 3, *image), np.float32)
    call(
        library("linear_algebra.h").col2im_f32,
        x,
        y,
        window_shape(2, 3, image, blocks, kernel, stride, dilation, pads),
    )
    close(y, want, "f32")


def _seed(value: int) -> int:
    return int(ctypes.c_int64(value * 0x5DEECE66D).value)


@pytest.mark.parametrize("kind", ["f32", "f64", "f16", "bf16"])
def test_uniform_and_normal_numbers(kind: str) -> None:
    n, lib = 100_000, library("random.h")
    y = np.empty(n, DTYPES[kind])
    call(getattr(lib, f"random_uniform_{kind}"), y, n, -1.0, 3.0, _seed(1))
    wide = y.astype(np.float64)
    assert wide.min() >= -1
    assert wide.max() < 3
    assert abs(wide.mean() - 1) < 0.02
    assert abs(wide.std() - 4 / 12**0.5) < 0.02
    counts, _ = np.histogram(wide, 16, (-1, 3))
    assert abs(counts - n / 16).max() < 6 * (n / 16) ** 0.5
    again, other = np.empty_like(y), np.empty_like(y)
    call(getattr(lib, f"random_uniform_{kind}"), again, n, -1.0, 3.0, _seed(1))
    call(getattr(lib, f"random_uniform_{kind}"), other, n, -1.0, 3.0, _seed(2))
    np.testing.assert_array_equal(again, y)
    assert abs(np.corrcoef(wide, other.astype(np.float64))[0, 1]) < 0.02

    call(getattr(lib, f"random_normal_{kind}"), y, n, 2.0, 0.5, _seed(3))
    wide = (y.astype(np.float64) - 2) / 0.5
    for power, moment in enumerate((0, 1, 0, 3), 1):
        assert abs((wide**power).mean() - moment) < 0.1
    assert abs(np.corrcoef(wide[:-1], wide[1:])[0, 1]) < 0.02


def test_bernoulli_and_multinomial_numbers() -> None:
    p = np.tile(np.array([0, 0.1, 0.5, 1], np.float32), 20_000)
    y = np.empty(p.size, np.uint8)
    call(library("random.h").random_bernoulli_f32, p, y, p.size, _seed(4))
    np.testing.assert_allclose(y.reshape(-1, 4).mean(axis=0), [0, 0.1, 0.5, 1], atol=0.015)

    weights = np.array([[0.1, 0.2, 0.7], [0.5, 0.5, 0]], np.float32)
    drawn = np.empty((2, 20_000), np.int64)
    with np.errstate(divide="ignore"):
        logits = np.log(weights) + np.float32(5)
    call(library("random.h").random_multinomial_f32, logits, drawn, 2, 3, 20_000, _seed(5))
    for row, want in zip(drawn, weights, strict=True):
        np.testing.assert_allclose(np.bincount(row, minlength=3) / row.size, want, atol=0.02)
