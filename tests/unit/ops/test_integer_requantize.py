"""Requantisation against exact rationals and Python's unbounded integers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whet.errors import ShapeError
from whet.ops.integer.quantization import Activation, Affine, activation_range, round_half_away
from whet.ops.integer.requantize import Multiplier, multiplier, multiply, quantize_multiplier

int32 = st.integers(-(2**31), 2**31 - 1)
significand = st.integers(2**30, 2**31 - 1)
shift = st.integers(1, 62)


def one(m: int, t: int) -> Multiplier:
    return Multiplier(np.array(m, np.int32), np.array(t, np.int32))


@given(int32, significand, shift)
def test_single_is_the_exact_product_rounded_half_up(x: int, m: int, t: int) -> None:
    exact = Fraction(x * m, 2**t)
    want = (exact + Fraction(1, 2)).__floor__()
    assert int(multiply(np.array(x), one(m, t), "single")) == want


@given(int32, significand, st.integers(31, 62))
def test_double_rounds_the_high_product_then_the_shift(x: int, m: int, t: int) -> None:
    high = (Fraction(x * m, 2**31) + Fraction(1, 2)).__floor__()
    exact = Fraction(high, 2 ** (t - 31))
    away = (abs(exact) + Fraction(1, 2)).__floor__()
    assert int(multiply(np.array(x), one(m, t), "double")) == (away if exact >= 0 else -away)


@given(st.integers(-(2**20), 2**20), significand, st.integers(32, 62))
def test_the_two_roundings_differ_by_one_at_most(x: int, m: int, t: int) -> None:
    value = np.array(x)
    single, double = (int(multiply(value, one(m, t), r)) for r in ("single", "double"))
    assert abs(single - double) <= 1


@given(st.floats(2.0**-31, 2.0**29))
def test_a_multiplier_is_the_nearest_of_its_form(real: float) -> None:
    m, t = quantize_multiplier(real)
    assert 2**30 <= m < 2**31
    assert abs(Fraction(m, 2**t) - Fraction(real)) <= Fraction(1, 2 ** (t + 1))


@pytest.mark.parametrize("real", [0.0, 2.0**-33, 1e-30])
def test_a_tiny_multiplier_is_zero(real: float) -> None:
    assert quantize_multiplier(real) == (0, 31)


@pytest.mark.parametrize("real", [-1.0, float("nan"), float("inf"), 2.0**30])
def test_a_bad_multiplier_is_refused(real: float) -> None:
    with pytest.raises(ShapeError, match="cannot requantise"):
        quantize_multiplier(real)


def test_one_multiplier_per_channel() -> None:
    by = multiplier(np.array([0.5, 0.25, 1.0]))
    x = np.array([[5, 5, 5], [-5, -5, -5]])
    np.testing.assert_array_equal(multiply(x, by, "single"), [[3, 1, 5], [-2, -1, -5]])
    twice = [[3, 2, 5], [-2, -1, -5]]  # 1.25 becomes 2.5, then 3 halves, then 2
    np.testing.assert_array_equal(multiply(x, by, "double"), twice)


@pytest.mark.parametrize(
    ("value", "want"), [(0.5, 1), (-0.5, -1), (2.5, 3), (-2.4, -2), (0.49999999999999994, 0)]
)
def test_round_half_away(value: float, want: int) -> None:
    assert round_half_away(value) == want


def test_activation_ranges() -> None:
    y = Affine(0.05, -20)
    assert activation_range(y, Activation.NONE) == (-128, 127)
    assert activation_range(y, Activation.RELU) == (-20, 127)
    assert activation_range(y, Activation.RELU6) == (-20, 100)
    assert activation_range(y, Activation.RELU_N1_TO_1) == (-40, 0)
