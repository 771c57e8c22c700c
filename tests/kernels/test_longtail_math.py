"""math.h against mpmath (values) and NumPy (special cases, remainders)."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import mpmath
import numpy as np
import pytest

from tests.kernels.longtail_library import library

mpmath.mp.prec = 200
RNG = np.random.default_rng(7)
WIDE = np.concatenate(
    [
        RNG.uniform(-1, 1, 300),
        RNG.uniform(-30, 30, 300),
        RNG.uniform(-700, 700, 200),
        10.0 ** RNG.uniform(-300, 2, 100),
    ]
)
UNIT = np.concatenate(
    [
        RNG.uniform(-1, 1, 500),
        1 - 10.0 ** RNG.uniform(-15, -1, 100),
        10.0 ** RNG.uniform(-300, 0, 100),
    ]
)
POSITIVE = np.concatenate(
    [
        10.0 ** RNG.uniform(-308, 308, 500),
        RNG.uniform(0.5, 2, 300),
        1 + RNG.uniform(-1, 1, 100) * 1e-8,
        [5e-324, 1e-310],
    ]
)
ANGLES = np.concatenate(
    [
        RNG.uniform(-10, 10, 400),
        RNG.uniform(-1e6, 1e6, 200),
        10.0 ** RNG.uniform(6, 308, 300),
        np.arange(1, 40) * np.pi / 4,
        [6381956970095103.0 * 2.0**797],
    ]
)
Unary = Callable[[mpmath.mpf], mpmath.mpf]
ULP = 2.0**-52
CASES: dict[str, tuple[Unary, np.ndarray, float]] = {
    "exp": (mpmath.exp, WIDE, 2 * ULP),
    "expm1": (mpmath.expm1, WIDE, 3 * ULP),
    "log": (mpmath.log, POSITIVE, 2 * ULP),
    "log1p": (mpmath.log1p, np.concatenate([UNIT, POSITIVE])[1:], 3 * ULP),
    "sqrt": (mpmath.sqrt, POSITIVE, 0.5 * ULP),
    "sin": (mpmath.sin, ANGLES, 2 * ULP),
    "cos": (mpmath.cos, ANGLES, 2 * ULP),
    "tan": (mpmath.tan, ANGLES, 4 * ULP),
    "asin": (mpmath.asin, UNIT, 4 * ULP),
    "acos": (mpmath.acos, UNIT, 4 * ULP),
    "atan": (mpmath.atan, np.concatenate([WIDE, POSITIVE]), 2 * ULP),
    "sinh": (mpmath.sinh, WIDE, 4 * ULP),
    "cosh": (mpmath.cosh, WIDE, 4 * ULP),
    "tanh": (mpmath.tanh, WIDE, 4 * ULP),
    "asinh": (mpmath.asinh, np.concatenate([WIDE, POSITIVE]), 4 * ULP),
    "acosh": (mpmath.acosh, 1 + POSITIVE, 4 * ULP),
    "atanh": (mpmath.atanh, UNIT, 4 * ULP),
    "erf": (mpmath.erf, WIDE, 2 * ULP),
}


def _function(name: str, kind: str, arguments: int) -> Callable[..., float]:
    function = getattr(library("math.h"), f"math_{name}_{kind}")
    c_type = {
        "f64": ctypes.c_double,
        "f32": ctypes.c_float,
        "i32": ctypes.c_int32,
        "i64": ctypes.c_int64,
        "i8": ctypes.c_int8,
        "u8": ctypes.c_uint8,
    }[kind]
    function.restype, function.argtypes = c_type, [c_type] * arguments
    return function


@pytest.mark.parametrize("name", CASES)
def test_double_is_accurate(name: str) -> None:
    exact, points, tolerance = CASES[name]
    function = _function(name, "f64", 1)
    worst = 0.0
    for x in points.tolist():
        want = exact(mpmath.mpf(x))
        got = function(x)
        if abs(want) < 1e-307 or abs(want) > 1.7e308:
            assert got == pytest.approx(float(want), rel=1e-6, abs=5e-324)
            continue
        worst = max(worst, float(abs(mpmath.mpf(got) / want - 1)))
    assert worst <= tolerance, worst / ULP


@pytest.mark.parametrize("name", CASES)
def test_float_is_rounded_from_double(name: str) -> None:
    exact, points, _ = CASES[name]
    function = _function(name, "f32", 1)
    with np.errstate(over="ignore"):
        singles = points[::5].astype(np.float32)
    for x in singles.tolist():
        if not np.isfinite(x) or (name == "atanh" and abs(x) >= 1) or (name == "log" and x <= 0):
            continue
        if name == "acosh" and x < 1:
            continue
        with np.errstate(over="ignore"):
            want = np.float32(float(exact(mpmath.mpf(x)))) if x or name != "log" else -np.inf
        assert np.float32(function(x)) == want, x


def test_pow_is_accurate() -> None:
    function = _function("pow", "f64", 2)
    bases = np.concatenate([10.0 ** RNG.uniform(-300, 300, 300), RNG.uniform(0.5, 2, 300)])
    powers = np.concatenate([RNG.uniform(-1, 1, 300), RNG.uniform(-700, 700, 300)])
    for x, y in zip(bases.tolist(), powers.tolist(), strict=True):
        want = mpmath.power(mpmath.mpf(x), mpmath.mpf(y))
        if 1e-307 < want < 1e308:
            tolerance = (2 + float(abs(mpmath.log(want))) / 60) * ULP
            assert abs(mpmath.mpf(function(x, y)) / want - 1) < tolerance, (x, y)


SPECIAL = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    2.0,
    -2.0,
    3.0,
    -3.0,
    1e300,
    -1e300,
    1e-320,
    np.inf,
    -np.inf,
    np.nan,
    2.5,
    -2.5,
    1.5,
    0.49999999999999994,
    4503599627370497.5,
]


def _same(got: float, want: float) -> bool:
    return bool(np.isnan(got) and np.isnan(want)) or (
        got == pytest.approx(want, rel=1e-15, abs=0) and np.signbit(got) == np.signbit(want)
    )


@pytest.mark.parametrize("name", ["pow", "atan2", "fmod", "mod"])
def test_two_argument_special_values_follow_c(name: str) -> None:
    numpy_name = {"pow": "power", "atan2": "arctan2"}.get(name, name)
    function, oracle = _function(name, "f64", 2), getattr(np, numpy_name)
    with np.errstate(all="ignore"):
        for x in SPECIAL:
            for y in SPECIAL:
                if name == "pow" and y == 0.5:
                    continue  # NumPy takes the square root, whose -0.0 C's pow does not keep
                want = float(oracle(x, y))
                assert _same(function(x, y), want), (x, y, function(x, y), want)


@pytest.mark.parametrize("name", [*CASES, "floor", "ceil", "trunc", "round", "abs"])
def test_one_argument_special_values_follow_c(name: str) -> None:
    if name == "erf":
        scipy = pytest.importorskip("scipy.special")
    arc = {
        "asin": "arcsin",
        "acos": "arccos",
        "atan": "arctan",
        "asinh": "arcsinh",
        "acosh": "arccosh",
        "atanh": "arctanh",
        "round": "rint",
    }
    oracle = scipy.erf if name == "erf" else getattr(np, arc.get(name, name))
    function = _function(name, "f64", 1)
    with np.errstate(all="ignore"):
        for x in SPECIAL:
            assert _same(function(x), float(oracle(x))), (x, function(x), float(oracle(x)))


def test_rounding_in_float() -> None:
    points = np.concatenate([np.arange(-9, 9, 0.25), [8388607.5, -8388608.5, 1e30, -0.2]])
    for name, oracle in {
        "floor": np.floor,
        "ceil": np.ceil,
        "trunc": np.trunc,
        "round": np.rint,
    }.items():
        function = _function(name, "f32", 1)
        for x in points.astype(np.float32):
            assert _same(function(float(x)), float(oracle(x)))


def test_fmod_is_exact() -> None:
    function = _function("fmod", "f64", 2)
    xs, ys = 10.0 ** RNG.uniform(-320, 300, 400), 10.0 ** RNG.uniform(-320, 300, 400)
    for x, y in zip(xs.tolist(), ys.tolist(), strict=True):
        assert function(x, y) == np.fmod(x, y), (x, y)


@pytest.mark.parametrize("kind", ["i8", "u8", "i32", "i64"])
def test_integer_division_family(kind: str) -> None:
    info = np.iinfo({"i8": "int8", "u8": "uint8", "i32": "int32", "i64": "int64"}[kind])
    values = [
        v for v in (info.min, info.max, 0, 1, 2, 3, 7, -1, -2, -3, -7) if info.min <= v <= info.max
    ]
    functions = {n: _function(n, kind, 2) for n in ("div", "fmod", "mod", "pow")}
    for a in values:
        for b in values:
            quotient = (abs(a) // abs(b)) * (1 if (a < 0) == (b < 0) else -1) if b else 0
            wrapped = int(np.array(quotient & (2**info.bits - 1), "uint64").astype(info.dtype))
            assert functions["div"](a, b) == wrapped
            assert functions["fmod"](a, b) == (a - quotient * b if b else 0)
            assert functions["mod"](a, b) == (a % b if b else 0)
            if b >= 0 and b < 70:
                power = pow(a, b, 2**info.bits)
                want = power - 2**info.bits if info.min and power > info.max else power
                assert functions["pow"](a, b) == want


def test_software_square_root_is_correctly_rounded() -> None:
    built = library("math.h", flags=("-DWHET_SOFTWARE_SQRT",)).math_sqrt_f64
    built.restype, built.argtypes = ctypes.c_double, [ctypes.c_double]
    for x in [*POSITIVE.tolist(), 0.0, np.inf, 4.0, 2.0]:
        assert built(x) == np.sqrt(x)


@pytest.mark.parametrize(
    ("name", "exact", "low", "high"),
    [
        ("exp_negative", np.exp, -87.0, 0.0),
        ("sigmoid", lambda x: 1 / (1 + np.exp(-x)), -80.0, 80.0),
        ("tanh", np.tanh, -12.0, 12.0),
    ],
)
def test_quick_functions_are_within_three_units(
    name: str, exact: Callable[[np.ndarray], np.ndarray], low: float, high: float
) -> None:
    function = getattr(library("quick_f32.h"), f"quick_{name}_f32")
    function.restype, function.argtypes = ctypes.c_float, [ctypes.c_float]
    points = RNG.uniform(low, high, 4000) * 10.0 ** RNG.uniform(-6, 0, 4000)
    x = points.astype(np.float32)
    got = np.array([function(v) for v in x.tolist()], np.float32)
    want = exact(x.astype(np.float64))
    error = np.abs(got - want) / np.spacing(want.astype(np.float32))
    assert error.max() < 3
    assert np.isnan(function(float("nan")))
    assert function(-np.inf) == exact(np.array(-np.inf))
