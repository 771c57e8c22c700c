"""argument.h as an emitted model uses it, inlined and vectorised, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.native import CPUS, build

# Function and element, rows, elements of a row, columns, whether the last of equals is wanted.
CASES = [
    ("argmax_i8", 200, 21, 1, 0), ("argmin_i8", 67, 6, 1, 1), ("argmax_u8", 64, 1000, 1, 1),
    ("argmin_u8", 3, 4, 1, 0), ("argmax_i8", 40, 3, 1, 0), ("argmax_f32", 50, 21, 1, 0),
    ("argmin_f32", 3, 300, 1, 1), ("argmax_f32", 1, 7, 150, 0), ("argmax_u8", 2, 9, 70, 1),
]  # fmt: skip
STORES = {"i8": np.int8, "u8": np.uint8, "f32": np.float32}


def _function(i: int, name: str, outer: int, n: int, inner: int, last: int) -> str:
    sizes = f"{outer}, {n}, {inner}, {inner}, {last}"
    head = '#include "argument.h"\n' * (i == 0)
    text = f"{name}(x, y, {sizes});"
    return f"{head}void case{i}(int begin, int end, const void *x, i64 *y) {{ {text} }}"


@pytest.mark.parametrize("cpu", CPUS)
def test_extremes_are_where_numpy_finds_them(cpu: str) -> None:
    random = np.random.default_rng(8)
    library = build([_function(i, *case) for i, case in enumerate(CASES)], cpu)
    for i, (name, outer, n, inner, last) in enumerate(CASES):
        function, store = name.split("_")
        for low, high in ((0, 3), (0, 256)):
            codes = random.integers(low, high, (outer, n, inner)).astype(np.uint8)
            x = codes.astype(np.float32) if store == "f32" else codes.view(STORES[store])
            found = getattr(np, function)
            want = n - 1 - found(x[:, ::-1], axis=1) if last else found(x, axis=1)
            made = np.zeros(2 * (want.size + 1), np.float32)
            given = np.frombuffer(x.tobytes() + bytes(-x.nbytes % 4), np.float32).copy()
            library.run(i, 0, 0, given, made)
            result = made.view(np.int64)
            np.testing.assert_array_equal(result[:-1], want.ravel(), f"{CASES[i]}")
            assert result[-1] == 0
