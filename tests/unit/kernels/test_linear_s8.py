"""The multiply-add that replaces a fixed-point multiplication, beside it, on every accumulator."""

from __future__ import annotations

import numpy as np
import pytest

from whet.kernels.linear_s8 import CENTRE, linear
from whet.ops.integer.quantization import Rounding
from whet.ops.integer.requantize import Multiplier, multiplier, multiply

CHANNELS, REACH = 24, 60_000


def random(near: float, rounding: Rounding) -> Multiplier:
    reals = np.random.default_rng(0).uniform(near, near * 2, CHANNELS)
    return multiplier(reals.astype(np.float32) if rounding == "single" else reals)


def check(
    by: Multiplier,
    zero: int,
    limits: tuple[int, int],
    rounding: Rounding,
    reach: int = REACH,
    *,
    split: bool = False,
) -> bool:
    """Compare every accumulator up to reach; whether there is a form, and that it is exact."""
    bound = np.full(by.m.shape, reach)
    found = linear(by, zero, (-bound, bound), limits, rounding)
    if found is None:
        return False
    assert (found.split is not None) == split
    acc = np.arange(-reach, reach + 1)[:, None]
    want = np.clip(zero + multiply(acc, by, rounding), *limits)
    sums, offset = (acc + found.start).astype(np.int32), found.offset
    if found.split is not None:
        below = sums < found.split.below
        sums = sums + (below * found.split.more).astype(np.int32)
        offset = np.where(below, found.split.offset, offset)
    factor = sums.view(np.float32) if found.free else sums.astype(np.float32)
    exact = factor.astype(np.longdouble) * found.scale + offset
    codes = np.rint(exact).astype(np.int64) - CENTRE
    np.testing.assert_array_equal(np.clip(codes, *limits), want)
    assert found.narrow == (np.abs(codes).max() < (1 << 15) - 2)
    return True


@pytest.mark.parametrize("near", [0.0004, 0.003, 0.02, 0.4])
@pytest.mark.parametrize("zero", [-128, -3, 90])
def test_single_rounding_of_a_float_multiplier_has_a_form(near: float, zero: int) -> None:
    assert check(random(near, "single"), zero, (-128, 127), "single")


def test_double_rounding_has_one_where_codes_are_not_negative() -> None:
    assert check(random(0.01, "double"), -128, (-128, 127), "double")
    assert check(random(0.01, "double"), 5, (5, 100), "double")


@pytest.mark.parametrize("near", [0.0004, 0.01, 0.2])
@pytest.mark.parametrize("zero", [5, -120, 89])
def test_double_rounding_of_codes_of_both_signs_has_two_lines(near: float, zero: int) -> None:
    assert check(random(near, "double"), zero, (-128, 90), "double", split=True)


def test_ties_go_up() -> None:
    halves = Multiplier(np.full(CHANNELS, 1 << 30, np.int32), np.full(CHANNELS, 34, np.int32))
    assert check(halves, 0, (-128, 127), "single", 3000)


def test_a_channel_of_one_code_needs_no_multiplier() -> None:
    tiny = Multiplier(np.full(CHANNELS, 1 << 30, np.int32), np.full(CHANNELS, 62, np.int32))
    assert check(tiny, 9, (-128, 127), "single")


def test_multipliers_out_of_reach_have_no_form() -> None:
    assert not check(random(3.0, "single"), 0, (-128, 127), "single", 100)
    exact = multiplier(np.random.default_rng(1).uniform(3e-6, 6e-6, CHANNELS))
    assert not check(exact, 0, (-128, 127), "single", 1 << 26)


def test_a_line_for_each_half_of_the_codes_where_one_errs_too_much() -> None:
    exact = multiplier(np.random.default_rng(1).uniform(0.0003, 0.0006, CHANNELS))
    assert check(exact, 0, (-128, 127), "single", 1 << 19, split=True)


def test_tiny_multipliers_have_a_form() -> None:
    assert check(random(2.0**-21, "double"), -128, (-128, 127), "double", 1 << 21)


def test_sums_that_all_give_one_code_may_be_far_from_zero() -> None:
    by = random(0.01, "double")
    low, high = np.full(CHANNELS, -900), np.full(CHANNELS, 900)
    low[3:6], high[3:6] = [(1 << 30) - 5, -(1 << 30), 1 << 29], [1 << 30, 5 - (1 << 30), 1 << 29]
    found = linear(by, -128, (low, high), (-128, 127), "double")
    assert found is not None
    assert found.free
    for end in (low, high):
        sums = (end + found.start).astype(np.uint32).view(np.float32)
        codes = np.rint(sums * found.scale.astype(np.longdouble) + found.offset) - CENTRE
        want = np.clip(multiply(end, by, "double") - 128, -128, 127)
        np.testing.assert_array_equal(np.clip(codes, -128, 127), want)
