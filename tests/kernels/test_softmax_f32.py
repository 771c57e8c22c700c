"""softmax_f32.h and map_f32.h against NumPy in float64: odd sizes, any split, in place."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.native import CPUS, Array, assert_canary, build, guarded

ROWS = 37
# Vectors and elements more of a row.
LENGTHS = [(0, 1), (0, 3), (1, 0), (1, 1), (3, -1), (4, 0)]
INCLUDES = '#include "softmax_f32.h"\n#include "map_f32.h"\n'
SOFTMAX = (
    "void case{0}(int begin, int end, const float *x, float *y) {{ const int n = {1} * VL + {2};"
    " softmax_rows_f32(end - begin, n, x + begin * n, y + begin * n); }}\n"
)
MAP = f"""
INLINE vf gate(const void *const *extra, vf acc, long row, int channel, int lanes) {{
    return vsigmoid(acc) * vload_n((const float *)extra[0] + row + channel, lanes);
}}
void case{len(LENGTHS)}(int begin, int end, const float *x, const float *z, float *y) {{
    map_f32(end - begin, x + begin, y + begin, (const void *const[]){{z + begin}}, gate);
}}
"""
TEXTS = [SOFTMAX.format(i, *length) for i, length in enumerate(LENGTHS)]
FUNCTIONS = [INCLUDES + TEXTS[0], *TEXTS[1:], MAP]


def softmax(x: Array) -> np.ndarray:
    """The same in float64."""
    with np.errstate(invalid="ignore"):
        e = np.exp(x.astype(np.float64) - x.max(-1, keepdims=True))
        return np.asarray(e / e.sum(-1, keepdims=True))


@pytest.mark.parametrize("cpu", CPUS)
def test_short_rows_match_numpy(cpu: str) -> None:
    library, rng = build(FUNCTIONS, cpu), np.random.default_rng(5)
    for index, (vectors, more) in enumerate(LENGTHS):
        n = vectors * library.lanes + more
        x = 9 * rng.standard_normal((ROWS, n), np.float32)
        x[1, -1], x[2], x[3, 0], x[4, 0], x[ROWS - 1, -1] = np.nan, -np.inf, -np.inf, 3e38, np.inf
        x[5] = np.linspace(-200, 0, n)
        want, results = softmax(x), []
        for split in (0, 1, 16, 21, ROWS):
            flat, whole = guarded(x.size)
            flat[:] = x.reshape(-1)  # over its operand
            for begin, end in ((0, split), (split, ROWS)):
                library.run(index, begin, end, flat, flat)
            assert_canary(whole)
            np.testing.assert_allclose(flat.reshape(x.shape), want, rtol=3e-6, atol=1e-37)
            results.append(flat.tobytes())
        assert len(set(results)) == 1, "the split changes the result"


@pytest.mark.parametrize("cpu", CPUS)
def test_map_matches_numpy(cpu: str) -> None:
    library, rng = build(FUNCTIONS, cpu), np.random.default_rng(6)
    x, z = (4 * rng.standard_normal(203, np.float32) for _ in range(2))
    want, results = z / (1 + np.exp(-x.astype(np.float64))), []
    for split in (0, 1, 64, 203):
        flat, whole = guarded(x.size)
        flat[:] = z
        for begin, end in ((0, split), (split, 203)):
            library.run(len(LENGTHS), begin, end, x, flat, flat)
        assert_canary(whole)
        np.testing.assert_allclose(flat, want, rtol=1e-6)
        results.append(flat.tobytes())
    assert len(set(results)) == 1, "the split changes the result"
