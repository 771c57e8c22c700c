"""Reals to codes in C: the quotient rounded as NumPy's, also at ties, and channels last."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from tests.kernels.native import CPUS, build

HEADER = '#include "quantize.h"\n'
Floats = npt.NDArray[np.float32]

STORES = {"i8": np.int8, "u8": np.uint8, "i16": np.int16}
CASES = [
    ("i8", 0.02962009608745575, 4), ("i8", 1 / 3, -128), ("u8", 0.0078125, 131), ("i8", 1e-3, 127),
    ("i16", 3.1e-5, 0), ("i16", 0.7, -32768), ("u8", 1e-38, 7), ("i8", 3e38, -9), ("i8", 2e-19, 1),
]  # fmt: skip
IMAGES = [(1, 3, 700), (2, 1, 256), (3, 4, 31), (1, 2, 513)]


def _reals(scale: float, store: str, random: np.random.Generator) -> Floats:
    """Numbers of any size, and those at and next to every step from one code to the next."""
    with np.errstate(over="ignore", invalid="ignore"):
        steps = np.arange(-600, 600, dtype=np.float32)
        if store == "i16":
            steps = random.integers(-70000, 70000, 1200).astype(np.float32)
        ties = (steps + np.float32(0.5)) * np.float32(scale)
        near = [np.nextafter(ties, np.float32(to)) for to in (-np.inf, np.inf)]
        spread = random.standard_normal(999).astype(np.float32) * np.float32(scale) * 90
        bits = random.integers(0, 1 << 32, 2000, dtype=np.uint64).astype(np.uint32)
    special = np.array([0, -0.0, np.inf, -np.inf, np.nan, -np.nan, 1e-45, 3e38], np.float32)
    return np.concatenate([special, ties, *near, spread, bits.view(np.float32)])


def _codes(x: Floats, store: str, scale: float, zero: int) -> npt.NDArray[np.int64]:
    """By NumPy's own division and rounding."""
    limits = np.iinfo(STORES[store])
    with np.errstate(all="ignore"):
        steps = np.nan_to_num(np.rint(x / np.float32(scale)), nan=0.0).astype(np.float64)
    return np.clip(steps + zero, limits.min, limits.max).astype(np.int64)


def _arguments(store: str, scale: float, zero: int) -> str:
    limits = np.iinfo(STORES[store])
    return f"{float(np.float32(scale)).hex()}f, {zero}, {limits.min}, {limits.max}, y"


@pytest.mark.parametrize("cpu", CPUS)
def test_codes_are_those_of_a_division_that_is_rounded(cpu: str) -> None:
    random = np.random.default_rng(4)
    functions = [
        HEADER * (i == 0) + f"void case{i}(int begin, int end, const float *x, {store} *y) "
        f"{{ quantize_{store}(end - begin, x + begin, {_arguments(*case)} + begin); }}\n"
        for i, case in enumerate(CASES)
        for store in case[:1]
    ]
    library = build(functions, cpu)
    for i, (store, scale, zero) in enumerate(CASES):
        x = _reals(scale, store, random)
        made = np.zeros(x.size, np.float32)
        library.run(i, 0, x.size - 3, x, made)
        found = made.view(STORES[store])
        expected = _codes(x, store, scale, zero)
        np.testing.assert_array_equal(found[: x.size - 3], expected[:-3], f"{CASES[i]}")
        assert (found[x.size - 3 :] == 0).all()


@pytest.mark.parametrize("cpu", CPUS)
def test_channels_of_planes_come_last(cpu: str) -> None:
    random = np.random.default_rng(5)
    functions = [
        HEADER * (i == 0) + f"void case{i}(int begin, int end, const float *x, i8 *y) "
        f"{{ quantize_channels_last_i8({b}, {c}, {n}, end - begin, x + begin, "
        f"{_arguments('i8', 0.03, 5)} + begin * {c}); }}\n"
        for i, (b, c, n) in enumerate(IMAGES)
    ]
    library = build(functions, cpu)
    for i, (b, c, n) in enumerate(IMAGES):
        x = random.standard_normal((b, c, n)).astype(np.float32) * 3
        made = np.zeros(b * n * c, np.float32)
        for begin, end in ((0, n // 3), (n // 3, n)):
            library.run(i, begin, end, x, made)
        found = made.view(np.int8)
        expected = _codes(x, "i8", 0.03, 5).transpose(0, 2, 1)
        np.testing.assert_array_equal(found[: b * n * c], expected.reshape(-1))
        assert (found[b * n * c :] == 0).all()
