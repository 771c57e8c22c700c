"""gemm_f32 against NumPy in float64: odd sizes, tails, strides, plain b, any split of the units."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.native import CPUS, assert_canary, build, guarded
from whet.kernels.packing import pack_panels

EPILOGUE = """
INLINE vf add_rows(const void *const *extra, vf v, long row, int channel, int n) {
    const float *other = (const float *)extra[0] + row * %d + channel;
    return relu6(extra, v + vload_n(other, n), row, channel, n);
}
"""
TILES = [(6, 4), (7, 3), (4, 3), (14, 2), (28, 1), (1, 8), (3, 1)]


def cases() -> list[tuple[int, ...]]:
    """M, N, K, lda pad, MR, NV, blocks, packed: 28 random shapes, small ones more often."""
    rng = np.random.default_rng(1)
    out = [(49, 24, 96, 0, 6, 2, 1, 1), (1, 1000, 64, 0, 1, 8, 1, 1), (7, 1, 1, 0, 6, 1, 1, 1)]
    for _ in range(25):
        m, n, k = (int(2 ** rng.uniform(0, 6.5)) for _ in range(3))
        mr, nv = TILES[rng.integers(len(TILES))]
        pad, blocks, packed = (int(v) for v in rng.integers([0, 1, 0], [4, 4, 2]))
        out.append((m, n, k, pad, mr, nv, blocks, packed))
    return out


def function(index: int, case: tuple[int, ...]) -> str:
    """One C function for one case: argument units begin..end are run-time values."""
    m, n, k, pad, mr, nv, blocks, packed = case
    name = f"add_rows{index}"
    return EPILOGUE.replace("add_rows", name) % n + (
        f"void case{index}(int begin, int end, const float *a, const float *b, const float *bias,"
        f" float *c, const void *const *extra) {{ gemm_f32(4, {m}, {n}, {k}, {k + pad},"
        f" {0 if packed else n}, {n + pad}, {mr}, {nv}, {mr * blocks}, begin, end, a, b,"
        f" {'bias' if index % 3 else '0'}, c, {index % 2}, extra[0], {n}, extra, {name}); }}\n"
    )


@pytest.mark.parametrize("cpu", CPUS)
def test_gemm_matches_numpy(cpu: str) -> None:
    table = cases()
    library = build([function(i, c) for i, c in enumerate(table)], cpu)
    vl = library.lanes
    rng = np.random.default_rng(2)
    for index, (m, n, k, pad, mr, nv, blocks, packed) in enumerate(table):
        a = rng.standard_normal((m, k + pad), np.float32)
        b = rng.standard_normal((k, n), np.float32)
        bias = rng.standard_normal(n, np.float32)
        extra = rng.standard_normal((m, n), np.float32)
        sums = a[:, :k].astype(np.float64) @ b + (bias if index % 3 else 0) + extra
        want = np.clip(sums, 0, 6)
        units = -(-m // (mr * blocks)) * -(-n // (nv * vl))
        panels = pack_panels(b, vl, nv) if packed else b.copy()
        for split in sorted({0, units // 2, units}):
            flat, whole = guarded(m * (n + pad) - pad)
            for begin, end in ((0, split), (split, units)):
                library.run(index, begin, end, a, panels, bias, flat, [extra])
            got = np.append(flat, np.full(pad, 12345, np.float32)).reshape(m, n + pad)
            np.testing.assert_allclose(got[:, :n], want, 1e-4, 1e-4, err_msg=str(table[index]))
            assert (got[:, n:] == 12345).all(), "wrote between the rows"
            assert_canary(whole)
