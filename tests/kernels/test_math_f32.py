"""Vector math in units in the last place against NumPy and the C library in double precision."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from tests.kernels.native import CPUS, build

Doubles = npt.NDArray[np.float64]

NAMES = ("exp", "log", "tanh", "sigmoid", "erf", "sin", "cos", "sqrt", "round", "floor", "ceil")
SCALAR = NAMES[:7]
VECTORS = [
    f"void case{index}(int begin, int end, const float *x, float *y)"
    f" {{ for (int i = begin; i < end; i += VL) vstore(y + i, v{name}(vload(x + i))); }}\n"
    for index, name in enumerate(NAMES)
]
FUNCTIONS = VECTORS + [
    f"void case{len(NAMES) + index}(int begin, int end, const float *x, float *y)"
    f" {{ for (int i = begin; i < end; i++) y[i] = lane_{name}_f32(x[i]); }}\n"
    for index, name in enumerate(SCALAR)
]


def sigmoid(x: Doubles) -> Doubles:
    """1 / (1 + e^-x) without overflow."""
    e = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1.0, e) / (1 + e))


TRUE = {
    "sigmoid": sigmoid,
    "erf": lambda x: np.array([math.erf(v) for v in x]),
    "round": np.rint,
}
LIMITS = {"sigmoid": 2.1}
RANGES = {"log": (0, 3e38), "sin": (-8192, 8192), "cos": (-8192, 8192), "sqrt": (0, 3e38)}


def samples(name: str) -> npt.NDArray[np.float32]:
    """About 200 000 floats: uniform over the range, small ones, every magnitude, and edges."""
    rng = np.random.default_rng(7)
    low, high = RANGES.get(name, (-110, 110))
    uniform = rng.uniform(max(low, -110), min(high, 110), 70000)
    small = rng.normal(0, 1, 70000)
    magnitudes = rng.choice([-1.0, 1.0], 60000) * np.exp2(rng.uniform(-149, 128, 60000))
    near = 1 + rng.normal(0, 1e-3, 5000)
    values = np.concatenate([uniform, small, magnitudes, near, [0.0, 1.0, low, high]])
    values = values[(values >= low) & (values <= high)].astype(np.float32)
    return values[: len(values) // 16 * 16].copy()


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("name", NAMES)
def test_within_two_units(name: str, cpu: str) -> None:
    library = build(FUNCTIONS, cpu)
    x = samples(name)
    got = np.empty_like(x)
    library.run(NAMES.index(name), 0, len(x), x, got)
    with np.errstate(all="ignore"):
        want = TRUE.get(name, getattr(np, name, None))(x.astype(np.float64))
        rounded = want.astype(np.float32)
    unit = np.spacing(np.abs(np.where(np.isfinite(rounded), rounded, np.float32(3e38))))
    if name in ("sin", "cos"):
        unit = np.maximum(unit, np.float32(2**-25))
    same = got == rounded
    error = np.where(same, 0, np.abs(got.astype(np.float64) - want) / unit)
    worst = int(np.argmax(error))
    exact = name in ("round", "floor", "ceil")
    assert error[worst] <= (0 if exact else LIMITS.get(name, 2)), (
        f"{name}({x[worst]!r}) = {got[worst]!r}"
    )
    if name in SCALAR:
        each = np.empty_like(x)
        library.run(len(NAMES) + SCALAR.index(name), 0, len(x), x, each)
        np.testing.assert_array_equal(each, got)


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize(
    ("name", "inputs", "outputs"),
    [
        ("exp", [-np.inf, np.inf, np.nan, 88.8, -200], [0, np.inf, np.nan, np.inf, 0]),
        ("log", [0, np.inf, np.nan, -1, 1e-45], [-np.inf, np.inf, np.nan, np.nan, -103.27893]),
        ("tanh", [-np.inf, np.inf, np.nan], [-1, 1, np.nan]),
        ("sigmoid", [-np.inf, np.inf, np.nan], [0, 1, np.nan]),
        ("erf", [-np.inf, np.inf, np.nan], [-1, 1, np.nan]),
        ("sin", [np.inf, np.nan], [np.nan, np.nan]),
        ("floor", [np.inf, np.nan, -1e30], [np.inf, np.nan, -1e30]),
    ],
)
def test_limits(name: str, inputs: list[float], outputs: list[float], cpu: str) -> None:
    library = build(FUNCTIONS, cpu)
    x = np.resize(np.array(inputs, np.float32), 16)
    got = np.empty_like(x)
    library.run(NAMES.index(name), 0, 16, x, got)
    np.testing.assert_allclose(got, np.resize(np.array(outputs, np.float32), 16), 1e-6)


@pytest.mark.parametrize("cpu", CPUS)
def test_clamp_keeps_nan(cpu: str) -> None:
    clamp = "void case0(int i, int end, const float *x, float *y) { for (; i < end; i += VL)"
    clamp += " vstore(y + i, vmin(vset(6.f), vmax(vset(0.f), vload(x + i)))); }\n"
    x = np.resize(np.array([np.nan, -1, 7, 3, -np.inf, np.inf], np.float32), 16)
    got = np.empty_like(x)
    build([clamp], cpu).run(0, 0, 16, x, got)
    np.testing.assert_array_equal(got, np.clip(x, 0, 6))


@pytest.mark.parametrize("cpu", CPUS)
def test_gelu_swish_and_powers_of_two(cpu: str) -> None:
    library = build(
        [
            f"void case{i}(int begin, int end, const float *x, float *y)"
            f" {{ for (int i = begin; i < end; i += VL) vstore(y + i, {name}(vload(x + i))); }}\n"
            for i, name in enumerate(("vgelu", "vexp2_negative", "vswish"))
        ],
        cpu,
    )
    x = np.random.default_rng(0).uniform(-140, 140, 1 << 16).astype(np.float32)
    x[: 1 << 15] /= 20
    x[:8] = [0, np.nan, np.inf, -np.inf, 1e30, -1e30, -1e-30, 6]
    y = np.empty_like(x)
    library.run(0, 0, len(x), x, y)
    with np.errstate(all="ignore"):
        want = x * 0.5 * np.array([math.erfc(-v / math.sqrt(2)) for v in x.astype(np.float64)])
    assert np.isnan(y[1])
    assert y[2] == np.inf
    assert y[3] == 0
    rest = np.isfinite(x)
    allowed = np.maximum(2**-23, np.spacing(np.abs(x[rest])))
    assert (np.abs(y[rest] - want[rest]) <= allowed).all()
    library.run(2, 0, len(x), x, y)
    want = x[rest] * sigmoid(x[rest].astype(np.float64))
    assert np.isnan(y[1])
    assert y[2] == np.inf
    assert (np.abs(y[rest] - want) <= np.maximum(2**-23, 2 * np.spacing(np.abs(x[rest])))).all()
    x = -np.abs(x)
    library.run(1, 0, len(x), x, y)
    want = np.exp2(x.astype(np.float64))
    far, near = x < -126.5, x >= -126
    assert np.isnan(y[1])
    assert (y[far] == 0).all()
    error = np.abs(y[near] - want[near]) / np.spacing(want[near].astype(np.float32))
    assert error.max() <= 2.2
