"""Sizes over symbols: arithmetic, bounds and substitution agree with whole numbers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whet.errors import ShapeError
from whet.ir.dim import (
    Dim,
    Size,
    Symbol,
    bounds,
    dim_max,
    dim_min,
    of,
    static_shape,
    static_size,
    substitute,
    symbol_of,
    symbols,
)

N, M = Symbol("N", 1, 9), Symbol("M", 2, 5)
BINARY = {
    "+": (lambda a, b: a + b, lambda a, b: a + b),
    "-": (lambda a, b: a - b, lambda a, b: a - b),
    "*": (lambda a, b: a * b, lambda a, b: a * b),
    "max": (dim_max, max),
    "min": (dim_min, min),
}


def sizes() -> st.SearchStrategy[tuple[Size, object]]:
    """A size and the same as a function of plain numbers (n, m)."""
    leaves = st.one_of(
        st.integers(-4, 12).map(lambda k: (k, lambda n, m: k)),
        st.just((of(N), lambda n, m: n)),
        st.just((of(M), lambda n, m: m)),
    )

    def grow(inner: st.SearchStrategy) -> st.SearchStrategy:
        def binary(kind: str, left: tuple, right: tuple) -> tuple:
            made, meant = BINARY[kind]
            (a, f), (b, g) = left, right
            return made(a, b), lambda n, m: meant(f(n, m), g(n, m))

        def quotient(left: tuple, divisor: int) -> tuple:
            a, f = left
            return a // divisor, lambda n, m: f(n, m) // divisor

        return st.one_of(
            st.builds(binary, st.sampled_from(sorted(BINARY)), inner, inner),
            st.builds(quotient, inner, st.integers(1, 7)),
        )

    return st.recursive(leaves, grow, max_leaves=6)


@settings(deadline=None)
@given(sizes(), st.integers(N.low, N.high), st.integers(M.low, M.high))
def test_a_size_is_the_number_it_stands_for(made: tuple, n: int, m: int) -> None:
    size, meaning = made
    value = substitute(size, {N: n, M: m})
    assert value == meaning(n, m)
    low, high = bounds(size)
    assert low <= value <= high


@settings(deadline=None)
@given(sizes(), sizes(), st.sampled_from(sorted(BINARY)), st.integers(M.low, M.high))
def test_substitution_commutes_with_arithmetic(a: tuple, b: tuple, kind: str, m: int) -> None:
    (left, _), (right, _), made = a, b, BINARY[kind][0]
    whole, parts = substitute(made(left, right), {M: m}), {M: m}
    apart = made(substitute(left, parts), substitute(right, parts))
    for n in range(N.low, N.high + 1):
        assert substitute(whole, {N: n}) == substitute(apart, {N: n})


@settings(deadline=None)
@given(sizes(), sizes(), sizes())
def test_sums_and_products_have_one_form(a: tuple, b: tuple, c: tuple) -> None:
    (x, _), (y, _), (z, _) = a, b, c
    assert x + y == y + x
    assert x * y == y * x
    assert (x + y) * z == x * z + y * z
    assert (x + y) + z == x + (y + z)
    assert x - x == 0


def test_bounds_hold_for_every_divisor_in_range() -> None:
    divisor = of(Symbol("D", 0, 5))
    low, high = bounds(of(N) // divisor)
    assert all(low <= n // d <= high for n in range(1, 10) for d in range(1, 6))
    low, high = bounds(of(N) // (divisor - 3))
    assert all(low <= n // d <= high for n in range(1, 10) for d in (-3, -2, -1, 1, 2))


def test_a_common_factor_divides_out() -> None:
    n, m = of(N), of(M)
    assert (n * m * 6) // (m * 2) == n * 3
    assert (n * 4 + 8) // 4 == n + 2
    assert isinstance((n + 1) // 2, Dim)
    assert n // n == 1


def test_maximum_is_decided_where_bounds_allow() -> None:
    assert dim_max(of(M), 1) == of(M)
    assert dim_min(of(M), 1) == 1
    assert isinstance(dim_max(of(N), of(M)), Dim)


def test_symbols_are_found_inside_operations() -> None:
    assert set(symbols(dim_max(of(N), of(M) // 2) + 1)) == {N, M}
    assert list(symbols(3)) == []


def test_symbol_of_a_size() -> None:
    assert symbol_of(of(N)) == N
    assert symbol_of(of(N) + 1) is None
    assert symbol_of(of(N) * 2) is None
    assert symbol_of(4) is None


def test_a_varying_size_is_no_number() -> None:
    assert static_shape((1, 2)) == (1, 2)
    with pytest.raises(ShapeError, match=r"the size N \+ 1 must be known"):
        static_size(of(N) + 1)
