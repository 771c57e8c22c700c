"""The single rounding stays within half a step (and a hair) of the real function it stands for."""

from __future__ import annotations

import numpy as np
import pytest

from whet.ops.integer import addition, concatenation, contraction, multiplication, reduction, unary
from whet.ops.integer import resize as resizing
from whet.ops.integer import softmax as softmaxes
from whet.ops.integer import softmax16 as softmaxes16
from whet.ops.integer.quantization import Activation, Affine

HAIR = 0.51
seeds = pytest.mark.parametrize("seed", range(5))


def draw(seed: int, shape: tuple[int, ...], store: str = "int8") -> np.ndarray:
    info = np.iinfo(store)
    return np.random.default_rng(seed).integers(
        info.min, info.max, shape, dtype=store, endpoint=True
    )


def real(q: np.ndarray, a: Affine) -> np.ndarray:
    return (q.astype(np.float64) - a.zero) * a.scale


def steps(q: np.ndarray, want: np.ndarray, y: Affine) -> float:
    """Largest distance, in output steps, from the clamped real value."""
    target = np.clip(want / y.scale + y.zero, y.low, y.high)
    return float(np.abs(q - target).max())


@seeds
@pytest.mark.parametrize("subtract", [False, True])
@pytest.mark.parametrize("store", ["int8", "uint8", "int16"])
def test_add(seed: int, subtract: bool, store: str) -> None:
    rng = np.random.default_rng(seed)
    zeros = (0, 0, 0) if store == "int16" else (3, 9, 40)
    a, b, y = (Affine(float(rng.uniform(0.01, 0.3)), z, store) for z in zeros)
    c = addition.addition_constants(a, b, y, Activation.NONE, "single", subtract=subtract)
    da, db = draw(seed, (4000,), store), draw(seed + 9, (4000,), store)
    want = real(da, a) - real(db, b) if subtract else real(da, a) + real(db, b)
    assert steps(addition.add(da, db, c), want, y) <= HAIR


@seeds
def test_mul(seed: int) -> None:
    a, b, y = Affine(0.02, 5), Affine(0.03, -7), Affine(0.04, 11)
    c = multiplication.multiplication_constants(a, b, y, Activation.NONE, "single")
    da, db = draw(seed, (4000,)), draw(seed + 9, (4000,))
    assert steps(multiplication.mul(da, db, c), real(da, a) * real(db, b), y) <= HAIR


@seeds
def test_squared_difference(seed: int) -> None:
    a, b, y = Affine(0.02, 5), Affine(0.03, -7), Affine(0.2, -128)
    c = multiplication.squared_difference_constants(a, b, y, "single")
    da, db = draw(seed, (4000,)), draw(seed + 9, (4000,))
    want = (real(da, a) - real(db, b)) ** 2
    assert steps(multiplication.squared_difference(da, db, c), want, y) <= 0.6


@seeds
def test_prelu(seed: int) -> None:
    x, alpha, y = Affine(0.02, 5), Affine(0.01, 0), Affine(0.015, -9)
    c = multiplication.prelu_constants(x, alpha, y, "single")
    dx, da = draw(seed, (300, 8)), draw(seed + 9, (8,))
    v, slope = real(dx, x), real(da, alpha)
    assert steps(multiplication.prelu(dx, da, c), np.where(v >= 0, v, v * slope), y) <= HAIR


@seeds
def test_convolution_and_matmul(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y, scales = Affine(0.02, -3), Affine(0.09, 4), rng.uniform(0.001, 0.01, 6)
    w = rng.integers(-127, 128, (6, 3, 3, 4), dtype=np.int8)
    bias = rng.integers(-999, 999, 6, dtype=np.int32)
    c = contraction.contraction_constants(x, scales, y, Activation.NONE, "single")
    scales32 = scales.astype(np.float32).astype(np.float64)
    data = draw(seed, (1, 6, 6, 4))
    got = contraction.conv2d(data, w, bias, contraction.Window(), c)
    cols = contraction.patches(data.astype(np.int64) - x.zero, (3, 3), contraction.Window())
    acc = np.einsum("nyxhwc,ohwc->nyxo", cols, w.astype(np.int64)) + bias
    assert steps(got, acc * scales32 * x.scale, y) <= HAIR
    c = contraction.contraction_constants(
        x, [0.01], Affine(0.05, 0), Activation.NONE, "single", w_zero=5
    )
    a, b = draw(seed, (2, 5, 7)), draw(seed + 1, (2, 7, 3))
    want = real(a, x) @ real(b, Affine(float(np.float32(0.01)), 5))
    assert steps(contraction.batch_matmul(a, b, c), want, Affine(0.05, 0)) <= HAIR


@seeds
def test_mean(seed: int) -> None:
    x, y = Affine(0.02, 40), Affine(0.003, -5)
    c = reduction.mean_constants(x, y, 49, "single")
    data = draw(seed, (2, 7, 7, 30))
    want = real(data, x).mean(axis=(1, 2))
    assert steps(reduction.mean_or_sum(data, (1, 2), c, False), want, y) <= HAIR


@seeds
@pytest.mark.parametrize(("store", "limit"), [("int8", HAIR), ("uint8", HAIR), ("int16", 1.5)])
def test_softmax(seed: int, store: str, limit: float) -> None:
    x = Affine(float(np.random.default_rng(seed).uniform(0.01, 0.2)), 3)
    bits = 16 if store == "int16" else 8
    y = Affine(2.0**-bits, int(np.iinfo(store).min), store)
    data = draw(seed, (40, 3 + 40 * seed))
    e = np.exp(real(data, x) - real(data, x).max(axis=1, keepdims=True))
    want = e / e.sum(axis=1, keepdims=True)
    got = softmaxes.softmax(data, softmaxes.softmax_constants(x, 1.0, "single", store))
    assert steps(got, want, y) <= limit


@seeds
def test_softmax_of_int16(seed: int) -> None:
    x = Affine(0.0005, 0, "int16")
    data = draw(seed, (20, 50), "int16")
    e = np.exp(real(data, x) - real(data, x).max(axis=1, keepdims=True))
    want = e / e.sum(axis=1, keepdims=True)
    got = softmaxes16.softmax16(data, softmaxes16.softmax16_constants(x, 1.0, "single"))
    assert np.abs(got / 32768 - want).max() < 2e-3  # tables of 513 entries


@pytest.mark.parametrize("half", [False, True])
def test_resize_bilinear(half: bool) -> None:
    data = draw(1, (1, 6, 5, 3))
    got = resizing.resize_bilinear(data, (12, 15), "single", half_pixel_centers=half)
    rows, columns = (
        np.clip((np.arange(n * f) + 0.5 * half) / f - 0.5 * half, 0, n - 1)
        for n, f in ((6, 2), (5, 3))
    )
    y0, x0 = np.floor(rows).astype(int), np.floor(columns).astype(int)
    fy, fx = (rows - y0)[:, None, None], (columns - x0)[:, None]
    v = data[0].astype(np.float64)
    y1, x1 = np.minimum(y0 + 1, 5), np.minimum(x0 + 1, 4)
    top = v[y0][:, x0] * (1 - fx) + v[y0][:, x1] * fx
    want = top * (1 - fy) + (v[y1][:, x0] * (1 - fx) + v[y1][:, x1] * fx) * fy
    assert np.abs(got[0] - want).max() <= 1.3  # positions have ten bits


def test_concatenation() -> None:
    a, b, y = Affine(0.02, 5), Affine(0.05, 5), Affine(0.05, 5)
    tables = [concatenation.concatenation_table(q, y, "single") for q in (a, b)]
    assert tables[1] is None
    da, db = draw(1, (3, 4)), draw(2, (3, 5))
    got = concatenation.concatenate([da, db], tables, 1)
    assert steps(got[:, :4], real(da, a), y) <= HAIR
    np.testing.assert_array_equal(got[:, 4:], db)


def test_function_table_clamps_and_survives_what_is_not_a_number() -> None:
    x, y = Affine(0.1, 0), Affine(0.1, -3)
    table = unary.function_table(np.log, x, y)
    assert table[0] == -128  # log 0
    assert table[255] == -3  # log of a negative number
    assert table[10] == -3  # log 1
