"""gemm_s8 against NumPy int64, every bit: odd sizes, tails, strides, both roundings, any split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from tests.kernels.native_s8 import (
    EPILOGUES,
    PATHS,
    Ints,
    assert_canary,
    at_page_end,
    forms,
    guarded,
    library,
    random_epilogue,
    requantize_reference,
)
from whet.kernels.packing_s8 import Packed, Requantization, pack_gemm_s8, started

TILES = [(6, 4), (7, 3), (14, 2), (1, 7), (3, 1)]


@dataclass(frozen=True, slots=True)
class Case:
    m: int
    n: int
    k: int
    mr: int
    nv: int
    blocks: int
    pad: int
    wz: int
    rounding: str
    kind: int
    low: int
    high: int

    def function(self, name: str, ready: Requantization, again: int) -> str:
        """The C function of this case; begin and end are run-time values."""
        return (
            f"void {name}(ARGS) {{ gemm_s8({self.m}, {self.n}, {self.k}, {self.k + self.pad},"
            f" {self.n + self.pad}, {self.mr}, {self.nv}, {self.mr * self.blocks}, {again},"
            f" 1, {ready.out}, {self.low}, {self.high}, begin, end, x, w, bias, y, scratch, w,"
            f" {self.pad * 12}, extra, {ready.epilogue}); }}\n"
        )


@dataclass(frozen=True, slots=True)
class Data:
    """Random operands of a case and what it must give."""

    x: npt.NDArray[np.int8]
    w: Ints
    bias: Ints
    zero: int
    epilogue: Requantization
    want: Ints


def cases() -> list[Case]:
    rng = np.random.default_rng(1)
    out = [Case(49, 24, 96, 7, 2, 7, 0, 0, "single", 0, -128, 127),
           Case(1, 500, 66, 1, 8, 1, 0, 0, "double", 0, -128, 127),
           Case(13, 8, 20, 6, 1, 2, 0, 0, "single", 0, -128, 100),
           Case(7, 1, 1, 6, 1, 1, 0, 3, "single", 0, -128, 127)]  # fmt: skip
    for i in range(21):
        m, n, k = (int(2 ** rng.uniform(0, 6)) for _ in range(3))
        mr, nv = TILES[i % len(TILES)]
        wz = int(rng.integers(-128, 128)) if i % 5 == 0 else 0
        low, high = (-128, 127) if i % 3 else sorted(int(v) for v in rng.integers(-128, 128, 2))
        out.append(Case(m, n, k, mr, nv, int(rng.integers(1, 4)), int(rng.integers(0, 4)), wz,
                        "double" if i % 2 else "single", i // 2 % 3, low, high))  # fmt: skip
    out.append(Case(1, 4, 301, 1, 1, 1, 0, 0, "single", 0, -128, 127))
    out.append(Case(7, 20, 131, 2, 2, 4, 1, -9, "double", 0, -128, 127))
    return out


def data(rng: np.random.Generator, c: Case, fused: bool) -> Data:
    ends = at_page_end(rng.integers(-128, 128, c.m * (c.k + c.pad) - c.pad).astype(np.int8))
    x = np.lib.stride_tricks.as_strided(ends, (c.m, c.k), (c.k + c.pad, 1))
    w = rng.integers(-128, 128, (c.k, c.n))
    bias = rng.integers(-50000, 50000, c.n)
    zero = int(rng.integers(-128, 128))
    epilogue, m, t, y_zero = random_epilogue(
        rng, w, bias, zero, c.wz, c.rounding, c.kind, (c.low, c.high), fused
    )
    acc = bias + (x.astype(np.int64) - zero) @ (w - c.wz)
    want = np.clip(requantize_reference(acc, m, t, y_zero, c.rounding), c.low, c.high)
    return Data(ends, w, bias, zero, epilogue, want)


def distinct(table: list[tuple[Case, Data]]) -> list[tuple[Case, Data]]:
    """Two cases of each epilogue: forced portable C takes long to compile."""
    names = [d.epilogue.epilogue for _, d in table]
    return [row for i, row in enumerate(table) if names[:i].count(names[i]) < 2]


@pytest.mark.parametrize("path", PATHS)
def test_gemm_matches_numpy(path: tuple[str, bool]) -> None:
    rng = np.random.default_rng(2)
    both = [(c, data(rng, c, fused)) for fused in forms(path) for c in cases()]
    table = distinct(both) if path[1] else both
    seen = {d.epilogue.epilogue for _, d in table}
    lines = {"linear_s8", "linear_free_s8", "linear_split_s8"} if len(forms(path)) > 1 else set()
    assert seen == lines.union(EPILOGUES)
    lib = library("".join(c.function(f"case{i}", d.epilogue, again(c, d))
                          for i, (c, d) in enumerate(table)), path)  # fmt: skip
    for i, (c, d) in enumerate(table):
        packed = pack(c, d, lib.lanes, lib.shift, lib.pairs)
        ldc = c.n + c.pad
        bias = started(packed.bias, d.epilogue)
        units = -(-c.m // (c.mr * c.blocks)) * -(-c.n // (c.nv * lib.lanes))
        scratch, scratch_whole = guarded(c.mr * c.blocks * c.k * (1 + lib.pairs))
        for split in sorted({0, units // 2, units}):
            y, whole = guarded(c.m * ldc - c.pad)
            for begin, end in ((0, split), (split, units)):
                operands = (d.x, packed.weights, bias, y, scratch)
                lib.call(i, begin, end, *operands, *d.epilogue.arrays)
            got = np.lib.stride_tricks.as_strided(y, (c.m, c.n), (ldc, 1))
            np.testing.assert_array_equal(got, d.want, err_msg=f"{c} {d.epilogue.epilogue}")
            assert_canary(whole)
            assert_canary(scratch_whole)
            gaps = np.lib.stride_tricks.as_strided(y[c.n :], (c.m - 1, c.pad), (ldc, 1))
            assert (gaps == 85).all()


def pack(c: Case, d: Data, lanes: int, shift: int, pairs: bool) -> Packed:
    return pack_gemm_s8(
        d.w, d.bias, d.zero, lanes=lanes, vectors=c.nv, shift=shift, pairs=pairs, weight_zero=c.wz
    )


def again(c: Case, d: Data) -> int:
    return pack(c, d, 4, 0, False).again


@pytest.mark.parametrize("path", PATHS)
def test_no_sum_saturates(path: tuple[str, bool]) -> None:
    """The largest codes on both sides, in every pair of neighbours."""
    m, k, n, nv = 5, 39, 19, 2
    call = f"gemm_s8({m}, {n}, {k}, {k}, {n}, 3, {nv}, {m}, 0, 1, 4, 0, 0, begin, end, x, w, bias"
    lib = library(f"void case0(ARGS) {{ {call}, y, scratch, 0, 0, extra, int32_s8); }}\n", path)
    x, w = np.full((m, k), 127, np.int8), np.full((k, n), -128)
    x[1], x[2, ::2], w[:, 3], w[1::2, 4] = -128, -128, 127, 127
    bias = np.zeros(n, np.int64)
    packed = pack_gemm_s8(
        w, bias, 0, lanes=lib.lanes, vectors=nv, shift=lib.shift, pairs=lib.pairs
    )  # fmt: skip
    y, scratch = np.zeros(4 * m * n, np.int8), np.zeros(2 * m * k, np.int8)
    extra = np.zeros(1, np.int32)
    units = -(-n // (nv * lib.lanes))
    lib.call(0, 0, units, x, packed.weights, packed.bias, y, scratch, extra)
    np.testing.assert_array_equal(y.view(np.int32).reshape(m, n), x.astype(np.int64) @ w)
