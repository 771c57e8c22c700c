"""What follows the sum: raw and float outputs, residual additions, tables; every bit."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.native_s8 import PATHS, assert_canary, forms, guarded, library
from whet.kernels.packing_s8 import (
    Requantization,
    accumulator_bounds,
    pack_gemm_s8,
    requantization,
    started,
)
from whet.ops.integer.addition import Addition, add, addition_constants
from whet.ops.integer.quantization import Affine
from whet.ops.integer.requantize import multiplier, multiply

M, N, K, NV = 9, 37, 20, 2
LOW, HIGH = -90, 100
X, R, Y = Affine(0.037, -4, "int8"), Affine(0.021, 17, "int8"), Affine(0.05, 3, "int8")


def addition(rounding: str) -> tuple[Addition, str]:
    """A residual addition and the C call that makes it of x and r."""
    c = addition_constants(X, R, Y, "none", "double" if rounding == "double" else "single")
    if c.a_by is None or c.b_by is None or c.y_by is None:
        constant = (1 << (c.t - 1)) - c.a_zero * c.a_m - c.b_zero * c.b_m
        return c, f"add_single_s8(x, r, {c.a_m}, {c.b_m}, {constant}, {c.t}, {c.y_zero})"
    by = ", ".join(f"{int(m.m)}, {int(m.t) - 31}" for m in (c.a_by, c.b_by, c.y_by))
    return c, f"add_double_s8(x, r, {c.a_zero}, {c.b_zero}, {by}, {c.y_zero})"


def source() -> str:
    gemm = f"gemm_s8({M}, {N}, {K}, {K}, {N}, 3, {NV}, 9, 0, 0"
    ends = "begin, end, x, w, bias, y, 0, 0, 0, extra"
    residual = "".join(
        f"""
EPILOGUE(layer_{rounding}) {{
    vi x = {rounding}_s8(extra, acc, row, channel, lanes);
    x = table_s8(clamp_i(x, {LOW}, {HIGH}), (const s8 *)extra[5]);
    const vi r = load_s8((const s8 *)extra[6] + row * {N} + channel, lanes);
    return {addition(rounding)[1]};
}}
void case{i}(ARGS) {{ {gemm}, 1, -128, 127, {ends}, layer_{rounding}); }}
"""
        for i, rounding in enumerate(("single", "double"))
    )
    return f"""{residual}
void case2(ARGS) {{ {gemm}, 4, 0, 0, {ends}, int32_s8); }}
void case3(ARGS) {{ {gemm}, 4, 0, 0, {ends}, float_s8); }}
"""


@pytest.mark.parametrize("path", PATHS)
def test_epilogues_match_the_meaning(path: tuple[str, bool]) -> None:
    lib = library(source(), path)
    rng = np.random.default_rng(8)
    x = rng.integers(-128, 128, (M, K)).astype(np.int8)
    w, bias = rng.integers(-127, 128, (K, N)), rng.integers(-5000, 5000, N)
    acc = bias + (x.astype(np.int64) - 5) @ w
    packed = pack_gemm_s8(w, bias, 5, lanes=lib.lanes, vectors=NV, shift=lib.shift, pairs=lib.pairs)
    units = -(-N // (NV * lib.lanes))
    by = multiplier(rng.uniform(0.0005, 0.002, N))
    table = rng.integers(-128, 128, 256).astype(np.int8)
    residual = rng.integers(-128, 128, (M, N)).astype(np.int8)
    for i, rounding in enumerate(("single", "double")):
        form = requantization(by, -7, accumulator_bounds(w, bias, 5), rounding)
        assert form.epilogue == f"{rounding}_s8"
        first = np.clip(multiply(acc, by, rounding) - 7, LOW, HIGH)
        want = add(table[first + 128], residual, addition(rounding)[0])
        y, whole = guarded(M * N)
        extras = (*form.arrays, *form.arrays[: 5 - len(form.arrays)], table, residual)
        lib.call(i, 0, units, x, packed.weights, packed.bias, y, y, *extras)
        np.testing.assert_array_equal(y.reshape(M, N), want)
        assert_canary(whole)
    y, whole = guarded(M * N * 4)
    lib.call(2, 0, units, x, packed.weights, packed.bias, y, y)
    np.testing.assert_array_equal(y.view(np.int32).reshape(M, N), acc)
    scale = rng.uniform(0, 1, N + 16).astype(np.float32)
    lib.call(3, 0, units, x, packed.weights, packed.bias, y, y, scale)
    want_float = acc.astype(np.float32) * scale[:N]
    np.testing.assert_array_equal(y.view(np.float32).reshape(M, N), want_float)
    assert_canary(whole)


# Name, what the multipliers are near, the rounding and the least code.
LINEAR = (
    ("linear_free_s8", 0.004, "single", -7),
    ("linear_free_codes_s8", 0.2, "single", -7),
    ("linear_s8", 0.0004, "single", -7),
    ("linear_free_s8", 0.02, "double", -7),
    ("linear_split_s8", 0.004, "double", -100),
    ("linear_split_codes_s8", 0.2, "double", -100),
)


@pytest.mark.parametrize("path", [p for p in PATHS if forms(getattr(p, "values", (p,))[0])[-1]])
def test_one_multiply_add_has_the_bits_of_the_integers(path: tuple[str, bool]) -> None:
    gemm = f"gemm_s8({M}, {N}, {K}, {K}, {N}, 3, {NV}, 9, 0, 0"
    ends = "127, begin, end, x, w, bias, y, 0, 0, 0, extra"
    calls = [
        f"{gemm}, {1 if 'codes' in name else 2}, {low}, {ends}, {name});"
        for name, _, _, low in LINEAR
    ]
    lib = library("".join(f"void case{i}(ARGS) {{ {c} }}\n" for i, c in enumerate(calls)), path)
    rng = np.random.default_rng(9)
    x = rng.integers(-128, 128, (M, K)).astype(np.int8)
    w, bias = rng.integers(-127, 128, (K, N)), rng.integers(-5000, 5000, N)
    acc = bias + (x.astype(np.int64) - 5) @ w
    packed = pack_gemm_s8(w, bias, 5, lanes=lib.lanes, vectors=NV, shift=lib.shift, pairs=lib.pairs)
    units = -(-N // (NV * lib.lanes))
    for i, (name, near, rounding, low) in enumerate(LINEAR):
        reals = rng.uniform(near, near * 1.5, N)
        by = multiplier(reals.astype(np.float32) if rounding == "single" else reals)
        bounds = accumulator_bounds(w, bias, 5)
        form = requantization(by, -7, bounds, rounding, (low, 127), True)
        if name == "linear_s8":  # taken where no start of the sum will do: rare, so made here
            offset = np.full(N + 16, np.float32(3 * 2**22 - 7))
            scale = np.zeros(N + 16, np.float32)
            scale[:N] = reals.astype(np.float32)
            form = Requantization(name, (scale.view(np.int32), offset.view(np.int32)), 2)
        assert form.epilogue == name
        y, whole = guarded(M * N)
        operands = (x, packed.weights, started(packed.bias, form), y, y)
        lib.call(i, 0, units, *operands, *form.arrays)
        want = np.clip(multiply(acc, by, rounding) - 7, low, 127)
        np.testing.assert_array_equal(y.reshape(M, N), want)
        assert_canary(whole)
